//! A weak object that went on in another line: its copy is kept until that line's value is here.
//!
//! A line may have begun at a single process. Whoever dropped its own copy at the news of it
//! would leave the object to that process alone, and what was known at three places would die
//! with one. So a member of the new set steps down, sends everybody there, and waits for the
//! value as a backup does. If the line's primary falls silent first, it stands like any other
//! backup, and begins a line above both.

use alloc::boxed::Box;

use overlay_proto::ProcessId;

use crate::message::{RegisterMessage, Sighting};
use crate::object::{Configuration, Epoch};
use crate::register::{Effects, Env, Replica};

/// Where an object went on while its copy is still here.
#[derive(Clone, Debug)]
pub(crate) struct Overtaken {
    pub(crate) sighting: Sighting,
    /// This process was the primary that executed what it holds.
    pub(crate) was_primary: bool,
}

impl Replica {
    /// The object went on in a line whose set has this member. Whether the copy is kept.
    pub(super) fn keeps_overtaken(
        &mut self,
        env: &Env<'_>,
        sighting: &Sighting,
        fx: &mut Effects,
    ) -> bool {
        let Sighting::Member { configuration, .. } = sighting else {
            return false;
        };
        let other_line = configuration.epoch.lineage > self.record.epoch().lineage;
        let member = self.is_installed_member() && configuration.index_of(&env.me).is_some();
        if !(self.is_weak() && other_line && member) {
            return false;
        }
        let known = self.overtaking().map(|known| known.epoch);
        if known < Some(configuration.epoch) {
            let was_primary = self.was_primary();
            self.step_down(sighting, fx);
            self.finish = None;
            self.sealed_since = None;
            let sighting = sighting.clone();
            self.overtaken = Some(Box::new(Overtaken {
                sighting,
                was_primary,
            }));
        }
        true
    }

    /// The set in which the object went on.
    pub(super) fn overtaking(&self) -> Option<&Configuration> {
        match &self.overtaken.as_ref()?.sighting {
            Sighting::Member { configuration, .. } => Some(configuration),
            _ => None,
        }
    }

    /// The primary there, as far as it is known.
    pub(super) fn overtaking_primary(&self) -> Option<ProcessId> {
        let Sighting::Member {
            configuration,
            primary: Some(index),
        } = &self.overtaken.as_ref()?.sighting
        else {
            return None;
        };
        configuration.process(*index)
    }

    /// Tells whoever asks for this copy's epoch that it was left. Whether it did.
    pub(super) fn refuses_overtaken(
        &self,
        from: ProcessId,
        message: &RegisterMessage,
        fx: &mut Effects,
    ) -> bool {
        let epoch = match message {
            RegisterMessage::Prepare { configuration, .. } => configuration.epoch,
            RegisterMessage::Accept { epoch, .. } | RegisterMessage::Check { epoch, .. } => *epoch,
            _ => return false,
        };
        let refused = self.overtaking().is_some_and(|next| epoch < next.epoch);
        if refused {
            self.say_gone(from, epoch, fx);
        }
        refused
    }

    /// Whether this process executed the last versions that it holds, if it holds some alone.
    pub(super) fn was_primary(&self) -> bool {
        let overtaken = self.overtaken.as_ref();
        self.is_primary() || overtaken.is_some_and(|overtaken| overtaken.was_primary)
    }

    /// The newest epoch that a new line of this copy has to be above.
    pub(super) fn newest_epoch(&self) -> Epoch {
        let mine = self.record.epoch();
        self.overtaking().map_or(mine, |next| next.epoch.max(mine))
    }
}
