//! A map by peer of which a copy costs nothing: copies share whatever they have in common.
//!
//! A radix tree over the bits of the peer id, four at a time. Peer ids are public keys, evenly
//! spread, so the tree is flat; a peer that chose a key close to others' makes one path longer,
//! by at most the 64 digits of a key. Iteration is in the order of the ids.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::id::PeerId;

/// Items of a leaf; with one more it is split.
const LEAF_MAX: usize = 64;
/// Places by which a full leaf grows: leaves are many, so their spare room counts.
const LEAF_GROWTH: usize = 8;
/// Children of a branch: one per digit of four bits.
const DIGITS: usize = 16;
/// Digits of a peer id.
const DEPTH_MAX: usize = 64;

/// Something that belongs to one peer.
pub trait OfPeer: Clone {
    /// The peer.
    fn peer(&self) -> &PeerId;
}

/// At most one item of each peer.
#[derive(Clone, Debug)]
pub struct PeerMap<T> {
    root: Arc<Node<T>>,
    len: usize,
}

#[derive(Clone, Debug)]
enum Node<T> {
    Leaf(Leaf<T>),
    Branch([Option<Arc<Node<T>>>; DIGITS]),
}

/// Items in the order of their peers. The first eight bytes of each peer stand by themselves: a
/// search that stays among them touches one or two lines of the cache, not one with each step.
#[derive(Clone, Debug)]
struct Leaf<T> {
    prefixes: Vec<u64>,
    items: Vec<T>,
}

impl<T> Default for Leaf<T> {
    fn default() -> Self {
        Self {
            prefixes: Vec::new(),
            items: Vec::new(),
        }
    }
}

impl<T: OfPeer> Leaf<T> {
    /// Where the item of a peer is, or would be. `depth` digits are common to all peers here.
    fn place(&self, peer: &PeerId, depth: usize) -> Result<usize, usize> {
        let wanted = peer.prefix();
        let at = |place: usize| self.prefixes.get(place).copied();
        let mut place = self.guess(wanted, depth);
        while place > 0 && at(place - 1).is_none_or(|one| one >= wanted) {
            place -= 1;
        }
        while at(place).is_some_and(|one| one < wanted) {
            place += 1;
        }
        while at(place) == Some(wanted) {
            match self
                .items
                .get(place)
                .map_or(Ordering::Greater, |item| item.peer().cmp(peer))
            {
                Ordering::Less => place += 1,
                Ordering::Equal => return Ok(place),
                Ordering::Greater => break,
            }
        }
        Err(place)
    }

    /// Where it should be if peers are evenly spread; they are, so this is off by a few places.
    fn guess(&self, wanted: u64, depth: usize) -> usize {
        let bits = u32::try_from(4 * depth).unwrap_or(u32::MAX);
        let part = u128::from(wanted.checked_shl(bits).unwrap_or_default());
        usize::try_from((part * self.prefixes.len() as u128) >> 64).unwrap_or_default()
    }

    fn insert(&mut self, place: usize, item: T) {
        if self.items.len() == self.items.capacity() {
            self.items.reserve_exact(LEAF_GROWTH);
            self.prefixes.reserve_exact(LEAF_GROWTH);
        }
        self.prefixes.insert(place, item.peer().prefix());
        self.items.insert(place, item);
    }

    fn remove(&mut self, place: usize) -> T {
        self.prefixes.remove(place);
        self.items.remove(place)
    }
}

impl<T> Default for PeerMap<T> {
    fn default() -> Self {
        Self {
            root: Arc::new(Node::Leaf(Leaf::default())),
            len: 0,
        }
    }
}

