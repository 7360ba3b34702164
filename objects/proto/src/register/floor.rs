//! The install floor: what a process may have left and forgotten, it never enters again.
//!
//! A host publishes a stamp, and whoever names it in a replica set names the stamp that it saw.
//! The host forgets a tombstone only together with raising its floor above the stamp that it
//! published when the replica ended, so that every membership which that tombstone refused has a
//! stamp below the floor. No clock is involved: a set that is named after the raise carries the
//! newer stamp, and one that was named before it is refused, however late it comes.

use overlay_proto::ProcessId;

use crate::message::{Change, RegisterMessage};
use crate::object::{Configuration, ObjectId, Replica as Member};
use crate::register::{Effects, Env, Mutation, Replica, Tombstone};

impl Replica {
    /// Whether this process may become a member of `configuration`, of an epoch after its own.
    ///
    /// Below the floor only a membership goes on that cannot have been left: a member's record
    /// of an older epoch shows that, for it could not have been made after the epochs above it
    /// were left; and a learner's if it was issued the very stamp that the configuration names.
    pub(super) fn may_enter(&self, env: &Env<'_>, configuration: &Configuration) -> bool {
        let record = &self.record;
        stamp_of(configuration, env).is_none_or(|stamp| {
            record.index.is_some() || record.stamp == stamp || is_above(env, stamp)
        })
    }

    /// Answers who names a membership that may have been left. Whether it did.
    pub(super) fn refuses_entry(
        &self,
        env: &Env<'_>,
        from: ProcessId,
        configuration: &Configuration,
        fx: &mut Effects,
    ) -> bool {
        let refused = !self.may_enter(env, configuration);
        if refused {
            fx.register(from, self.object, refusal(env, configuration));
        }
        refused
    }
}

/// Answers a message that would make a record here, if the membership that it names may have
/// been left. Whether it did. A member's tombstone of an older epoch shows that it was not.
pub(super) fn refuses_anew(
    env: &Env<'_>,
    (object, from): (ObjectId, ProcessId),
    message: &RegisterMessage,
    tombstone: Option<&Tombstone>,
    fx: &mut Effects,
) -> bool {
    let (RegisterMessage::Prepare { configuration, .. }
    | RegisterMessage::Accept {
        change: Change::Full { configuration, .. },
        ..
    }) = message
    else {
        return false;
    };
    let stamp = stamp_of(configuration, env).filter(|stamp| !is_above(env, *stamp));
    let refused = stamp.is_some() && !tombstone.is_some_and(|tombstone| tombstone.member);
    if refused {
        fx.register(from, object, refusal(env, configuration));
    }
    refused
}

/// The stamp of this process, as the configuration has it; `None` if it is not named.
pub(super) fn stamp_of(configuration: &Configuration, env: &Env<'_>) -> Option<u64> {
    let mine = |member: &&Member| member.process == env.me;
    let member = configuration.members.iter().find(mine);
    member.map(|member| member.stamp)
}

fn is_above(env: &Env<'_>, stamp: u64) -> bool {
    stamp >= env.floor || env.mutation == Some(Mutation::FloorIgnored)
}

fn refusal(env: &Env<'_>, configuration: &Configuration) -> RegisterMessage {
    RegisterMessage::Forgotten {
        epoch: configuration.epoch,
        stamp: env.stamp,
    }
}
