//! What a plot shows of the calls: how long they took, and how many were served at all.

use overlay_proto::Duration;

use super::Register;
use super::tracked::Tracked;
use crate::oracle::Class;
use crate::panels::time_axis;
use plot::panel::{Axis, Panel, Shape};

/// Calls made within this time share a point of the availability.
const TOGETHER: u64 = 3;

/// A call that has an end.
struct Ended {
    /// Seconds since the start of the world.
    invoked: f64,
    took: Duration,
    answered: bool,
}

impl Register {
    /// The panels of the calls.
    #[must_use]
    pub fn panels(&self) -> Vec<Panel> {
        of_calls(&self.objects)
    }
}

/// How many of the calls on these objects were served over time, and how long they took.
pub(crate) fn of_calls(objects: &[Tracked]) -> Vec<Panel> {
    let calls = objects.iter().flat_map(|object| object.history.calls());
    let ended: Vec<Ended> = calls
        .filter_map(|call| {
            let end = call.end.as_ref()?;
            Some(Ended {
                invoked: call.invoked.as_micros() as f64 / 1e6,
                took: end.at.since(call.invoked),
                answered: matches!(end.class, Class::Ok(_) | Class::Failed),
            })
        })
        .collect();
    let answered = ended.iter().filter(|call| call.answered);
    let times = answered.map(|call| call.took.as_secs_f64() * 1_000.0);
    let axis = Axis::new("from the call to its answer", "ms").log();
    vec![
        availability(&ended),
        Panel::cdf("Time of calls that were answered", axis, times.collect()),
    ]
}

/// Of the calls made at about one time, the share that was answered soon, or late.
fn availability(calls: &[Ended]) -> Panel {
    let last = calls.iter().map(|call| call.invoked).fold(0.0, f64::max);
    let (axis, unit) = time_axis(last);
    let y = Axis::new("share of the calls made", "").showing(0.0, 1.0);
    let mut panel = Panel::new("Availability", axis.showing(0.0, 0.0), y);
    for (name, seconds) in [("answered within 1 s", 1), ("within 10 s", 10)] {
        let mut points = Vec::new();
        for number in 0..=last as u64 / TOGETHER {
            let made: Vec<&Ended> = calls
                .iter()
                .filter(|call| call.invoked as u64 / TOGETHER == number)
                .collect();
            let within = Duration::from_secs(seconds);
            let served = made
                .iter()
                .filter(|call| call.answered && call.took <= within);
            let share = served.count() as f64 / made.len() as f64;
            if share.is_finite() {
                points.push((
                    ((number * TOGETHER) as f64 + TOGETHER as f64 / 2.0) / unit,
                    share,
                ));
            }
        }
        panel = panel.line(name, Shape::Straight, points);
    }
    panel
}
