//! The event queue: what is due first, and of equal times what was scheduled first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use overlay_proto::Instant;

/// A priority queue by (time, order of scheduling).
///
/// The heap moves small keys only; the items lie still in a slab.
#[derive(Debug)]
pub struct Queue<T> {
    heap: BinaryHeap<Reverse<(Instant, u64, u32)>>,
    items: Vec<Option<T>>,
    free: Vec<u32>,
    scheduled: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            items: Vec::new(),
            free: Vec::new(),
            scheduled: 0,
        }
    }
}

impl<T> Queue<T> {
    /// Schedules `item` for `at`.
    pub fn push(&mut self, at: Instant, item: T) {
        let index = match self.free.pop() {
            Some(index) => {
                self.items[index as usize] = Some(item);
                index
            }
            None => {
                self.items.push(Some(item));
                (self.items.len() - 1) as u32
            }
        };
        self.heap.push(Reverse((at, self.scheduled, index)));
        self.scheduled += 1;
    }

    /// Takes what is due first.
    pub fn pop(&mut self) -> Option<(Instant, T)> {
        let Reverse((at, _, index)) = self.heap.pop()?;
        let item = self.items[index as usize].take()?;
        self.free.push(index);
        Some((at, item))
    }

    /// When the next item is due.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _, _))| *at)
    }

    /// Number of items waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pops_by_time_then_by_order_of_scheduling() {
        let mut queue = Queue::default();
        for (at, item) in [(5, 'c'), (1, 'a'), (5, 'd'), (1, 'b')] {
            queue.push(Instant::from_micros(at), item);
        }
        assert_eq!(queue.next_at(), Some(Instant::from_micros(1)));
        let items: String = std::iter::from_fn(|| queue.pop())
            .map(|(_, item)| item)
            .collect();
        assert_eq!(items, "abcd");
        assert!(queue.is_empty());
    }

    #[test]
    fn reuses_places_of_popped_items() {
        let mut queue = Queue::default();
        for at in 0..1_000 {
            queue.push(Instant::from_micros(at), at);
            assert_eq!(queue.pop(), Some((Instant::from_micros(at), at)));
        }
        assert_eq!(queue.items.len(), 1);
    }
}
