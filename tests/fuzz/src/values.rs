//! Values that are still of their type, but not what anybody would say.

use ciborium::Value;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Most alterations of one value.
const ALTERATIONS_MAX: usize = 3;
/// Attempts to get a value of the type.
const ATTEMPTS: usize = 8;
/// Numbers at which something may turn over.
const EDGES: [u64; 8] = [
    0,
    1,
    2,
    255,
    u32::MAX as u64,
    i64::MAX as u64,
    u64::MAX - 1,
    u64::MAX,
];

/// One of the recorded values with parts that come from others, or from nowhere; the value
/// itself where nothing else of its type came of it.
///
/// # Panics
/// If nothing was recorded.
#[must_use]
pub fn altered<T>(dice: &mut ChaCha8Rng, recorded: &[T]) -> T
where
    T: Clone + Serialize + DeserializeOwned,
{
    let original = recorded.choose(dice).expect("recorded values");
    for _ in 0..ATTEMPTS {
        let donor = recorded
            .choose(dice)
            .and_then(|one| Value::serialized(one).ok());
        let (Ok(mut value), Some(donor)) = (Value::serialized(original), donor) else {
            break;
        };
        for _ in 0..dice.random_range(1..=ALTERATIONS_MAX) {
            let place = dice.random_range(0..count(&value));
            at(&mut value, place, &mut |part| alter(dice, part, &donor));
        }
        if let Ok(value) = value.deserialized() {
            return value;
        }
    }
    original.clone()
}

fn parts(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Map(entries) => entries.iter().map(|(_, value)| value).collect(),
        Value::Tag(_, inner) => vec![inner],
        _ => Vec::new(),
    }
}

fn count(value: &Value) -> usize {
    1 + parts(value).into_iter().map(count).sum::<usize>()
}

/// Acts on the part with this number, counted from the top.
fn at(value: &mut Value, place: usize, act: &mut dyn FnMut(&mut Value)) {
    if place == 0 {
        return act(value);
    }
    let mut left = place - 1;
    let parts: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Map(entries) => entries.iter_mut().map(|(_, value)| value).collect(),
        Value::Tag(_, inner) => vec![&mut **inner],
        _ => Vec::new(),
    };
    for part in parts {
        let size = count(part);
        if left < size {
            return at(part, left, act);
        }
        left -= size;
    }
}

/// The parts of the donor that are of the same form.
fn alike<'a>(donor: &'a Value, form: &Value, found: &mut Vec<&'a Value>) {
    if std::mem::discriminant(donor) == std::mem::discriminant(form) {
        found.push(donor);
    }
    for part in parts(donor) {
        alike(part, form, found);
    }
}

fn alter(dice: &mut ChaCha8Rng, value: &mut Value, donor: &Value) {
    let mut found = Vec::new();
    alike(donor, value, &mut found);
    if dice.random_bool(0.5)
        && let Some(part) = found.choose(dice)
    {
        *value = (*part).clone();
        return;
    }
    match value {
        Value::Integer(number) => *number = any_number(dice, i128::from(*number)).into(),
        Value::Bool(truth) => *truth = !*truth,
        Value::Bytes(bytes) => match bytes.len() {
            0 => bytes.push(dice.random()),
            length => bytes[dice.random_range(0..length)] = dice.random(),
        },
        Value::Text(text) => text.push('ä'),
        Value::Array(items) => alter_list(dice, items),
        Value::Map(entries) if !entries.is_empty() => {
            drop(entries.remove(dice.random_range(0..entries.len())));
        }
        Value::Null => *value = donor.clone(),
        _ => *value = Value::Null,
    }
}

fn any_number(dice: &mut ChaCha8Rng, number: i128) -> u64 {
    let number = u64::try_from(number).unwrap_or_default();
    match dice.random_range(0..4) {
        0 => number.wrapping_add(1),
        1 => number.wrapping_sub(1),
        2 => dice.next_u64(),
        _ => *EDGES.choose(dice).unwrap_or(&0),
    }
}

fn alter_list(dice: &mut ChaCha8Rng, items: &mut Vec<Value>) {
    if items.is_empty() {
        return;
    }
    let place = dice.random_range(0..items.len());
    match dice.random_range(0..4) {
        0 => drop(items.remove(place)),
        1 => items.insert(place, items[place].clone()),
        2 => items.reverse(),
        _ => items.extend_from_within(..),
    }
}
