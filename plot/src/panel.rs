//! What a plot shows: panels of lines over two axes.

/// How values become places on an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    #[default]
    Linear,
    /// By their logarithm; what is not above zero is not drawn.
    Log,
}

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it shows.
    pub label: String,
    /// Its unit; empty for a plain number.
    pub unit: String,
    /// How values become places.
    pub scale: Scale,
    /// What it shows at least.
    pub shows: Option<[f64; 2]>,
}

impl Axis {
    /// A linear axis that fits what is drawn.
    #[must_use]
    pub fn new(label: &str, unit: &str) -> Self {
        Self {
            label: label.to_owned(),
            unit: unit.to_owned(),
            scale: Scale::Linear,
            shows: None,
        }
    }

    /// The same axis, which shows at least from `low` to `high`.
    #[must_use]
    pub fn showing(self, low: f64, high: f64) -> Self {
        let shows = Some([low, high]);
        Self { shows, ..self }
    }

    /// The same axis by logarithm.
    #[must_use]
    pub fn log(self) -> Self {
        let scale = Scale::Log;
        Self { scale, ..self }
    }
}

/// How the points of a line are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Straight from one to the next.
    Straight,
    /// Each holds until the next.
    Steps,
}

/// A line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its name in the legend.
    pub name: String,
    /// How its points are joined.
    pub shape: Shape,
    /// Its points, by their place on the first axis.
    pub points: Vec<(f64, f64)>,
}

/// A place on the first axis that has a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Where.
    pub at: f64,
    /// What is there.
    pub name: String,
}

/// One plot of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// Its title.
    pub title: String,
    /// The first axis.
    pub x: Axis,
    /// The second axis.
    pub y: Axis,
    /// What is drawn. Without points the panel says that there is nothing to show.
    pub lines: Vec<Line>,
    /// Places with names.
    pub marks: Vec<Mark>,
}

impl Panel {
    /// A panel with nothing in it yet.
    #[must_use]
    pub fn new(title: &str, x: Axis, y: Axis) -> Self {
        Self {
            title: title.to_owned(),
            x,
            y,
            lines: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// The same panel with one more line.
    #[must_use]
    pub fn line(mut self, name: &str, shape: Shape, points: Vec<(f64, f64)>) -> Self {
        self.lines.push(Line {
            name: name.to_owned(),
            shape,
            points,
        });
        self
    }

    /// The same panel with one more mark.
    #[must_use]
    pub fn mark(mut self, at: f64, name: &str) -> Self {
        let name = name.to_owned();
        self.marks.push(Mark { at, name });
        self
    }

    /// The cumulative distribution of some values, with their median and 99th percentile.
    #[must_use]
    pub fn cdf(title: &str, x: Axis, mut values: Vec<f64>) -> Self {
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        let count = values.len() as f64;
        let mut points: Vec<(f64, f64)> = values
            .first()
            .map(|first| (*first, 0.0))
            .into_iter()
            .collect();
        points.extend(
            (1..)
                .zip(&values)
                .map(|(rank, value)| (*value, f64::from(rank) / count)),
        );
        let quantile = |share: f64| {
            let rank = (share * count).ceil().max(1.0) as usize;
            values.get(rank - 1).copied()
        };
        let quantiles = [(quantile(0.5), "p50"), (quantile(0.99), "p99")];
        let y = Axis::new("share of all", "").showing(0.0, 1.0);
        let mut panel =
            Self::new(title, x, y).line(&format!("{} values", values.len()), Shape::Steps, points);
        for (at, name) in quantiles {
            if let Some(at) = at {
                panel = panel.mark(at, &format!("{name}: {at:.1}"));
            }
        }
        panel
    }
}
