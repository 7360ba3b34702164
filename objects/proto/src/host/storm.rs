//! When many members vanish at once, whoever is left changes few replica sets at a time.
//!
//! Much of what vanished may be back in a moment, after a cut or a power failure, and whole states
//! shipped by everybody at once would slow down the calls that still get through. Takeovers are
//! not held: they ship what the set has already, and a majority of it decides.

use overlay_proto::member::MemberState;
use overlay_proto::view::Member;
use overlay_proto::{Duration, Instant};

use super::Host;

/// Members that vanished within this time count as one storm.
const WINDOW: Duration = Duration::from_secs(10);
/// Repairs are paced for so long after the storm last grew.
const HOLD: Duration = Duration::from_secs(30);
/// Fewer than so many are no storm (design: max(5, 20 % of the view)).
const MEMBERS_MIN: usize = 5;
/// The share of the view that makes one, as its divisor.
const SHARE: usize = 5;
/// The share of the replica sets that are changed at a time meanwhile, as its divisor.
const PACE: usize = 8;

/// How the size of the view went.
#[derive(Debug, Default)]
pub(super) struct Storm {
    /// Most members in the present window.
    peak: usize,
    since: Instant,
    until: Instant,
}

impl Storm {
    pub(super) fn on_view(&mut self, now: Instant, members: usize) {
        if now.since(self.since) >= WINDOW {
            self.since = now;
            self.peak = members;
        }
        self.peak = self.peak.max(members);
        if self.peak - members >= makes_storm(self.peak) {
            self.until = now + HOLD;
        }
    }
}

/// How many of so many members make a storm.
fn makes_storm(members: usize) -> usize {
    MEMBERS_MIN.max(members.div_ceil(SHARE))
}

impl Host {
    /// Whether many members have vanished at once lately.
    pub(super) fn is_stormy(&self, now: Instant) -> bool {
        now < self.storm.until
    }

    /// Whether so many are suspected now that more may vanish, or the network is to blame.
    pub(super) fn suspects_many(&self) -> bool {
        let members = self.view.members();
        let suspect = |member: &&Member| member.state == MemberState::Suspect;
        let suspects = members.iter().filter(suspect).count();
        suspects >= makes_storm(members.len())
    }

    /// How many replica sets may be changed at a time.
    pub(super) fn repairs_at_once(&self, now: Instant) -> usize {
        let limit = self.config.limits.repairs;
        if self.is_stormy(now) {
            limit.div_ceil(PACE)
        } else {
            limit
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(100 + seconds)
    }

    #[test]
    fn many_losses_within_seconds_are_a_storm_and_slow_ones_are_not() {
        let mut storm = Storm::default();
        storm.on_view(at(0), 20);
        storm.on_view(at(1), 16);
        assert!(storm.until < at(1), "four are too few");
        storm.on_view(at(2), 15);
        assert_eq!(storm.until, at(2) + HOLD);
        let mut slow = Storm::default();
        for lost in 0..15 {
            slow.on_view(at(4 * lost), 20 - usize::try_from(lost).unwrap());
            assert!(slow.until < at(4 * lost));
        }
        let mut large = Storm::default();
        large.on_view(at(0), 1_000);
        large.on_view(at(5), 801);
        assert!(large.until < at(5));
        large.on_view(at(6), 800);
        assert_eq!(large.until, at(6) + HOLD);
    }
}