impl<T: OfPeer> PeerMap<T> {
    /// Number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The item of a peer.
    #[must_use]
    pub fn get(&self, peer: &PeerId) -> Option<&T> {
        let mut node = &*self.root;
        let mut depth = 0;
        loop {
            match node {
                Node::Leaf(leaf) => {
                    let place = leaf.place(peer, depth).ok()?;
                    return leaf.items.get(place);
                }
                Node::Branch(children) => {
                    node = children.get(digit(peer, depth))?.as_deref()?;
                    depth += 1;
                }
            }
        }
    }

    /// The item of a peer, to be changed; it must stay that of this peer. What other maps share
    /// of it is copied first.
    pub fn get_mut(&mut self, peer: &PeerId) -> Option<&mut T> {
        self.get(peer)?;
        let mut node = Arc::make_mut(&mut self.root);
        let mut depth = 0;
        loop {
            match node {
                Node::Leaf(leaf) => {
                    let place = leaf.place(peer, depth).ok()?;
                    return leaf.items.get_mut(place);
                }
                Node::Branch(children) => {
                    let child = children.get_mut(digit(peer, depth))?.as_mut()?;
                    node = Arc::make_mut(child);
                    depth += 1;
                }
            }
        }
    }

    /// Puts an item in the place of the one that its peer had.
    pub fn insert(&mut self, item: T) -> Option<T> {
        let mut node = Arc::make_mut(&mut self.root);
        let mut depth = 0;
        while let Node::Branch(children) = node {
            let child = children.get_mut(digit(item.peer(), depth))?;
            node =
                Arc::make_mut(child.get_or_insert_with(|| Arc::new(Node::Leaf(Leaf::default()))));
            depth += 1;
        }
        let Node::Leaf(leaf) = node else { return None };
        match leaf.place(item.peer(), depth) {
            Ok(place) => leaf
                .items
                .get_mut(place)
                .map(|old| core::mem::replace(old, item)),
            Err(place) => {
                leaf.insert(place, item);
                self.len += 1;
                if leaf.items.len() > LEAF_MAX && depth < DEPTH_MAX {
                    *node = split(core::mem::take(&mut leaf.items), depth);
                }
                None
            }
        }
    }

    /// Takes the item of a peer out.
    pub fn remove(&mut self, peer: &PeerId) -> Option<T> {
        self.get(peer)?;
        let removed = take(Arc::make_mut(&mut self.root), peer, 0);
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// All items in the order of their peers.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, T> {
        self.range_from(&PeerId([0; 32]))
    }

    /// The items of this peer and those after it.
    #[must_use]
    pub fn range_from(&self, start: &PeerId) -> Iter<'_, T> {
        let mut branches = Vec::new();
        let mut node = Some(&*self.root);
        while let Some(Node::Branch(children)) = node {
            let digit = digit(start, branches.len());
            branches.push(children.get(digit + 1..).unwrap_or_default().iter());
            node = children.get(digit).and_then(Option::as_deref);
        }
        let leaf = match node {
            Some(Node::Leaf(leaf)) => {
                let first = leaf.place(start, branches.len());
                let first = first.unwrap_or_else(|place| place);
                leaf.items.get(first..).unwrap_or_default().iter()
            }
            Some(Node::Branch(_)) | None => [].iter(),
        };
        Iter { branches, leaf }
    }
}

/// Items of a [`PeerMap`] in the order of their peers.
#[derive(Debug)]
pub struct Iter<'a, T> {
    branches: Vec<core::slice::Iter<'a, Option<Arc<Node<T>>>>>,
    leaf: core::slice::Iter<'a, T>,
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        loop {
            if let Some(item) = self.leaf.next() {
                return Some(item);
            }
            match self.branches.last_mut()?.next() {
                None => {
                    self.branches.pop();
                }
                Some(None) => {}
                Some(Some(child)) => match &**child {
                    Node::Leaf(leaf) => self.leaf = leaf.items.iter(),
                    Node::Branch(children) => self.branches.push(children.iter()),
                },
            }
        }
    }
}

