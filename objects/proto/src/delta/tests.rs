//! A difference gives back what it was made of, is small where little changed, and does no harm.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use overlay_proto::codec;
use proptest::collection::vec as many;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// One change of a state: so many bytes there become these.
type Edit = (Index, usize, Vec<u8>);

fn edited(mut state: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for (place, removed, added) in edits {
        let start = place.index(state.len() + 1);
        let end = (start + removed).min(state.len());
        state.splice(start..end, added.iter().copied());
    }
    state
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = (any::<Index>(), 0..600_usize, many(any::<u8>(), 0..600));
    many(edit, 0..4)
}

/// States whose parts are much alike, so that wrong places match too.
fn state() -> impl Strategy<Value = Vec<u8>> {
    let pattern = many(0..3_u8, 1..700);
    (pattern, 1..40_usize).prop_map(|(pattern, times)| pattern.repeat(times))
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        (any::<u32>(), any::<u32>()).prop_map(|(at, length)| Piece::Kept { at, length }),
        (0..300_u32, 0..300_u32).prop_map(|(at, length)| Piece::Kept { at, length }),
        many(any::<u8>(), 0..50).prop_map(|bytes| Piece::New(bytes.into())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_it_makes_of_the_old_state_is_the_new_one(old in state(), edits in edits()) {
        let new = Bytes::from(edited(old.clone(), &edits));
        let pieces = Comparison { old: &old, new: &new }.pieces();
        prop_assert!(pieces.len() <= DELTA_PIECES_MAX);
        let delta = Delta {
            length: new.len() as u32,
            digest: digest(&new),
            pieces,
        };
        prop_assert_eq!(delta.applied_to(&old), Some(new.clone()));
        if let Some(delta) = Delta::between(&old, &new) {
            prop_assert!(delta.bytes() * PAYS < new.len());
            prop_assert_eq!(delta.applied_to(&old), Some(new));
        }
    }

    #[test]
    fn another_base_is_noticed(
        old in many(any::<u8>(), 6_000..9_000),
        place in any::<Index>(),
        other in any::<Index>(),
    ) {
        let (place, other) = (place.index(old.len()), other.index(old.len()));
        prop_assume!(place != other);
        let change = |place: usize| {
            let mut state = old.clone();
            state[place] ^= 0xff;
            state
        };
        let new = Bytes::from(change(place));
        let delta = Delta::between(&old, &new).expect("one byte of many");
        // A byte beside the changed one may be shipped with it, and then what was there is all one.
        let made = delta.applied_to(&change(other));
        prop_assert!(made.is_none_or(|state| state == new));
        let far = (place + old.len() / 2) % old.len();
        prop_assert_eq!(delta.applied_to(&change(far)), None);
    }

    #[test]
    fn hostile_differences_do_no_harm(
        base in many(any::<u8>(), 0..400),
        length in prop_oneof![any::<u32>(), 0..600_u32],
        pieces in many(piece(), 0..12),
        checked in any::<bool>(),
    ) {
        let unchecked = Delta { length, digest: 7, pieces: pieces.clone() };
        let digest = match unchecked.spliced(&base) {
            Some(state) if checked => digest(&state),
            _ => 7,
        };
        let delta = Delta { length, digest, pieces };
        if let Some(state) = delta.applied_to(&base) {
            prop_assert_eq!(state.len(), length as usize);
        }
    }
}

#[test]
fn a_difference_that_would_grow_beyond_all_limits_is_refused() {
    let base = vec![1; STATE_BYTES_MAX];
    let whole = Piece::Kept {
        at: 0,
        length: STATE_BYTES_MAX as u32,
    };
    for (length, times) in [
        (2 * STATE_BYTES_MAX as u32, 2),
        (u32::MAX, DELTA_PIECES_MAX),
    ] {
        let delta = Delta {
            length,
            digest: 0,
            pieces: vec![whole.clone(); times],
        };
        assert_eq!(delta.applied_to(&base), None);
    }
}

#[test]
fn small_states_and_large_differences_travel_whole() {
    let small = Bytes::from(vec![1; WHOLE_STATE_MAX]);
    assert_eq!(Delta::between(&small, &small), None);
    let old: Vec<u8> = (0..16_384_u32).flat_map(u32::to_le_bytes).collect();
    let half: Vec<u8> = old[..old.len() / 2]
        .iter()
        .map(|byte| !byte)
        .chain(old[old.len() / 2..].iter().copied())
        .collect();
    assert_eq!(Delta::between(&old, &half.into()), None);
}

/// What one change of a map of 64 KiB weighs, in thousandths of the map.
fn per_mille(change: impl FnOnce(&mut BTreeMap<String, String>)) -> usize {
    let mut map: BTreeMap<String, String> = (0..1_400)
        .map(|key| (format!("customer/{key:05}"), format!("{:030}", key * 7_919)))
        .collect();
    let old = codec::encode(&map).expect("a map");
    assert!((60_000..72_000).contains(&old.len()), "{}", old.len());
    change(&mut map);
    let new = Bytes::from(codec::encode(&map).expect("a map"));
    let delta = Delta::between(&old, &new).expect("a small difference");
    assert_eq!(delta.applied_to(&old), Some(new.clone()));
    delta.bytes() * 1_000 / new.len()
}

#[test]
fn one_entry_of_a_map_weighs_a_thousandth_and_an_insertion_a_hundredth() {
    let key = || String::from("customer/00700");
    let changed = per_mille(|map| *map.get_mut(&key()).expect("the key") = format!("{:030}", 3));
    let longer = per_mille(|map| *map.get_mut(&key()).expect("the key") = format!("{:044}", 3));
    let added = per_mille(|map| drop(map.insert(key() + "a", format!("{:030}", 3))));
    let removed = per_mille(|map| drop(map.remove(&key())));
    assert!(changed <= 2, "{changed} per mille");
    assert!(longer <= 2, "{longer} per mille");
    // The number of entries stands at the beginning, far from the place of the entry.
    assert!(added <= 3, "{added} per mille");
    assert!(removed <= 3, "{removed} per mille");
}

#[test]
fn changes_in_many_places_weigh_what_is_new() {
    let old: Vec<u8> = (0..16_384_u32).flat_map(u32::to_le_bytes).collect();
    let mut new = old.clone();
    for place in [5, 9_000, 9_100, 30_000, 65_000] {
        new[place] ^= 0xff;
    }
    let delta = Delta::between(&old, &new.into()).expect("five bytes of many");
    assert!(delta.bytes() < 300, "{}", delta.bytes());
}
