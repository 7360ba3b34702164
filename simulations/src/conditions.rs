//! What the network and the clocks are like while nothing is broken.

use overlay_proto::Duration;

use crate::seed::{Dice, micros};

/// One-way latency of a message, without retransmission.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Latency {
    /// Evenly from `low` to `high`.
    Uniform {
        /// Shortest.
        low: Duration,
        /// Longest.
        high: Duration,
    },
    /// `low` plus an exponential part: a short queue on the way.
    Exponential {
        /// Shortest.
        low: Duration,
        /// Mean of the part above it.
        mean: Duration,
    },
    /// Mostly `low` to twice that, at times as long as `high`: a busy scheduler or radio link.
    Spiky {
        /// Shortest.
        low: Duration,
        /// Longest.
        high: Duration,
        /// Share of messages that take evenly up to `high`.
        share: f64,
    },
}

impl Latency {
    /// One draw.
    pub fn draw(&self, dice: &mut Dice) -> Duration {
        match *self {
            Self::Uniform { low, high } => dice.duration(low, high),
            Self::Exponential { low, mean } => low + dice.exponential(mean),
            Self::Spiky { low, high, share } => {
                let top = if dice.chance(share) { high } else { low * 2 };
                dice.duration(low, top)
            }
        }
    }

    /// Draws a distribution: from a quiet LAN to a slow wide-area path.
    pub fn any(dice: &mut Dice) -> Self {
        let low = Duration::from_micros(dice.between(50, 5_000));
        match dice.below(3) {
            0 => Self::Uniform {
                low,
                high: low * dice.between(1, 10) as u32,
            },
            1 => Self::Exponential {
                low,
                mean: low * dice.between(1, 8) as u32,
            },
            _ => Self::Spiky {
                low,
                high: Duration::from_millis(dice.between(20, 300)),
                share: 0.1 * dice.unit(),
            },
        }
    }
}

/// The conditions of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// One-way latency.
    pub latency: Latency,
    /// Share of transmissions lost. On a link loss is delay: what is lost is sent again.
    pub loss: f64,
    /// First retransmission; each further one takes twice as long.
    pub retransmit_after: Duration,
    /// A link whose data stays unacknowledged this long is reset.
    pub link_timeout: Duration,
    /// A dial without an answer is given up after this time.
    pub dial_timeout: Duration,
    /// Timers fire up to this much late.
    pub timer_lateness: Duration,
    /// Clocks run up to this much fast or slow, in parts per million.
    pub drift_ppm: u32,
}

impl Conditions {
    /// A quiet LAN: 0.1 to 0.3 ms one way, nothing lost.
    #[must_use]
    pub const fn lan() -> Self {
        Self {
            latency: Latency::Uniform {
                low: Duration::from_micros(100),
                high: Duration::from_micros(300),
            },
            loss: 0.0,
            retransmit_after: Duration::from_millis(200),
            link_timeout: Duration::from_secs(10),
            dial_timeout: Duration::from_secs(2),
            timer_lateness: Duration::from_millis(1),
            drift_ppm: 50,
        }
    }

    /// Draws every parameter; loss is 0 in a third of the draws, else up to 20 %.
    pub fn any(dice: &mut Dice) -> Self {
        let loss = if dice.chance(0.33) {
            0.0
        } else {
            0.2 * dice.unit() * dice.unit()
        };
        Self {
            latency: Latency::any(dice),
            loss,
            link_timeout: Duration::from_millis(dice.between(3_000, 20_000)),
            dial_timeout: Duration::from_millis(dice.between(1_000, 4_000)),
            timer_lateness: Duration::from_micros(dice.between(0, 20_000)),
            drift_ppm: dice.below(500) as u32,
            ..Self::lan()
        }
    }

    /// The same network after everything was repaired: nothing is lost any more.
    #[must_use]
    pub fn healed(self) -> Self {
        Self { loss: 0.0, ..self }
    }

    /// How long a transmission takes with its retransmissions; `None` if the link gives up.
    pub(crate) fn transmission(&self, dice: &mut Dice) -> Option<Duration> {
        let mut delay = self.latency.draw(dice);
        let mut backoff = self.retransmit_after;
        while dice.chance(self.loss) {
            delay += backoff;
            backoff *= 2;
            if delay > self.link_timeout {
                return None;
            }
        }
        Some(delay)
    }
}

/// A machine's own clock: it starts anywhere and runs a little fast or slow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    offset_micros: u64,
    drift_ppm: i64,
}

impl Clock {
    /// A clock that shows anything up to an hour at world time zero.
    pub fn any(drift_ppm: u32, dice: &mut Dice) -> Self {
        let drift = dice.between(0, 2 * u64::from(drift_ppm)) as i64 - i64::from(drift_ppm);
        Self {
            offset_micros: dice.below(3_600_000_000),
            drift_ppm: drift,
        }
    }

    /// What it shows at this world time.
    #[must_use]
    pub fn shows(&self, world: overlay_proto::Instant) -> overlay_proto::Instant {
        let micros = world.as_micros();
        let drift = micros as i64 / 1_000_000 * self.drift_ppm
            + micros as i64 % 1_000_000 * self.drift_ppm / 1_000_000;
        let local = self
            .offset_micros
            .saturating_add(micros)
            .saturating_add_signed(drift);
        overlay_proto::Instant::from_micros(local)
    }

    /// World time in which it advances by `local`; never less.
    #[must_use]
    pub fn world_time(&self, local: Duration) -> Duration {
        let rate = 1_000_000 + self.drift_ppm;
        let world = i128::from(micros(local)) * 1_000_000 / i128::from(rate);
        Duration::from_micros(u64::try_from(world).unwrap_or(u64::MAX).saturating_add(3))
    }
}

#[cfg(test)]
mod tests {
    use overlay_proto::Instant;

    use super::*;
    use crate::seed::Seed;

    #[test]
    fn a_timer_is_never_early_by_its_own_clock() {
        let mut dice = Seed::new(1).dice();
        for _ in 0..1_000 {
            let clock = Clock::any(500, &mut dice);
            let start = Instant::from_micros(dice.below(10_000_000_000));
            let wait = Duration::from_micros(dice.below(100_000_000));
            let shown = clock
                .shows(start + clock.world_time(wait))
                .since(clock.shows(start));
            assert!(shown >= wait, "{shown:?} < {wait:?}");
            assert!(
                shown < wait + Duration::from_millis(1),
                "{shown:?} > {wait:?}"
            );
        }
    }

    #[test]
    fn loss_becomes_delay_and_at_last_a_reset() {
        let mut dice = Seed::new(2).dice();
        let conditions = Conditions {
            loss: 0.5,
            ..Conditions::lan()
        };
        let draws: Vec<_> = (0..1_000)
            .map(|_| conditions.transmission(&mut dice))
            .collect();
        let delayed = draws
            .iter()
            .flatten()
            .filter(|delay| delay.as_millis() >= 200)
            .count();
        let given_up = draws.iter().filter(|draw| draw.is_none()).count();
        assert!((400..600).contains(&delayed), "{delayed}");
        assert!((1..60).contains(&given_up), "{given_up}");
    }
}
