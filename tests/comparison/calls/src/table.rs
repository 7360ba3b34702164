//! One table and one plot of everything that was measured.

use std::fs;

use plot::panel::{Axis, Panel, Shape};
use plot::{Kind, Page};
use serde_json::Value;

/// A row: figures that were not taken are not numbers.
struct Row {
    name: String,
    p50: f64,
    p99: f64,
    at_64: f64,
    at_512: f64,
}

/// Prints a table in Markdown, and draws the rates.
pub(crate) fn print(bench: &str, rows: &str, plot: &str) -> Result<(), String> {
    let bench: Value = serde_json::from_str(&read(bench)?).map_err(|error| error.to_string())?;
    let mut all = of_bench(&bench)?;
    for line in read(rows)?.lines() {
        let row: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let number = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
        all.push(Row {
            name: row["name"].as_str().unwrap_or_default().to_owned(),
            p50: number("p50_us"),
            p99: number("p99_us"),
            at_64: number("c64_per_s"),
            at_512: number("c512_per_s"),
        });
    }
    println!("{}\n", bench["machine"].as_str().unwrap_or_default());
    println!("| | alone, p50 µs | p99 µs | calls/s, 64 in flight | 512 in flight |");
    println!("|---|---|---|---|---|");
    for row in &all {
        let Row { name, .. } = row;
        let figures = [row.p50, row.p99, row.at_64, row.at_512].map(text);
        println!("| {name} | {} |", figures.join(" | "));
    }
    let subtitle = bench["machine"].as_str().unwrap_or_default().to_owned();
    fs::write(plot, page(&all, subtitle).render(Kind::Svg))
        .map_err(|error| format!("{plot}: {error}"))
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}

/// The rows that `peer bench` has of the same kind.
fn of_bench(bench: &Value) -> Result<Vec<Row>, String> {
    let table = |title: &str| -> Result<Vec<Value>, String> {
        let tables = bench["tables"].as_array().ok_or("no tables")?;
        let table = tables.iter().find(|table| table["title"] == title);
        let rows = table.and_then(|table| table["rows"].as_array().cloned());
        rows.ok_or_else(|| format!("no table `{title}`"))
    };
    let times = table("one caller alone, us")?;
    let rates = table("calls/s by calls in flight")?;
    let number = |row: &Value, name: &str| row[name].as_f64().unwrap_or(f64::NAN);
    let rows = times.iter().zip(&rates).map(|(times, rates)| Row {
        name: match times["name"].as_str().unwrap_or_default() {
            "bare stream" => "bare libp2p stream".to_owned(),
            name => format!("**PyDO, {name}**"),
        },
        p50: number(times, "p50"),
        p99: number(times, "p99"),
        at_64: number(rates, "64"),
        at_512: number(rates, "512"),
    });
    Ok(rows.collect())
}

fn text(figure: f64) -> String {
    if figure.is_finite() {
        format!("{figure:.0}")
    } else {
        "–".to_owned()
    }
}

fn page(rows: &[Row], subtitle: String) -> Page {
    let in_flight = || Axis::new("calls in flight", "").log();
    let mut panel = Panel::new(
        "calls per second",
        in_flight(),
        Axis::new("calls", "1/s").log(),
    );
    for row in rows {
        let rates = [(1.0, 1e6 / row.p50), (64.0, row.at_64), (512.0, row.at_512)];
        let points = rates.into_iter().filter(|(_, rate)| rate.is_finite());
        panel = panel.line(
            row.name.trim_matches('*'),
            Shape::Straight,
            points.collect(),
        );
    }
    Page {
        title: "The same counter elsewhere".to_owned(),
        subtitle,
        panels: vec![panel],
    }
}
