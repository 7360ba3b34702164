//! Where an axis has ticks, and what is written at them.

use crate::panel::{Axis, Scale};

/// An axis fitted to what it shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    low: f64,
    high: f64,
    scale: Scale,
    /// The places of the ticks.
    pub ticks: Vec<f64>,
}

impl Fitted {
    /// Fits an axis to these values, with about `count` ticks. The axis ends at ticks.
    #[must_use]
    pub fn new(axis: &Axis, values: impl Iterator<Item = f64>, count: usize) -> Self {
        let shown = axis.shows.into_iter().flatten();
        let fits = |value: &f64| value.is_finite() && (axis.scale == Scale::Linear || *value > 0.0);
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.chain(shown).filter(fits) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = if axis.scale == Scale::Log {
                (1.0, 10.0)
            } else {
                (0.0, 1.0)
            };
        }
        match axis.scale {
            Scale::Linear => Self::linear(low, high, count),
            Scale::Log => Self::log(low, high),
        }
    }

    fn linear(low: f64, high: f64, count: usize) -> Self {
        let high = if high > low {
            high
        } else {
            low + low.abs().max(1.0)
        };
        let rough = (high - low) / count.max(1) as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let step = steps
            .into_iter()
            .find(|step| *step >= rough * 0.999)
            .unwrap_or(rough);
        let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
        let ticks: Vec<f64> = (0..=(last - first) as u32)
            .map(|number| (first + f64::from(number)) * step)
            .collect();
        Self {
            low: first * step,
            high: last * step,
            scale: Scale::Linear,
            ticks,
        }
    }

    fn log(low: f64, high: f64) -> Self {
        let first = (low.log10() + 1e-9).floor();
        let last = (high.log10() - 1e-9).ceil().max(first + 1.0);
        let decades = (last - first) as i32;
        let ticks = (0..=decades)
            .map(|number| 10_f64.powf(first + f64::from(number)))
            .collect();
        Self {
            low: 10_f64.powf(first),
            high: 10_f64.powf(last),
            scale: Scale::Log,
            ticks,
        }
    }

    /// The same axis, which ends where the values end.
    #[must_use]
    pub fn ending_at(mut self, high: f64) -> Self {
        if self.scale == Scale::Linear && high > self.low {
            self.high = high;
            self.ticks.retain(|tick| *tick <= high * (1.0 + 1e-9));
        }
        self
    }

    /// The place of a value, 0 at the axis's begin and 1 at its end; none if it has none.
    #[must_use]
    pub fn place(&self, value: f64) -> Option<f64> {
        let place = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value / self.low).log10() / (self.high / self.low).log10(),
        };
        place.is_finite().then(|| place.clamp(-0.02, 1.02))
    }
}

/// A number in few characters: thousands and millions by letter.
#[must_use]
pub fn short(value: f64) -> String {
    let size = value.abs();
    let (value, letter) = if size >= 1e9 {
        (value / 1e9, "G")
    } else if size >= 1e6 {
        (value / 1e6, "M")
    } else if size >= 1e4 {
        (value / 1e3, "k")
    } else {
        (value, "")
    };
    let digits = if value == 0.0 {
        0
    } else {
        (2 - value.abs().log10().floor() as i32).clamp(0, 6)
    };
    let text = format!("{value:.*}", digits as usize);
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text}{letter}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_enclose_the_values() {
        let axis = Axis::new("", "");
        for values in [[0.0, 0.97], [3.0, 3.0], [-4.0, 1_234.0], [17.0, 18.0]] {
            let fitted = Fitted::new(&axis, values.into_iter(), 5);
            assert!(fitted.ticks[0] <= values[0], "{fitted:?}");
            assert!(
                fitted.ticks[fitted.ticks.len() - 1] >= values[1],
                "{fitted:?}"
            );
            assert!((2..=8).contains(&fitted.ticks.len()), "{fitted:?}");
        }
        let log = Fitted::new(&axis.log(), [0.0, 3.0, 400.0].into_iter(), 5);
        assert_eq!(log.ticks, [1.0, 10.0, 100.0, 1_000.0]);
        assert_eq!(log.place(0.0), None);
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 0.05, 12.0, 100.0, 2_500.0, 10_000.0, 3.4e6].map(short);
        assert_eq!(shown, ["0", "0.05", "12", "100", "2500", "10k", "3.4M"]);
    }
}
