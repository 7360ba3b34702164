//! What a history must show of an object's final log: the ids of the writes that took effect, in
//! order. Each promise is an invariant of its own.

use crate::invariants::{acknowledged_never_lost, one_effect_per_call, order_per_handle};
use crate::oracle::{Anomaly, Call, CallId, Class, History};

impl<O, R> History<O, R> {
    /// Checks the object's final `log`.
    ///
    /// # Errors
    /// The first promise found broken.
    pub fn check_effects(&self, log: &[CallId]) -> Result<(), Anomaly> {
        let places = one_effect_per_call::check(self, log, |_| false)?;
        acknowledged_never_lost::check(self, &places)?;
        order_per_handle::check(self, &places)
    }

    /// Checks the log of the line that survived, where others were discarded. A call that `ran
    /// in several` processes may have failed in one line, as its caller was told, and have its
    /// effect in the other.
    ///
    /// # Errors
    /// The first promise found broken.
    pub fn check_line(
        &self,
        log: &[CallId],
        ran_in_several: impl Fn(CallId) -> bool,
    ) -> Result<(), Anomaly> {
        let failed = |call: &Call<O, R>| {
            let end = call.end.as_ref();
            end.is_some_and(|end| matches!(end.class, Class::Failed))
        };
        let excused = |call: &Call<O, R>| failed(call) && ran_in_several(call.id);
        let places = one_effect_per_call::check(self, log, excused)?;
        order_per_handle::check(self, &places)
    }
}

#[cfg(test)]
mod tests {
    use overlay_proto::Instant;

    use super::*;
    use crate::oracle::End;

    fn history(ends: &[(CallId, u64, Option<Class<u32>>)]) -> History<(), u32> {
        let mut history = History::default();
        for (id, handle, class) in ends {
            history.invoke(Call {
                id: *id,
                handle: *handle,
                operation: (),
                write: true,
                invoked: Instant::ZERO,
                end: None,
            });
            if let Some(class) = class {
                let end = End {
                    at: Instant::ZERO,
                    class: *class,
                    witness: None,
                };
                history.finish(*id, end).unwrap();
            }
        }
        history
    }

    fn broken(history: &History<(), u32>, log: &[CallId]) -> &'static str {
        history.check_effects(log).unwrap_err().property
    }

    #[test]
    fn accepts_what_was_promised() {
        let history = history(&[
            (1, 1, Some(Class::Ok(0))),
            (2, 1, Some(Class::NotExecuted)),
            (3, 2, Some(Class::Indeterminate)),
            (4, 1, Some(Class::Executed)),
            (5, 2, None),
        ]);
        assert_eq!(history.check_effects(&[1, 4]), Ok(()));
        assert_eq!(history.check_effects(&[1, 3, 4, 5]), Ok(()));
        assert_eq!(history.check_effects(&[3, 1, 5, 4]), Ok(()));
    }

    #[test]
    fn catches_a_lost_acknowledged_write() {
        for class in [Class::Ok(1), Class::Executed] {
            let history = history(&[(1, 1, Some(class)), (2, 1, None)]);
            assert_eq!(broken(&history, &[2]), "acknowledged_never_lost");
        }
    }

    #[test]
    fn catches_a_second_effect_a_phantom_and_an_effect_of_a_denied_call() {
        let history = history(&[
            (1, 1, Some(Class::Indeterminate)),
            (2, 1, Some(Class::NotExecuted)),
            (3, 1, Some(Class::Failed)),
        ]);
        for log in [&[1, 1][..], &[9], &[2], &[3]] {
            assert_eq!(broken(&history, log), "one_effect_per_call", "{log:?}");
        }
    }

    #[test]
    fn in_a_line_that_survived_only_what_ran_elsewhere_too_may_have_failed() {
        let history = history(&[
            (1, 1, Some(Class::Failed)),
            (2, 2, Some(Class::NotExecuted)),
        ]);
        assert_eq!(history.check_line(&[1], |call| call == 1), Ok(()));
        assert!(history.check_line(&[1], |_| false).is_err());
        assert!(history.check_line(&[2], |_| true).is_err());
    }

    #[test]
    fn catches_calls_of_one_handle_out_of_order() {
        let history = history(&[(1, 7, None), (2, 8, None), (3, 7, None)]);
        assert_eq!(history.check_effects(&[2, 1, 3]), Ok(()));
        assert_eq!(broken(&history, &[3, 2, 1]), "order_per_handle");
    }
}
