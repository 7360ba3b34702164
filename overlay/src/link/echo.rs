//! Finding out that what is written on a link does not arrive.
//!
//! After an outage each direction of a TCP connection starts again by its own retransmission
//! timer, which may be as long as the outage was (RFC 6298, section 5.5). A new connection works
//! at once. So a side that has written something asks the other to echo. If it goes on hearing the
//! other without getting the echo, the link works in one direction only and is given up. If it
//! hears nothing, the link may be stuck in both, or the network gone, or the other process paused:
//! whether a new connection can be made tells.

use std::sync::{Mutex, PoisonError};

/// A link is given up when frames came in so many looks after it was asked to echo.
const HEARD_MAX: u8 = 3;
/// A new connection is tried after so many looks without a frame, one after the other.
const SILENT_MAX: u8 = 3;

/// What is known of the way to the other side.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Something was queued that no echo has followed.
    wrote: bool,
    /// The echo that was asked for and has not come.
    asked: Option<Asked>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    /// Looks with frames since then.
    heard: u8,
    /// The last looks without one.
    silent: u8,
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
    /// Try whether a new connection can be made.
    Silent,
}

impl Echo {
    /// Something was queued for the other side.
    pub(crate) fn wrote(&self) {
        self.state().wrote = true;
    }

    /// Whether the other side was asked to echo and has not done so.
    pub(crate) fn waits(&self) -> bool {
        self.state().asked.is_some()
    }

    /// The other side echoed: everything written before it was asked has arrived.
    pub(crate) fn answered(&self) {
        self.state().asked = None;
    }

    /// To be called at regular intervals. `heard`: a frame came since the last look; `busy`: the
    /// writers are getting rid of what is queued, if slowly.
    pub(crate) fn look(&self, heard: bool, busy: bool) -> Verdict {
        let mut state = self.state();
        let Some(asked) = &mut state.asked else {
            if !state.wrote {
                return Verdict::Fine;
            }
            *state = State {
                wrote: false,
                asked: Some(Asked::default()),
            };
            return Verdict::Ask;
        };
        asked.heard += u8::from(heard && !busy);
        asked.silent = if heard { 0 } else { asked.silent + 1 };
        if asked.heard >= HEARD_MAX {
            *asked = Asked::default();
            Verdict::Stuck
        } else if asked.silent >= SILENT_MAX {
            asked.silent = SILENT_MAX - 1;
            Verdict::Silent
        } else {
            Verdict::Fine
        }
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
    fn who_is_not_heard_either_is_tried_on_another_way() {
        let echo = asked();
        assert_eq!(echo.look(false, false), Verdict::Fine);
        assert_eq!(echo.look(false, false), Verdict::Fine);
        assert_eq!(echo.look(false, false), Verdict::Silent);
        assert_eq!(echo.look(false, false), Verdict::Silent);
        assert_eq!(echo.look(true, true), Verdict::Fine);
        assert_eq!(echo.look(false, false), Verdict::Fine);
    }

    #[test]
    fn a_slow_link_is_not_stuck() {
        let echo = asked();
        for _ in 0..1_000 {
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