fn digit(peer: &PeerId, depth: usize) -> usize {
    let byte = peer.0.get(depth / 2).copied().unwrap_or_default();
    usize::from(if depth.is_multiple_of(2) {
        byte >> 4
    } else {
        byte & 0xf
    })
}

fn split<T: OfPeer>(items: Vec<T>, depth: usize) -> Node<T> {
    let mut parts: [Leaf<T>; DIGITS] = Default::default();
    for item in items {
        if let Some(part) = parts.get_mut(digit(item.peer(), depth)) {
            part.prefixes.push(item.peer().prefix());
            part.items.push(item);
        }
    }
    Node::Branch(parts.map(|mut part| {
        part.prefixes.shrink_to_fit();
        part.items.shrink_to_fit();
        (!part.items.is_empty()).then(|| Arc::new(Node::Leaf(part)))
    }))
}

/// Takes the item of `peer`, which is there, and with it the nodes that it leaves empty.
fn take<T: OfPeer>(node: &mut Node<T>, peer: &PeerId, depth: usize) -> Option<T> {
    match node {
        Node::Leaf(leaf) => {
            let place = leaf.place(peer, depth).ok()?;
            Some(leaf.remove(place))
        }
        Node::Branch(children) => {
            let slot = children.get_mut(digit(peer, depth))?;
            let child = Arc::make_mut(slot.as_mut()?);
            let taken = take(child, peer, depth + 1);
            if matches!(child, Node::Leaf(leaf) if leaf.items.is_empty()) {
                *slot = None;
            }
            if children.iter().all(Option::is_none) {
                *node = Node::Leaf(Leaf::default());
            }
            taken
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Item(PeerId, u32);

    impl OfPeer for Item {
        fn peer(&self) -> &PeerId {
            &self.0
        }
    }

    /// Peers that are far apart, and peers that differ in their last byte only.
    fn peer(number: u16) -> PeerId {
        let mut id = [0; 32];
        if number.is_multiple_of(2) {
            id[..8].copy_from_slice(&crate::hash::mix(u64::from(number)).to_be_bytes());
        }
        id[30..].copy_from_slice(&number.to_be_bytes());
        PeerId(id)
    }

    fn same(map: &PeerMap<Item>, model: &BTreeMap<PeerId, u32>) {
        let items = map.iter().map(|item| (item.0, item.1));
        assert!(items.eq(model.iter().map(|(peer, value)| (*peer, *value))));
        assert_eq!(map.len(), model.len());
        assert_eq!(map.is_empty(), model.is_empty());
    }

    proptest! {
        #[test]
        fn is_the_ordered_map_that_it_models(
            steps in proptest::collection::vec((0_u8..4, 0_u16..300, any::<u32>()), 0..600),
            start in 0_u16..300,
        ) {
            let (mut map, mut model) = (PeerMap::default(), BTreeMap::new());
            let mut copies = Vec::new();
            for (step, number, value) in steps {
                let peer = peer(number);
                match step {
                    0 | 1 => {
                        let old = map.insert(Item(peer, value));
                        prop_assert_eq!(old.map(|item| item.1), model.insert(peer, value));
                    }
                    2 => {
                        let old = map.remove(&peer);
                        prop_assert_eq!(old.map(|item| item.1), model.remove(&peer));
                    }
                    _ => {
                        if let Some(item) = map.get_mut(&peer) {
                            item.1 = value;
                        }
                        model.entry(peer).and_modify(|old| *old = value);
                    }
                }
                prop_assert_eq!(map.get(&peer).map(|item| item.1), model.get(&peer).copied());
                if value.is_multiple_of(16) {
                    copies.push((map.clone(), model.clone()));
                }
            }
            same(&map, &model);
            for (copy, model) in &copies {
                same(copy, model);
            }
            let from = peer(start);
            let rest = map.range_from(&from).map(|item| item.0);
            prop_assert!(rest.eq(model.range(from..).map(|(peer, _)| *peer)));
        }
    }
}
