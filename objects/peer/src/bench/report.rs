//! What was measured: tables for people, figures by name for machines, panels to draw.

use plot::panel::Panel;
use plot::{Kind, Page};
use serde_json::{Map, Value, json};

use crate::stdout::say;

/// A table of figures.
#[derive(Clone, Debug)]
pub(super) struct Table {
    title: String,
    columns: Vec<String>,
    rows: Vec<(String, Vec<f64>)>,
}

impl Table {
    pub(super) fn new(title: &str, columns: &[&str]) -> Self {
        Self {
            title: title.to_owned(),
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; a figure that was not taken is not a number.
    pub(super) fn row(&mut self, name: &str, figures: Vec<f64>) {
        self.rows.push((name.to_owned(), figures));
    }

    fn print(&self) {
        let (title, width) = (&self.title, WIDTH);
        let heads: String = (self.columns.iter())
            .map(|column| format!(" {column:>width$}"))
            .collect();
        say!("\n{title:<NAMES$}{heads}");
        for (name, figures) in &self.rows {
            let figures: String = (figures.iter())
                .map(|figure| format!(" {:>width$}", text(*figure)))
                .collect();
            say!("{name:<NAMES$}{figures}");
        }
    }

    fn json(&self) -> Value {
        let rows = self.rows.iter().map(|(name, figures)| {
            let figures = self.columns.iter().zip(figures);
            let mut row: Map<String, Value> = figures
                .map(|(column, figure)| (column.clone(), json!(figure)))
                .collect();
            row.insert("name".to_owned(), json!(name));
            Value::Object(row)
        });
        json!({ "title": self.title, "rows": rows.collect::<Vec<_>>() })
    }
}

const NAMES: usize = 34;
const WIDTH: usize = 11;

/// A figure with three digits that matter, at least.
fn text(figure: f64) -> String {
    match figure {
        figure if !figure.is_finite() => "-".to_owned(),
        figure if figure >= 100.0 => format!("{figure:.0}"),
        figure if figure >= 10.0 => format!("{figure:.1}"),
        figure => format!("{figure:.2}"),
    }
}

/// Everything of one run.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    tables: Vec<Table>,
    figures: Vec<(&'static str, f64)>,
    panels: Vec<Panel>,
}

impl Report {
    /// Adds a table.
    pub(super) fn table(&mut self, table: Table) {
        self.tables.push(table);
    }

    /// Adds a figure that a goal is set for.
    pub(super) fn figure(&mut self, name: &'static str, value: f64) {
        self.figures.push((name, value));
    }

    /// Adds a panel.
    pub(super) fn panel(&mut self, panel: Panel) {
        self.panels.push(panel);
    }

    /// Prints all of it for people.
    pub(super) fn print(&self) {
        say!("{}", machine());
        self.tables.iter().for_each(Table::print);
        say!();
        for (name, value) in &self.figures {
            let goal = GOALS.iter().find(|(goal, _)| goal == name);
            let goal = goal.map_or("", |(_, goal)| goal);
            say!("{name:<NAMES$} {:>WIDTH$}  {goal}", text(*value));
        }
    }

    /// The same for machines.
    pub(super) fn json(&self) -> Value {
        let figures = self.figures.iter();
        let figures: Map<String, Value> = figures
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        let tables: Vec<Value> = self.tables.iter().map(Table::json).collect();
        json!({ "machine": machine(), "tables": tables, "bench": figures })
    }

    /// The panels as one picture.
    pub(super) fn draw(&self, kind: Kind) -> String {
        let page = Page {
            title: "peer bench".to_owned(),
            subtitle: machine(),
            panels: self.panels.clone(),
        };
        page.render(kind)
    }
}

/// What is to be reached.
const GOALS: [(&str, &str); 11] = [
    ("call_f1_p50_ratio", "x a bare stream; goal <= 1.3"),
    ("call_f1_c64_ratio", "x a bare stream; goal >= 0.6"),
    ("call_f1_c64_per_s", "calls/s; goal >= 10 x kameo"),
    ("write_f3_p50_ratio", "x factor 1; goal <= 2.2"),
    ("write_f3_c64_per_s", "calls/s; goal >= 60000"),
    ("write_f3_hot_per_s", "calls/s; goal >= 60000"),
    ("create_f3_per_s", "objects/s; goal >= 20000"),
    ("small_beside_bulk_p99_ratio", "x without; goal <= 5"),
    ("idle_object_bytes", "bytes a replica; goal <= 600"),
    ("takeover_100k_s", "s until all answer; goal <= 5"),
    ("takeover_live_p99_ratio", "x before; goal <= 10"),
];

/// Where and how this was measured.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "optimised"
    };
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = (processor.lines())
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("", |name| name.trim_start_matches([' ', '\t', ':']));
    format!(
        "{} {}, {cores} cores, {processor}, {build} build, loopback",
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}
