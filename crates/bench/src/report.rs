//! Figures as rows of a table.

/// The target of a figure.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reach {
    AtLeast(f64),
    AtMost(f64),
    /// There is none.
    Nothing,
}

/// A measured figure.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) reach: Reach,
    pub(crate) detail: String,
}

impl Figure {
    fn verdict(&self) -> String {
        match self.reach {
            Reach::AtLeast(goal) if self.value >= goal => "reached".to_owned(),
            Reach::AtMost(goal) if self.value <= goal => "reached".to_owned(),
            Reach::Nothing => String::new(),
            Reach::AtLeast(goal) => format!("short by {:.0} %", 100.0 * (1.0 - self.value / goal)),
            Reach::AtMost(goal) => format!("over by {:.0} %", 100.0 * (self.value / goal - 1.0)),
        }
    }

    /// Prints the figure as a row of a Markdown table.
    pub(crate) fn print(&self) {
        let goal = match self.reach {
            Reach::Nothing => String::new(),
            Reach::AtLeast(goal) => format!("≥ {goal} {}", self.unit),
            Reach::AtMost(goal) => format!("≤ {goal} {}", self.unit),
        };
        println!("| {} | {:.2} {} | {goal} | {} | {} |", self.what, self.value, self.unit, self.verdict(), self.detail);
    }
}

pub(crate) fn print_head() {
    println!("| What | Measured | Target | | How |\n|---|---|---|---|---|");
}

/// The value below which `share` of the values lie.
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}
