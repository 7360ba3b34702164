//! What published formulas say of the membership protocol, to hold the simulator against.

use overlay_proto::config::MembershipConfig;
use overlay_proto::{Duration, Message};

use crate::traffic::ENVELOPE_BYTES;

/// Mean time from a silent crash until a member drops the crashed one, if links are much faster
/// than the shortest time to wait for an answer.
///
/// The first of `rings` observers with probes at random phases sends its next one after
/// `period / (rings + 1)` on the mean: the least of as many uniform times (SWIM, Das et al., DSN
/// 2002, 3.1, and reliability research 2.3, with one vote: whoever hears of a suspicion probes
/// at once, so the other votes come within the life of the suspicion). Then a direct probe, an
/// indirect one of twice its time, the batch of gossip and the shortest life of a suspicion
/// (Lifeguard, Dadgar et al., DSN 2018) pass. A deadline is looked at each tick: half a tick
/// late.
#[must_use]
pub fn detection(config: &MembershipConfig) -> Duration {
    let observers = u32::try_from(config.rings).unwrap_or(u32::MAX);
    let first_probe = config.probe_period / (observers.saturating_add(1));
    let answers = config.probe_timeout_min * 3;
    first_probe + answers + config.gossip_batch + config.suspicion_min + config.tick / 2
}

/// Mean share of the entries of a view whose processes are gone: members that stay `session` on
/// the mean are replaced at the rate of one in `session` each, and each stays in the view for
/// `detection` (Little, Operations Research 9(3), 1961).
#[must_use]
pub fn stale_share(detection: Duration, session: Duration) -> f64 {
    detection.as_secs_f64() / session.as_secs_f64()
}

/// Bytes a second that an idle member sends on the mean, envelopes included: it probes one
/// member on each ring and answers as many, and compares its view with one member each period of
/// anti-entropy (reliability research 2.3). Independent of the number of members.
#[must_use]
pub fn idle_bytes_per_second(config: &MembershipConfig) -> f64 {
    let sent = |message: Message| (message.encode().len() as u64 + ENVELOPE_BYTES) as f64;
    let nonce = u64::MAX / 2;
    let probe = Message::Probe {
        nonce,
        suspected: None,
    };
    let edge = sent(probe) + sent(Message::Ack { nonce });
    let probes = config.rings as f64 * edge / config.probe_period.as_secs_f64();
    let digest = overlay_proto::message::Digest {
        count: 1_000,
        xor: u64::MAX / 2,
    };
    let sync = Message::Sync {
        digest,
        cluster: None,
    };
    probes + sent(sync) / config.sync_period.as_secs_f64()
}
