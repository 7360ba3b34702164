//! What becomes of a frame on its way from one port to another.

use std::fmt;
use std::time::Duration;

/// The way from one port to another.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Way {
    /// Nothing arrives.
    pub(crate) cut: bool,
    /// Share of the frames that are lost.
    pub(crate) loss: f64,
    /// Shortest time on the way.
    pub(crate) delay: Duration,
    /// Up to so much more, drawn for each frame: a later one may overtake.
    pub(crate) jitter: Duration,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cut {
            return f.write_str("cut");
        }
        if *self == Self::default() {
            return f.write_str("quiet");
        }
        let (delay, jitter) = (self.delay.as_millis(), self.jitter.as_millis());
        let loss = self.loss * 100.0;
        write!(f, "{delay} ms and up to {jitter} more, {loss:.0} % lost")
    }
}

/// All ways of a network.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    ports: usize,
    ways: Vec<Way>,
}

impl Weather {
    /// A quiet network of so many ports.
    pub(crate) fn quiet(ports: usize) -> Self {
        Self {
            ports,
            ways: vec![Way::default(); ports * ports],
        }
    }

    pub(crate) fn way(&self, from: usize, to: usize) -> Way {
        let way = self.ways.get(from * self.ports + to);
        way.copied().unwrap_or_default()
    }

    /// Cuts the way from one port to another, or mends it.
    pub(crate) fn cut(&mut self, from: usize, to: usize, cut: bool) {
        if let Some(way) = self.ways.get_mut(from * self.ports + to) {
            way.cut = cut;
        }
    }

    /// Frames are lost and delayed like this everywhere from now on; cuts stay.
    pub(crate) fn become_like(&mut self, like: Way) {
        for way in &mut self.ways {
            *way = Way {
                cut: way.cut,
                ..like
            };
        }
    }
}
