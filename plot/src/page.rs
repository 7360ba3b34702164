//! A page of panels, as one self-contained file.

use std::fmt::Write;
use std::path::Path;

use crate::chart::{self, HEIGHT, WIDTH, escaped};
use crate::panel::Panel;

/// Panels beside each other.
const COLUMNS: usize = 2;
const MARGIN: f64 = 16.0;
const HEAD: f64 = 66.0;

const STYLE: &str = "text{font-family:sans-serif;fill:#222}.head{font-size:20px;font-weight:bold}\
.title{font-size:15px;font-weight:bold}.label{font-size:12px}.middle{text-anchor:middle}\
.end{text-anchor:end}.grid{stroke:#ddd;fill:none}.axis{stroke:#444;fill:none}\
.note{paint-order:stroke;stroke:#fff;stroke-width:5px}\
.mark{stroke:#888;stroke-dasharray:3 3;fill:none}\
.line{fill:none;stroke-width:1.8;stroke-linejoin:round}";

/// What a page is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An SVG picture.
    Svg,
    /// The same picture in an HTML page.
    Html,
}

impl Kind {
    /// By the ending of a file's name.
    ///
    /// # Errors
    /// If it is another one.
    pub fn of(path: &Path) -> Result<Self, String> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("svg") => Ok(Self::Svg),
            Some("html" | "htm") => Ok(Self::Html),
            _ => Err(format!("{}: plots are .svg or .html", path.display())),
        }
    }
}

/// A page of panels.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The first line.
    pub title: String,
    /// The second line.
    pub subtitle: String,
    /// What is drawn, at most two beside each other.
    pub panels: Vec<Panel>,
}

impl Page {
    /// The page as the text of a file.
    #[must_use]
    pub fn render(&self, kind: Kind) -> String {
        match kind {
            Kind::Svg => format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", self.svg()),
            Kind::Html => self.html(),
        }
    }

    fn html(&self) -> String {
        let title = escaped(&self.title);
        let svg = self.svg();
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"/>\
             <title>{title}</title></head>\n<body style=\"margin:0;background:#fff\">\n{svg}\
             </body>\n</html>\n"
        )
    }

    fn svg(&self) -> String {
        let rows = self.panels.len().div_ceil(COLUMNS) as f64;
        let columns = self.panels.len().clamp(1, COLUMNS);
        let width = 2.0 * MARGIN + columns as f64 * WIDTH;
        let height = HEAD + rows * HEIGHT + MARGIN;
        let (title, subtitle) = (escaped(&self.title), escaped(&self.subtitle));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\">\n<title>{title}</title>\n\
             <style>{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
             <text x=\"24\" y=\"32\" class=\"head\">{title}</text>\n\
             <text x=\"24\" y=\"52\" class=\"label\">{subtitle}</text>\n"
        );
        for (number, panel) in self.panels.iter().enumerate() {
            let left = MARGIN + (number % COLUMNS) as f64 * WIDTH;
            let top = HEAD + (number / COLUMNS) as f64 * HEIGHT;
            let _ = write!(svg, "{}", chart::draw(panel, left, top));
        }
        svg.push_str("</svg>\n");
        svg
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::panel::{Axis, Shape};

    #[test]
    fn every_panel_is_drawn_also_an_empty_one() {
        let empty = Panel::new("a < b & c", Axis::new("time", "s"), Axis::new("peers", ""));
        let drawn = empty
            .clone()
            .line("live", Shape::Steps, vec![(0.0, 3.0), (9.0, 4.0)]);
        let times = (1..=200).map(f64::from).collect();
        let cdf = Panel::cdf("failover", Axis::new("time", "ms").log(), times);
        let page = Page {
            title: "churn".to_owned(),
            subtitle: "seed 1".to_owned(),
            panels: vec![empty, drawn, cdf],
        };
        let svg = page.render(Kind::Svg);
        assert_eq!(svg.matches("class=\"panel\"").count(), 3);
        assert!(svg.contains("a &lt; b &amp; c"));
        assert!(svg.contains("nothing of this in the run"));
        assert!(svg.contains("time (ms)") && svg.contains(">p99: 198.0<"));
        assert!(!svg.contains("NaN"));
        assert!(page.render(Kind::Html).contains(&page.svg()));
    }

    #[test]
    fn sixteen_lines_look_different_and_one_panel_takes_the_width_of_one() {
        let mut panel = Panel::new("many", Axis::new("time", "s"), Axis::new("peers", ""));
        for number in 0..16 {
            panel = panel.line("a", Shape::Straight, vec![(0.0, f64::from(number))]);
        }
        let page = Page {
            title: "one".to_owned(),
            subtitle: String::new(),
            panels: vec![panel],
        };
        let svg = page.render(Kind::Svg);
        let pens: BTreeSet<&str> = svg
            .lines()
            .filter_map(|line| line.split_once("class=\"line\" "))
            .map(|(_, pen)| pen)
            .collect();
        assert_eq!(pens.len(), 16);
        assert!(svg.contains(&format!("width=\"{}\"", 2.0 * MARGIN + WIDTH)));
    }
}
