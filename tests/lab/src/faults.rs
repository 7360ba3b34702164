//! The faults: what is drawn, and how it happens to real processes on a real network.

use std::time::Duration;

use rustix::process::Signal;
use simulations::seed::Dice;

use crate::field::{Field, HOME, PATIENCE};
use crate::history::now;
use crate::task::Task;
use crate::weather::Way;

/// Shortest and longest fault that ends by itself, milliseconds.
const HOLDS_MS: [u64; 2] = [1_500, 4_500];
/// How often a fault comes with bad weather.
const BAD_WEATHER: f64 = 0.35;
/// How often it strikes the primary of some object, not just anybody.
const AIMED: f64 = 0.75;

/// What happens to one peer, or to some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// SIGKILL; another process starts there afterwards.
    Kill,
    /// SIGSTOP, later SIGCONT.
    Stop,
    /// It and all others are cut off from each other.
    Cut,
    /// What it sends is lost.
    Mute,
    /// What is sent to it is lost.
    Deaf,
    /// Two or three peers are cut off from the others.
    Split,
    /// It hands over and leaves; another process starts there afterwards.
    Leave,
    /// Every frame takes its time, and some overtake others.
    Slow,
    /// Some frames are lost everywhere.
    Lossy,
}

/// A fault that happened.
#[derive(Clone, Debug)]
pub(crate) struct Happened {
    pub(crate) fault: Fault,
    /// When, as histories tell the time.
    pub(crate) at: u64,
    /// Objects whose primary it struck.
    pub(crate) primaries: Vec<usize>,
    /// What the network was like.
    pub(crate) weather: Way,
}

impl Fault {
    /// Its name in reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Cut => "cut",
            Self::Mute => "mute",
            Self::Deaf => "deaf",
            Self::Split => "split",
            Self::Leave => "leave",
            Self::Slow => "slow",
            Self::Lossy => "lossy",
        }
    }

    /// The next fault.
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        const LIKELY: [Fault; 12] = [
            Fault::Kill,
            Fault::Kill,
            Fault::Kill,
            Fault::Stop,
            Fault::Stop,
            Fault::Stop,
            Fault::Cut,
            Fault::Cut,
            Fault::Mute,
            Fault::Deaf,
            Fault::Split,
            Fault::Leave,
        ];
        dice.pick(&LIKELY).copied().unwrap_or(Self::Stop)
    }
}

impl Field {
    /// Lets a fault happen, and ends it.
    ///
    /// # Errors
    /// In words, if a peer does not start again.
    pub(crate) async fn carry_out(&mut self, fault: Fault) -> Result<(), String> {
        if matches!(fault, Fault::Kill | Fault::Leave) {
            self.whole_again().await;
        }
        let weather = if self.dice.chance(BAD_WEATHER) {
            self.bad_weather()
        } else {
            Way::default()
        };
        let (host, primaries) = self.aim().await;
        let [low, high] = HOLDS_MS;
        let hold = Duration::from_millis(self.dice.between(low, high));
        self.faults.push(Happened {
            fault,
            at: now(),
            primaries,
            weather,
        });
        match fault {
            Fault::Kill => self.kill(host).await?,
            Fault::Leave => self.send_away(host).await?,
            Fault::Stop => {
                self.signal(host, Signal::STOP);
                tokio::time::sleep(hold).await;
                self.signal(host, Signal::CONT);
            }
            _ => {
                let ways = self.ways(fault, host);
                self.cut(&ways, true);
                tokio::time::sleep(hold).await;
                self.cut(&ways, false);
            }
        }
        self.switch
            .weather(|weather| weather.become_like(Way::default()));
        Ok(())
    }

    /// No fault any more, and everything whole.
    ///
    /// # Errors
    /// None at present.
    pub(crate) async fn calm(&mut self) -> Result<(), String> {
        self.switch
            .weather(|weather| weather.become_like(Way::default()));
        self.whole_again().await;
        Ok(())
    }

