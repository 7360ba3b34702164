//! Peers that somebody introduced and that are not yet members.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::id::PeerId;
use crate::member::MemberRecord;
use crate::tables::Table;

/// Failed dials after which an introduced peer is forgotten.
const FAILURES_MAX: u32 = 4;

#[derive(Clone, Debug)]
struct Contact {
    addresses: Vec<String>,
    failures: u32,
}

/// Introduced peers, at most a fixed number.
#[derive(Debug)]
pub struct Contacts {
    contacts: BTreeMap<PeerId, Contact>,
    contacts_max: usize,
}

impl Contacts {
    /// Nobody, and at most `contacts_max`.
    #[must_use]
    pub fn new(contacts_max: usize) -> Self {
        Self {
            contacts: BTreeMap::new(),
            contacts_max,
        }
    }

    /// Somebody introduced this peer. Whether that was news.
    pub fn add(&mut self, record: &MemberRecord) -> bool {
        let peer = record.process.peer;
        if record.addresses.is_empty() {
            return false;
        }
        if let Some(contact) = self.contacts.get_mut(&peer) {
            let news = contact.addresses != record.addresses;
            contact.addresses.clone_from(&record.addresses);
            return news;
        }
        if self.contacts.len() >= self.contacts_max {
            return false;
        }
        let contact = Contact {
            addresses: record.addresses.clone(),
            failures: 0,
        };
        self.contacts.insert(peer, contact);
        true
    }

    /// The peer is linked or a member: no introduction needed any more.
    pub fn remove(&mut self, peer: &PeerId) {
        self.contacts.remove(peer);
    }

    /// A dial failed.
    pub fn failed(&mut self, peer: &PeerId) {
        if let Some(contact) = self.contacts.get_mut(peer) {
            contact.failures += 1;
            if contact.failures >= FAILURES_MAX {
                self.contacts.remove(peer);
            }
        }
    }

    /// How full it is.
    #[must_use]
    pub fn table(&self) -> Table {
        Table::new("contacts", self.contacts.len(), self.contacts_max)
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.contacts.is_empty()
    }

    /// Whether anybody is left who was not dialled in vain yet.
    #[must_use]
    pub fn any_untried(&self) -> bool {
        self.contacts.values().any(|contact| contact.failures == 0)
    }

    /// All of them with their addresses, beginning at `start` and around.
    pub fn iter_from(&self, start: PeerId) -> impl Iterator<Item = (&PeerId, &[String])> {
        let (after, before) = (self.contacts.range(start..), self.contacts.range(..start));
        after
            .chain(before)
            .map(|(peer, contact)| (peer, contact.addresses.as_slice()))
    }
}
