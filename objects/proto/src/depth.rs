//! How deep an encoded value is nested.

use crate::wire::VALUE_DEPTH_MAX;

/// Nesting that an encoded state may have: half of what is decoded, because decoding some
/// types takes two levels for one.
pub(crate) const STATE_DEPTH_MAX: usize = VALUE_DEPTH_MAX / 2;

/// Items that are still to come in a container of unknown length.
const UNTIL_BREAK: u64 = u64::MAX;

/// Whether a well-formed CBOR item is nested at most [`STATE_DEPTH_MAX`] deep. What cannot be
/// read counts as too deep.
pub(crate) fn is_shallow(mut bytes: &[u8]) -> bool {
    let mut open = [0u64; STATE_DEPTH_MAX];
    let mut depth = 0;
    while let Some((head, rest)) = split_head(bytes) {
        bytes = rest;
        let inside = match head {
            Head::Break => 0,
            Head::Bytes(length) => {
                match usize::try_from(length).ok().and_then(|n| bytes.get(n..)) {
                    Some(rest) => {
                        bytes = rest;
                        0
                    }
                    None => return false,
                }
            }
            Head::Scalar => 0,
            Head::Items(count) => count,
        };
        if inside > 0 {
            let Some(place) = open.get_mut(depth) else {
                return false;
            };
            *place = inside;
            depth += 1;
            continue;
        }
        if matches!(head, Head::Break) {
            depth = depth.saturating_sub(1);
        }
        depth = close(&mut open, depth);
    }
    bytes.is_empty()
}

/// One item has ended: closes the containers that it was the last one of.
fn close(open: &mut [u64], mut depth: usize) -> usize {
    while let Some(left) = depth.checked_sub(1).and_then(|top| open.get_mut(top)) {
        if *left == UNTIL_BREAK {
            break;
        }
        *left -= 1;
        if *left > 0 {
            break;
        }
        depth -= 1;
    }
    depth
}

enum Head {
    /// A number or a simple value.
    Scalar,
    /// A string of this many bytes.
    Bytes(u64),
    /// A container, or a tag, with this many items.
    Items(u64),
    /// The end of a container of unknown length.
    Break,
}

/// The head of the first item and what follows it.
fn split_head(bytes: &[u8]) -> Option<(Head, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (major, info) = (first >> 5, first & 31);
    let width = match info {
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => 0,
    };
    let (argument, rest) = rest.split_at_checked(width)?;
    let argument = match (width, info) {
        (0, 31) => UNTIL_BREAK,
        (0, small) => u64::from(small),
        _ => argument
            .iter()
            .fold(0, |number, byte| (number << 8) | u64::from(*byte)),
    };
    let head = match major {
        2 | 3 if argument != UNTIL_BREAK => Head::Bytes(argument),
        2..=4 => Head::Items(argument),
        5 if argument == UNTIL_BREAK => Head::Items(argument),
        5 => Head::Items(argument.saturating_mul(2)),
        6 => Head::Items(1),
        7 if info == 31 => Head::Break,
        _ => Head::Scalar,
    };
    Some((head, rest))
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::string::String;
    use alloc::vec::Vec;

    use proptest::prelude::*;
    use serde::Serialize;

    use super::*;
    use crate::execution::Codec;
    use crate::wire::encode;

    fn nested(levels: usize) -> Vec<u8> {
        let mut bytes = alloc::vec![0x81u8; levels];
        bytes.push(0);
        bytes
    }

    #[test]
    fn the_limit_is_exact() {
        assert!(is_shallow(&nested(STATE_DEPTH_MAX)));
        assert!(!is_shallow(&nested(STATE_DEPTH_MAX + 1)));
    }

    #[test]
    fn length_is_not_depth() {
        #[derive(Serialize)]
        enum Shape {
            Dot,
            Line { length: u64 },
            Pair(Option<i8>, &'static str),
        }
        let shapes: Vec<_> = (0..300)
            .flat_map(|length| {
                [
                    Shape::Dot,
                    Shape::Line { length },
                    Shape::Pair(Some(-1), "x"),
                ]
            })
            .collect();
        let map: BTreeMap<u32, Vec<String>> = (0..300)
            .map(|key| (key, alloc::vec![String::from("y"); 30]))
            .collect();
        let bytes = encode(Codec::Cbor, &(shapes, map, Vec::<u8>::new(), 1.5f64)).unwrap();
        assert!(is_shallow(&bytes));
    }

    #[test]
    fn containers_of_unknown_length_end_at_their_break() {
        let mut bytes = alloc::vec![0x9f];
        for _ in 0..200 {
            bytes.extend_from_slice(&[0x9f, 1, 0xff, 0xbf, 1, 0x80, 0xff]);
        }
        bytes.push(0xff);
        assert!(is_shallow(&bytes));
        assert!(!is_shallow(&alloc::vec![0x9f; 100]));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            is_shallow(&bytes);
        }
    }
}
