//! Histories that break each promise, and that the judge therefore must not pass.

use objects::{ObjectId, RawRef};

use super::*;
use crate::task::Role;

fn thing(role: Role) -> Thing {
    Thing {
        role,
        reference: RawRef::bare(ObjectId(1), "any"),
    }
}

/// Calls of one handle, one after the other: what, and how it ended.
fn lines(calls: &[(What, Class)]) -> Vec<Line> {
    let mut lines = Vec::new();
    for (id, (what, class)) in (1..).zip(calls) {
        lines.push(Line::Begun {
            id,
            object: 0,
            handle: 1,
            what: *what,
            at: id * 10,
        });
        lines.push(Line::Ended {
            id,
            at: id * 10 + 5,
            class: *class,
            witness: None,
        });
    }
    lines
}

fn broken(role: Role, audit: Audit, calls: &[(What, Class)]) -> String {
    let (_, broken) = check(&[thing(role)], &[audit], &lines(calls));
    broken.join("; ")
}

#[test]
fn a_log_that_lost_repeated_or_turned_back_is_noticed() {
    let first = chain(0, 1);
    let appended = |count, hash| (What::Write, Class::Returned(count, hash));
    let good = [appended(1, first), (What::Read, Class::Returned(1, first))];
    let judged = |log: &[u64], calls: &[_]| broken(Role::Log, Audit::Entries(log.into()), calls);
    assert_eq!(judged(&[1], &good), "");
    assert!(judged(&[], &good).contains("acknowledged_never_lost"));
    assert!(judged(&[1, 1], &good).contains("one_effect_per_call"));
    let stale = [appended(1, first), (What::Read, Class::Returned(0, 0))];
    assert!(judged(&[1], &stale).contains("no_stale_read"));
}

#[test]
fn a_counter_that_lost_repeated_or_turned_back_is_noticed() {
    let raised = |number| (What::Write, Class::Returned(number, 0));
    let judged = |count, calls: &[_]| broken(Role::Counter, Audit::Count(count), calls);
    let unknown = (What::Write, Class::Indeterminate);
    assert_eq!(judged(3, &[raised(1), unknown, raised(3)]), "");
    assert_eq!(judged(2, &[raised(1), unknown, raised(2)]), "");
    assert!(judged(1, &[raised(1), raised(2)]).contains("acknowledged_never_lost"));
    assert!(judged(2, &[raised(1), raised(1)]).contains("one_effect_per_call"));
    let stale = [raised(1), raised(2), (What::Read, Class::Returned(1, 0))];
    assert!(judged(2, &stale).contains("no_stale_read"));
}

#[test]
fn money_that_is_lost_or_made_is_noticed() {
    let moved = |amount| {
        let what = What::Transfer { amount, to: 1 };
        (what, Class::Returned(0, 0))
    };
    let judged = |balance, sent, received, calls: &[_]| {
        let audit = Audit::Statement(balance, sent, received);
        broken(Role::Account, audit, calls)
    };
    assert_eq!(judged(BALANCE, 7, 7, &[moved(7)]), "");
    assert!(judged(BALANCE + 1, 7, 7, &[moved(7)]).contains("results_of_the_model"));
    assert!(judged(BALANCE, 0, 0, &[moved(7)]).contains("acknowledged_never_lost"));
    assert!(judged(BALANCE - 7, 7, 0, &[moved(7)]).contains("outbox_exactly_once"));
}
