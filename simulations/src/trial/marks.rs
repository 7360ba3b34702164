//! Marks on arguments and states, by which the world knows calls again that the methods of
//! users' kinds know nothing of. Taken off before a method runs, put on after it has run.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::oracle::CallId;

/// Bytes of a call's id.
const ID_BYTES: usize = 8;
/// Bytes of the number of ids behind a state.
const COUNT_BYTES: usize = 4;

/// Arguments that name their call, or say that they name none: those of calls made by methods,
/// which may be made again under another id when the method runs again.
#[must_use]
pub(super) fn mark(call: Option<CallId>, arguments: &[u8]) -> Bytes {
    let mut marked = BytesMut::with_capacity(1 + ID_BYTES + arguments.len());
    match call {
        Some(call) => {
            marked.put_u8(1);
            marked.put_u64(call);
        }
        None => marked.put_u8(0),
    }
    marked.put_slice(arguments);
    marked.freeze()
}

/// The call that arguments name, and the arguments; `None` if they were never marked.
#[must_use]
pub(super) fn unmark(mut marked: Bytes) -> Option<(Option<CallId>, Bytes)> {
    match marked.try_get_u8().ok()? {
        0 => Some((None, marked)),
        1 => Some((Some(marked.try_get_u64().ok()?), marked)),
        _ => None,
    }
}

/// A state with the calls behind it whose effects it has, in order.
#[must_use]
pub(super) fn with_log(state: &[u8], log: &[CallId]) -> Bytes {
    let bytes = state.len() + log.len() * ID_BYTES + COUNT_BYTES;
    let mut marked = BytesMut::with_capacity(bytes);
    marked.put_slice(state);
    for call in log {
        marked.put_u64(*call);
    }
    marked.put_u32(log.len() as u32);
    marked.freeze()
}

/// A state and the calls whose effects it has; `None` if there is no log behind it.
#[must_use]
pub(super) fn without_log(marked: &Bytes) -> Option<(Bytes, Vec<CallId>)> {
    let count_at = marked.len().checked_sub(COUNT_BYTES)?;
    let count = marked.slice(count_at..).get_u32() as usize;
    let log_at = count_at.checked_sub(count.checked_mul(ID_BYTES)?)?;
    let mut ids = marked.slice(log_at..count_at);
    let log = (0..count).map(|_| ids.get_u64()).collect();
    Some((marked.slice(..log_at), log))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_off_as_they_were_put_on() {
        for call in [None, Some(0), Some(u64::MAX)] {
            let marked = mark(call, b"arguments");
            assert_eq!(unmark(marked), Some((call, Bytes::from("arguments"))));
        }
        for log in [&[][..], &[7], &[1, 2, u64::MAX]] {
            let marked = with_log(b"state", log);
            let expected = (Bytes::from("state"), log.to_vec());
            assert_eq!(without_log(&marked), Some(expected));
        }
    }

    #[test]
    fn what_was_never_marked_is_told_apart() {
        assert_eq!(unmark(Bytes::new()), None);
        assert_eq!(unmark(Bytes::from_static(&[9, 9])), None);
        assert_eq!(without_log(&Bytes::from_static(&[0, 0])), None);
        assert_eq!(without_log(&Bytes::from_static(&[0, 0, 0, 1])), None);
    }
}
