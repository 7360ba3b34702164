//! What a primary forgets of an object's callers, with the versions that it makes.
//!
//! No replica forgets anything by its own clock: the primary's picks what, and a step tells the
//! others. What is forgotten costs answers and never a second run, because nothing runs under a
//! session that is not known, and that a call ran is remembered longer than what it answered.
//! Calls that a method of another object awaits have no session, so forgetting them rests on an
//! assumption: see [`Expiry::nested_kept`].

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use overlay_proto::{Duration, Instant};

use crate::object::Version;
use crate::register::primary::Primary;
use crate::register::{Env, Expiry};
use crate::session::{
    NESTED_KEPT_MIN, OUTCOME_KEPT_MAX, SESSION_BYTES_MAX, Session, SessionOp, Sessions,
};

/// A primary looks for what to forget each time this part of the shorter period has passed.
const PARTS: u32 = 16;

/// Room that is made at a time, bytes.
const ROOM: usize = 4 * 1024;

/// In a full table, answers are forgotten after this time: whoever asked has the answer by then,
/// or has stopped waiting for it.
const ANSWERS_KEPT: Duration = Duration::from_secs(60);

/// How old versions are, as far as this primary has seen.
#[derive(Clone, Debug)]
pub(crate) struct Ages {
    /// At this time there was this version, oldest first.
    marks: VecDeque<(Instant, Version)>,
    /// When to look for what to forget.
    due: Instant,
}

impl Ages {
    /// A primary that begins now: whatever there is may be new.
    pub(crate) fn new(now: Instant, version: Version) -> Self {
        Self {
            marks: VecDeque::from([(now, version)]),
            due: now,
        }
    }

    /// Marks the time of a version, now and then; whether it was time to.
    fn mark(&mut self, now: Instant, version: Version, expiry: &Expiry) -> bool {
        if now < self.due {
            return false;
        }
        self.due = now + expiry.session_idle.min(expiry.nested_kept) / PARTS;
        self.marks.push_back((now, version));
        let longest = expiry.nested_kept.max(ANSWERS_KEPT);
        while self
            .marks
            .get(1)
            .is_some_and(|(at, _)| now.since(*at) >= longest)
        {
            self.marks.pop_front();
        }
        true
    }

    /// Versions up to this one are at least so old.
    fn older_than(&self, now: Instant, age: Duration) -> Version {
        let old = self.marks.iter().rev();
        let mut old = old.filter(|(at, _)| now.since(*at) >= age);
        old.next()
            .map_or_else(Version::default, |(_, version)| *version)
    }
}

/// What is forgotten with the version after `version`.
pub(crate) fn with_next_version(
    env: &Env<'_>,
    primary: &mut Primary,
    sessions: &Sessions,
    version: Version,
) -> Vec<SessionOp> {
    let due = primary.ages.mark(env.now, version, &env.expiry);
    let enough = sessions
        .is_full()
        .then(|| room(env, primary, sessions))
        .flatten();
    let ops = match enough {
        Some((ops, _)) => ops,
        None if due => not_used(env, primary, sessions),
        None => Vec::new(),
    };
    for op in &ops {
        if let SessionOp::Close(id) = op {
            primary.used.remove(id);
        }
    }
    ops
}

/// What can be forgotten so that there is room for others, and what is left then; `None` if that
/// would not be enough.
pub(crate) fn room(
    env: &Env<'_>,
    primary: &Primary,
    sessions: &Sessions,
) -> Option<(Vec<SessionOp>, Sessions)> {
    let mut left = sessions.clone();
    let mut ops = Vec::new();
    for step in [not_used, large_answers, repeated_calls, answers] {
        for op in step(env, primary, &left) {
            left.apply(&op);
            ops.push(op);
        }
        if left.bytes() + ROOM <= SESSION_BYTES_MAX {
            return Some((ops, left));
        }
    }
    None
}

/// Sessions that were not used for long, and awaited calls that are too old to be repeated.
fn not_used(env: &Env<'_>, primary: &Primary, sessions: &Sessions) -> Vec<SessionOp> {
    let is_idle = |session: &&Session| {
        let id = session.id;
        let used = primary.used.get(&id).copied().unwrap_or(primary.since);
        env.now.since(used) > env.expiry.session_idle && primary.queue.ahead(id) == 0
    };
    let idle = sessions.open.iter().filter(is_idle);
    let closed = idle.map(|session| SessionOp::Close(session.id));
    let until = primary.ages.older_than(env.now, env.expiry.nested_kept);
    let old = sessions.callers.iter().filter(|caller| {
        let oldest = caller.nested.first();
        oldest.is_some_and(|(_, entry)| entry.version <= until)
    });
    let forgotten = old.map(|caller| SessionOp::Forget {
        source: caller.source,
        until,
    });
    closed.chain(forgotten).collect()
}

/// Answers that are kept only while there is room.
fn large_answers(_: &Env<'_>, _: &Primary, _: &Sessions) -> Vec<SessionOp> {
    Vec::from([SessionOp::DropAnswers {
        until: Version(u64::MAX),
        larger_than: OUTCOME_KEPT_MAX as u32,
    }])
}

/// All but the newest awaited calls of each calling object.
fn repeated_calls(_: &Env<'_>, _: &Primary, sessions: &Sessions) -> Vec<SessionOp> {
    let many = sessions.callers.iter().filter_map(|caller| {
        let last = caller.nested.len().checked_sub(NESTED_KEPT_MIN + 1)?;
        Some(SessionOp::Forget {
            source: caller.source,
            until: caller.nested.get(last)?.1.version,
        })
    });
    many.collect()
}

/// Answers that nobody waits for any more.
fn answers(env: &Env<'_>, primary: &Primary, _: &Sessions) -> Vec<SessionOp> {
    Vec::from([SessionOp::DropAnswers {
        until: primary.ages.older_than(env.now, ANSWERS_KEPT),
        larger_than: 0,
    }])
}
