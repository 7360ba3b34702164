//! Finding out that a link works in one direction only.
//!
//! After an outage each direction of a TCP connection starts again by its own retransmission
//! timer, which may be as long as the outage was (RFC 6298, section 5.5). Until then one side
//! hears the other and is not heard. Such a link is worth less than none: a new connection works
//! at once. So a side that has written something asks the other to echo, and gives the link up if
//! it goes on hearing the other without getting the echo. Silence alone says nothing: the other
//! process may be paused, or the network gone, and a new connection would not help.

use std::sync::{Mutex, PoisonError};

/// A link is given up when frames came in so many looks after it was asked to echo.
const LOOKS_MAX: u8 = 3;

/// What is known of the way to the other side.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Something was queued that no echo has followed.
    wrote: bool,
    /// Looks with frames since the echo was asked for.
    asked: Option<u8>,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    Fine,
    /// Ask the other side to echo.
    Ask,
    /// Give the link up: what is written does not arrive.
    Stuck,
}

impl Echo {
    /// Something was queued for the other side.
    pub(crate) fn wrote(&self) {
        self.state().wrote = true;
    }

    /// The other side echoed: everything written before it was asked has arrived.
    pub(crate) fn answered(&self) {
        self.state().asked = None;
    }

    /// To be called at regular intervals. `heard`: a frame came since the last look; `busy`: the
    /// writers are getting rid of what is queued, if slowly.
    pub(crate) fn look(&self, heard: bool, busy: bool) -> Verdict {
        let mut state = self.state();
        let Some(looks) = state.asked else {
            if !state.wrote {
                return Verdict::Fine;
            }
            *state = State {
                wrote: false,
                asked: Some(0),
            };
            return Verdict::Ask;
        };
        let looks = looks + u8::from(heard && !busy);
        let stuck = looks >= LOOKS_MAX;
        state.asked = Some(if stuck { 0 } else { looks });
        if stuck { Verdict::Stuck } else { Verdict::Fine }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Echo {
        let echo = Echo::default();
        assert_eq!(echo.look(true, false), Verdict::Fine);
        echo.wrote();
        assert_eq!(echo.look(true, false), Verdict::Ask);
        echo
    }

    #[test]
    fn who_is_heard_and_does_not_echo_is_not_reached() {
        let echo = asked();
        assert_eq!(echo.look(true, false), Verdict::Fine);
        assert_eq!(echo.look(true, false), Verdict::Fine);
        assert_eq!(echo.look(true, false), Verdict::Stuck);
    }

    #[test]
    fn silence_and_slowness_prove_nothing() {
        let echo = asked();
        for _ in 0..100 {
            assert_eq!(echo.look(false, false), Verdict::Fine);
            assert_eq!(echo.look(true, true), Verdict::Fine);
        }
    }

    #[test]
    fn an_echo_answers_until_something_is_written_again() {
        let echo = asked();
        echo.wrote();
        echo.answered();
        assert_eq!(echo.look(true, false), Verdict::Ask);
        echo.answered();
        assert_eq!(echo.look(true, false), Verdict::Fine);
    }
}