    /// The host to strike, and the objects whose primary is there.
    async fn aim(&mut self) -> (usize, Vec<usize>) {
        let places = self.places().await;
        let primaries: Vec<Option<usize>> = places
            .iter()
            .map(|place| {
                let name = &place.as_ref()?.primary;
                Some(self.living().find(|peer| peer.name == *name)?.host)
            })
            .collect();
        let aimed: Vec<usize> = primaries.iter().flatten().copied().collect();
        let anybody: Vec<usize> = self.living().map(|peer| peer.host).collect();
        let among = if self.dice.chance(AIMED) {
            &aimed
        } else {
            &anybody
        };
        let host = self.dice.pick(among).or(anybody.first()).copied();
        let host = host.unwrap_or(HOME + 1);
        let struck = primaries.iter().enumerate();
        let struck = struck.filter(|(_, primary)| **primary == Some(host));
        (host, struck.map(|(object, _)| object).collect())
    }

    fn bad_weather(&mut self) -> Way {
        let slow = self.dice.chance(0.6);
        let millis = |dice: &mut Dice, high| Duration::from_millis(dice.between(1, high));
        let (fault, way) = if slow {
            let delay = millis(&mut self.dice, 20);
            let jitter = millis(&mut self.dice, 60);
            let way = Way {
                delay,
                jitter,
                ..Way::default()
            };
            (Fault::Slow, way)
        } else {
            let loss = 0.01 + 0.09 * self.dice.unit();
            let way = Way {
                loss,
                ..Way::default()
            };
            (Fault::Lossy, way)
        };
        self.switch.weather(|weather| weather.become_like(way));
        self.faults.push(Happened {
            fault,
            at: now(),
            primaries: Vec::new(),
            weather: way,
        });
        way
    }

    async fn kill(&mut self, host: usize) -> Result<(), String> {
        self.signal(host, Signal::KILL);
        if let Some(mut peer) = self.peers[host - 1].take() {
            peer.ended(PATIENCE).await;
        }
        let at_once = self.dice.chance(0.5);
        if at_once {
            self.revive(host).await?;
        }
        self.whole_again().await;
        if at_once {
            Ok(())
        } else {
            self.revive(host).await
        }
    }

    async fn send_away(&mut self, host: usize) -> Result<(), String> {
        if let Some(mut peer) = self.peers[host - 1].take() {
            if peer.ask(&Task::Leave, PATIENCE).await.is_none() {
                let words = format!("every_call_ends: {} does not leave", peer.name);
                self.violations.push(words);
            }
            peer.ended(PATIENCE).await;
        }
        self.revive(host).await
    }

    fn signal(&self, host: usize, signal: Signal) {
        if let Some(peer) = &self.peers[host - 1] {
            peer.signal(signal);
        }
    }

    /// The ways that a fault cuts.
    fn ways(&mut self, fault: Fault, host: usize) -> Vec<(usize, usize)> {
        let ports = self.switch.ports();
        let mut island = vec![host];
        if fault == Fault::Split {
            let mut others: Vec<usize> = (HOME + 1..ports).filter(|port| *port != host).collect();
            self.dice.shuffle(&mut others);
            let more = self.dice.between(1, 2) as usize;
            island.extend(others.into_iter().take(more));
        }
        let outside = (0..ports).filter(|port| !island.contains(port));
        let pairs = outside.flat_map(|other| island.iter().map(move |inside| (*inside, other)));
        pairs
            .flat_map(|(inside, other)| match fault {
                Fault::Mute => vec![(inside, other)],
                Fault::Deaf => vec![(other, inside)],
                _ => vec![(inside, other), (other, inside)],
            })
            .collect()
    }

    fn cut(&self, ways: &[(usize, usize)], cut: bool) {
        self.switch.weather(|weather| {
            for (from, to) in ways {
                weather.cut(*from, *to, cut);
            }
        });
    }
}
