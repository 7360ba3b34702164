//! Draws one panel as SVG.

use std::fmt::Write;

use crate::panel::{Axis, Line, Panel, Shape};
use crate::ticks::{Fitted, short};

/// Size of a panel, pixels.
pub const WIDTH: f64 = 520.0;
/// Height of a panel, pixels.
pub const HEIGHT: f64 = 300.0;

const LEFT: f64 = 66.0;
const RIGHT: f64 = 18.0;
const BOTTOM: f64 = 48.0;
const LEGEND_AT: f64 = 42.0;
const LEGEND_ROW: f64 = 16.0;
/// Room for one letter of the legend, in a wide face.
const LETTER: f64 = 7.0;

/// Colours that people with any colour vision tell apart (Okabe & Ito 2008), without the yellow
/// that nobody sees on white; each with its own dashes. Further lines have the same colours with
/// other dashes.
const PENS: &[(&str, &str)] = &[
    ("#0072B2", ""),
    ("#D55E00", ""),
    ("#009E73", ""),
    ("#CC79A7", "7 2"),
    ("#000000", "2 2"),
    ("#E69F00", "7 2"),
    ("#56B4E9", "2 2"),
    ("#666666", "9 3 2 3"),
];

/// The panel as a group of SVG elements, with its upper left corner at this place.
#[must_use]
pub fn draw(panel: &Panel, left: f64, top: f64) -> String {
    let mut lines: Vec<&Line> = panel.lines.iter().collect();
    lines.retain(|line| !line.points.is_empty());
    let (legend, rows) = legend(&lines);
    let points = || lines.iter().flat_map(|line| &line.points);
    let last = points().map(|point| point.0).fold(f64::MIN, f64::max);
    let chart = Chart {
        x: Fitted::new(&panel.x, points().map(|point| point.0), 7).ending_at(last),
        y: Fitted::new(&panel.y, points().map(|point| point.1), 5),
        top: LEGEND_AT + LEGEND_ROW * rows as f64,
    };
    let mut svg = format!("<g transform=\"translate({left} {top})\" class=\"panel\">\n");
    text(&mut svg, (LEFT, 24.0), "title", &panel.title);
    svg.push_str(&legend);
    chart.frame(&mut svg, panel);
    if lines.is_empty() {
        let middle = (LEFT + (WIDTH - LEFT - RIGHT) / 2.0, HEIGHT / 2.0);
        text(
            &mut svg,
            middle,
            "label middle",
            "nothing of this in the run",
        );
    }
    for (number, line) in lines.iter().enumerate() {
        chart.line(&mut svg, number, line);
    }
    if !lines.is_empty() {
        chart.marks(&mut svg, panel);
    }
    svg.push_str("</g>\n");
    svg
}

/// An axis in words, with its unit.
fn named(axis: &Axis) -> String {
    if axis.unit.is_empty() {
        axis.label.clone()
    } else {
        format!("{} ({})", axis.label, axis.unit)
    }
}

fn pen(number: usize) -> String {
    let (colour, dashes) = PENS[number % PENS.len()];
    let again = (number / PENS.len()) % 2 == 1;
    let dashes = match (again, dashes) {
        (false, dashes) => dashes,
        (true, "") => "5 4",
        (true, _) => "",
    };
    format!("stroke=\"{colour}\" stroke-dasharray=\"{dashes}\"")
        .replace(" stroke-dasharray=\"\"", "")
}

/// Names of the lines, in as many rows as they need.
fn legend(lines: &[&Line]) -> (String, usize) {
    let mut svg = String::new();
    let (mut x, mut row) = (LEFT, 0);
    for (number, line) in lines.iter().enumerate() {
        let width = 34.0 + LETTER * line.name.chars().count() as f64;
        if x + width > WIDTH - RIGHT && x > LEFT {
            (x, row) = (LEFT, row + 1);
        }
        let y = LEGEND_AT + LEGEND_ROW * row as f64;
        let (pen, from, to) = (pen(number), y - 4.0, x + 20.0);
        let _ = writeln!(svg, "<path d=\"M{x} {from}H{to}\" class=\"line\" {pen}/>");
        text(&mut svg, (x + 25.0, y), "label", &line.name);
        x += width;
    }
    (svg, if lines.is_empty() { 0 } else { row + 1 })
}

