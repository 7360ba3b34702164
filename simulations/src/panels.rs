//! Panels that every world can show, from what its kernel measures of itself.

use crate::kernel::{Kernel, SimMachine};
use crate::samples::Sample;
use crate::traffic::Protocol;
use plot::panel::{Axis, Mark, Panel, Shape};

/// The name of the axis of time.
const SIMULATED: &str = "simulated time";
/// Rates are means over this part of the time shown.
const RATES_MAX: usize = 120;

/// The axis of simulated time for this many seconds, and the seconds of its unit.
#[must_use]
pub fn time_axis(seconds: f64) -> (Axis, f64) {
    let (unit, length) = match seconds {
        long if long > 10_800.0 => ("h", 3_600.0),
        middle if middle > 600.0 => ("min", 60.0),
        _ => ("s", 1.0),
    };
    (Axis::new(SIMULATED, unit), length)
}

/// Live peers, and bytes by protocol. None if the world has not run.
#[must_use]
pub fn of<M: SimMachine, A>(kernel: &Kernel<M, A>) -> Vec<Panel> {
    let samples = kernel.samples();
    let Some(last) = samples.last() else {
        return Vec::new();
    };
    let (axis, unit) = time_axis(seconds(last));
    vec![
        live(samples, axis.clone(), unit),
        bytes(samples, axis, unit),
    ]
}

/// Marks the heal, so many seconds after the start, in the panels over simulated time.
pub fn mark_heal(panels: &mut [Panel], heal: f64) {
    for panel in panels {
        let unit = match panel.x.unit.as_str() {
            "h" => 3_600.0,
            "min" => 60.0,
            _ => 1.0,
        };
        let last = panel.lines.iter().filter_map(|line| line.points.last());
        let reached = last.map(|(at, _)| *at).fold(0.0, f64::max);
        if panel.x.label == SIMULATED && heal / unit <= reached {
            let at = heal / unit;
            panel.marks.push(Mark {
                at,
                name: "all faults end".to_owned(),
            });
        }
    }
}

fn seconds(sample: &Sample) -> f64 {
    sample.at.as_micros() as f64 / 1e6
}

fn live(samples: &[Sample], axis: Axis, unit: f64) -> Panel {
    let points = samples
        .iter()
        .map(|one| (seconds(one) / unit, f64::from(one.live)));
    let most = samples.iter().map(|one| one.live).max().unwrap_or_default();
    let y = Axis::new("peers that run", "").showing(0.0, f64::from(most));
    Panel::new("Live peers", axis, y).line("live", Shape::Steps, points.collect())
}

fn bytes(samples: &[Sample], axis: Axis, unit: f64) -> Panel {
    let y = Axis::new("sent per peer", "bytes/s")
        .log()
        .showing(1.0, 10.0);
    let mut panel = Panel::new("Bytes per peer by protocol, envelopes included", axis, y);
    let stride = samples.len().div_ceil(RATES_MAX).max(4);
    let ends: Vec<&Sample> = samples.iter().step_by(stride).collect();
    for protocol in Protocol::ALL {
        let place = protocol as usize;
        if samples.last().is_none_or(|last| last.bytes[place] == 0) {
            continue;
        }
        let rates = ends.windows(2).map(|pair| {
            let bytes = (pair[1].bytes[place] - pair[0].bytes[place]) as f64;
            let span = (seconds(pair[1]) - seconds(pair[0])).max(1e-9);
            let peers = f64::from(pair[0].live.max(pair[1].live).max(1));
            let middle = (seconds(pair[0]) + seconds(pair[1])) / 2.0;
            (middle / unit, (bytes / span / peers).max(1.0))
        });
        panel = panel.line(protocol.name(), Shape::Straight, rates.collect());
    }
    panel
}
