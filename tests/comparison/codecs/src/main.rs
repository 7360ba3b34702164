//! Time for a growing number of method calls under each codec: the paper's figure 2, redone.
//!
//! `cargo run --release -p codecs -- FOLDER` writes `codecs.csv` and `codecs.svg` there. A call
//! encodes its request, decodes it, runs the method, encodes the result and decodes that: what a
//! caller and a host do, without a network between them.

mod codec;
mod python;

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Instant;

use plot::panel::{Axis, Panel, Shape};
use plot::{Kind, Page};
use serde::{Deserialize, Serialize};

use codec::{CODECS, Codec};

/// Numbers of calls that are timed.
const CALLS: [usize; 5] = [1_000, 2_000, 5_000, 10_000, 20_000];
/// Each is timed so often; the middle one counts.
const ROUNDS: usize = 3;

/// A call of `Inventory::add`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Request {
    object: (u64, u64),
    method: String,
    count: u64,
    item: String,
    prices: Vec<f64>,
}

impl Request {
    fn sample() -> Self {
        Self {
            object: (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210),
            method: "add".to_owned(),
            count: 3,
            item: "sixteen letters.".to_owned(),
            prices: (1..=8).map(|price| f64::from(price) * 1.25).collect(),
        }
    }
}

/// The object that is called.
#[derive(Default)]
struct Inventory {
    items: u64,
    worth: f64,
}

impl Inventory {
    fn add(&mut self, request: &Request) -> (u64, f64) {
        self.items += request.count;
        self.worth += request.prices.iter().sum::<f64>();
        (self.items, self.worth)
    }
}

fn main() -> Result<(), String> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let folder = PathBuf::from(folder);
    let mut lines: Vec<(String, Vec<(f64, f64)>)> = CODECS
        .iter()
        .map(|codec| (codec.name.to_owned(), timed(codec)))
        .collect();
    match python::timed(&CALLS, ROUNDS) {
        Ok(python) => lines.extend(python),
        Err(why) => eprintln!("left out: Python's codecs: {why}"),
    }
    let csv = csv(&lines);
    print!("{csv}");
    let page = page(lines);
    for (name, text) in [("codecs.csv", csv), ("codecs.svg", page.render(Kind::Svg))] {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// Milliseconds for each number of calls.
fn timed(codec: &Codec) -> Vec<(f64, f64)> {
    eprintln!("timing {}", codec.name);
    CALLS
        .iter()
        .map(|calls| {
            let mut times: Vec<f64> = (0..ROUNDS).map(|_| run(codec, *calls)).collect();
            times.sort_by(f64::total_cmp);
            (*calls as f64, times[ROUNDS / 2])
        })
        .collect()
}

fn run(codec: &Codec, calls: usize) -> f64 {
    let (request, mut object) = (Request::sample(), Inventory::default());
    let began = Instant::now();
    for _ in 0..calls {
        let received = (codec.decode_request)(&(codec.encode_request)(&request));
        let result = object.add(&received);
        let answered = (codec.decode_result)(&(codec.encode_result)(&result));
        std::hint::black_box(answered);
    }
    began.elapsed().as_secs_f64() * 1e3
}

fn csv(lines: &[(String, Vec<(f64, f64)>)]) -> String {
    let mut csv = String::from("codec,calls,milliseconds\n");
    for (name, points) in lines {
        for (calls, milliseconds) in points {
            let _ = writeln!(csv, "{name},{calls},{milliseconds:.3}");
        }
    }
    csv
}

fn page(lines: Vec<(String, Vec<(f64, f64)>)>) -> Page {
    let mut panel = Panel::new(
        "time for method calls under each codec",
        Axis::new("calls", ""),
        Axis::new("time", "ms").log(),
    );
    let mut each = Panel::new(
        "a call",
        Axis::new("calls", "").log(),
        Axis::new("time", "us").log(),
    );
    for (name, points) in lines {
        let per_call = points.iter().map(|(calls, ms)| (*calls, ms / calls * 1e3));
        each = each.line(&name, Shape::Straight, per_call.collect());
        panel = panel.line(&name, Shape::Straight, points);
    }
    Page {
        title: "Codecs".to_owned(),
        subtitle: "the same object and arguments; one thread, no network".to_owned(),
        panels: vec![panel, each],
    }
}