struct Chart {
    x: Fitted,
    y: Fitted,
    /// Where the area of the lines begins.
    top: f64,
}

impl Chart {
    fn across(&self, value: f64) -> Option<f64> {
        Some(LEFT + self.x.place(value)? * (WIDTH - LEFT - RIGHT))
    }

    fn down(&self, value: f64) -> Option<f64> {
        Some(HEIGHT - BOTTOM - self.y.place(value)? * (HEIGHT - BOTTOM - self.top))
    }

    fn frame(&self, svg: &mut String, panel: &Panel) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in &self.y.ticks {
            if let Some(y) = self.down(*tick) {
                let _ = writeln!(svg, "<path d=\"M{LEFT} {y:.1}H{right}\" class=\"grid\"/>");
                text(svg, (LEFT - 7.0, y + 4.0), "label end", &short(*tick));
            }
        }
        for tick in &self.x.ticks {
            if let Some(x) = self.across(*tick) {
                let _ = writeln!(svg, "<path d=\"M{x:.1} {bottom}v5\" class=\"axis\"/>");
                text(svg, (x, bottom + 18.0), "label middle", &short(*tick));
            }
        }
        let top = self.top;
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {top}V{bottom}H{right}\" class=\"axis\"/>"
        );
        let middle = LEFT + (right - LEFT) / 2.0;
        text(
            svg,
            (middle, HEIGHT - 12.0),
            "label middle",
            &named(&panel.x),
        );
        let middle = top + (bottom - top) / 2.0;
        let label = escaped(&named(&panel.y));
        let _ = writeln!(
            svg,
            "<text transform=\"translate(16 {middle:.1}) rotate(-90)\" class=\"label middle\">\
             {label}</text>"
        );
    }

    fn marks(&self, svg: &mut String, panel: &Panel) {
        let (top, bottom) = (self.top, HEIGHT - BOTTOM);
        for (number, mark) in panel.marks.iter().enumerate() {
            let Some(x) = self.across(mark.at) else {
                continue;
            };
            let _ = writeln!(svg, "<path d=\"M{x:.1} {top}V{bottom}\" class=\"mark\"/>");
            let right = x > WIDTH * 0.7;
            let (place, class) = if right {
                (x - 4.0, "label end note")
            } else {
                (x + 4.0, "label note")
            };
            let down = bottom - 8.0 - 14.0 * (number % 3) as f64;
            text(svg, (place, down), class, &mark.name);
        }
    }

    fn line(&self, svg: &mut String, number: usize, line: &Line) {
        let mut path = String::new();
        let mut before: Option<f64> = None;
        for (x, y) in &line.points {
            let (Some(x), Some(y)) = (self.across(*x), self.down(*y)) else {
                before = None;
                continue;
            };
            let _ = match (before, line.shape) {
                (None, _) => write!(path, "M{x:.1} {y:.1}"),
                (Some(_), Shape::Straight) => write!(path, "L{x:.1} {y:.1}"),
                (Some(_), Shape::Steps) => write!(path, "H{x:.1}V{y:.1}"),
            };
            before = Some(y);
        }
        let _ = writeln!(svg, "<path d=\"{path}\" class=\"line\" {}/>", pen(number));
    }
}

fn text(svg: &mut String, (x, y): (f64, f64), class: &str, words: &str) {
    let words = escaped(words);
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{words}</text>"
    );
}

/// Words as XML may hold them.
#[must_use]
pub fn escaped(words: &str) -> String {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    words.replace('>', "&gt;").replace('"', "&quot;")
}
