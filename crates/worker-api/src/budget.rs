//! Budgets: what models may use for a ticket, what is left of that, and the words for its end.

use crate::prices::Prices;
use crate::words::words;
use serde::{Deserialize, Serialize};

/// Whose use a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BudgetLevel {
    /// One attempt's.
    Attempt,
    /// All attempts' of a ticket.
    Ticket,
    /// All of a project.
    Project,
    /// Those attempts' of a project that began on the same day (UTC).
    Day,
}

words!(BudgetLevel, "level of a budget", {
    Attempt => "attempt",
    Ticket => "ticket",
    Project => "project",
    Day => "day",
});

/// What a budget is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BudgetUnit {
    /// Dollars.
    Usd,
    /// Tokens of every kind.
    Tokens,
    /// Calls that a model answered.
    Calls,
}

words!(BudgetUnit, "unit of a budget", {
    Usd => "usd",
    Tokens => "tokens",
    Calls => "calls",
});

/// One limit, and what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BudgetLimit {
    /// Whose use it counts.
    pub level: BudgetLevel,
    /// What it is counted in.
    pub unit: BudgetUnit,
    /// How much may be used in all, with what people have granted beside what is set.
    pub amount: f64,
    /// What is left, never less than 0.
    pub left: f64,
}

impl BudgetLimit {
    /// That it is used up, in a sentence without its end: the only words for that.
    #[must_use]
    pub fn used_up(&self) -> String {
        let whose = match self.level {
            BudgetLevel::Attempt => "this attempt",
            BudgetLevel::Ticket => "this ticket",
            BudgetLevel::Project => "this project",
            BudgetLevel::Day => "this project for a day",
        };
        format!("The budget of {whose} ({}) is used up", self.shown())
    }

    /// Its amount for people.
    #[must_use]
    pub fn shown(&self) -> String {
        match self.unit {
            BudgetUnit::Usd => format!("${}", two_digits(self.amount)),
            BudgetUnit::Tokens => format!("{:.0} tokens", self.amount),
            BudgetUnit::Calls => format!("{:.0} calls", self.amount),
        }
    }
}

/// Cents as usual, and as many digits as a smaller amount needs.
fn two_digits(amount: f64) -> String {
    if (amount * 100.0).fract().abs() < 1e-9 { format!("{amount:.2}") } else { amount.to_string() }
}

/// That a budget in dollars can't hold back models whose price is not known.
#[must_use]
pub fn needs_tokens(models: &[String]) -> String {
    let models = models.join(", ");
    format!(
        "What {models} costs is not known (MODEL_PRICES), so a budget in dollars counts the rest alone: set one in tokens too"
    )
}

/// What an attempt's models used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    /// Calls that a model answered.
    pub calls: u64,
    /// All tokens.
    pub tokens: u64,
    /// What is known of its cost, in dollars.
    pub usd: f64,
}

impl Used {
    /// How much that is in a unit.
    #[must_use]
    pub fn of(&self, unit: BudgetUnit) -> f64 {
        match unit {
            BudgetUnit::Usd => self.usd,
            BudgetUnit::Tokens => self.tokens as f64,
            BudgetUnit::Calls => self.calls as f64,
        }
    }
}

/// What one attempt may use in all. Its own use is not taken off yet; that of all others is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BudgetLeft {
    /// The narrowest limit of each unit that has any.
    #[serde(default)]
    pub limits: Vec<BudgetLimit>,
    /// What models cost, if a limit is in dollars.
    #[serde(default, skip_serializing_if = "Prices::is_empty")]
    pub prices: Prices,
    /// Which attempt this is; absent where no job runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i32>,
    /// The day (UTC) that it counts for, such as `2026-11-30`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub day: String,
}

impl BudgetLeft {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.limits.is_empty()
    }

    /// The limit that an attempt has reached that has used so much.
    #[must_use]
    pub fn reached(&self, own: &Used) -> Option<BudgetLimit> {
        self.limits.iter().find(|limit| own.of(limit.unit) >= limit.left).copied()
    }

    /// What makes the end of a limit one among those of its job: once it was granted, its next end is another one.
    #[must_use]
    pub fn key(&self, limit: &BudgetLimit) -> String {
        let of = match limit.level {
            BudgetLevel::Attempt => self.attempt.unwrap_or_default().to_string(),
            BudgetLevel::Day => self.day.clone(),
            BudgetLevel::Ticket | BudgetLevel::Project => String::new(),
        };
        format!("{} {of} {} {}", limit.level, limit.unit, limit.amount)
    }

    /// Whether something is limited in dollars, and nothing in tokens or calls.
    #[must_use]
    pub fn is_in_usd_alone(&self) -> bool {
        !self.is_empty() && self.limits.iter().all(|limit| limit.unit == BudgetUnit::Usd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(unit: BudgetUnit, amount: f64) -> BudgetLimit {
        BudgetLimit { level: BudgetLevel::Ticket, unit, amount, left: amount }
    }

    #[test]
    fn the_end_of_a_budget_is_said_with_its_amount() {
        assert_eq!(limit(BudgetUnit::Usd, 2.5).used_up(), "The budget of this ticket ($2.50) is used up");
        assert_eq!(limit(BudgetUnit::Usd, 0.001).shown(), "$0.001");
        assert_eq!(limit(BudgetUnit::Tokens, 1e6).shown(), "1000000 tokens");
        let day = BudgetLimit { level: BudgetLevel::Day, ..limit(BudgetUnit::Calls, 40.0) };
        assert_eq!(day.used_up(), "The budget of this project for a day (40 calls) is used up");
    }

    #[test]
    fn a_limit_is_reached_by_the_last_of_it() {
        let left = BudgetLeft { limits: vec![limit(BudgetUnit::Calls, 3.0)], ..BudgetLeft::default() };
        let used = |calls| Used { calls, tokens: 1_000_000, usd: 9.0 };
        assert_eq!(left.reached(&used(2)), None);
        assert_eq!(left.reached(&used(3)), Some(left.limits[0]));
        assert_eq!(BudgetLeft::default().reached(&used(9)), None);
        let nothing = BudgetLimit { left: 0.0, ..limit(BudgetUnit::Usd, 1.0) };
        let left = BudgetLeft { limits: vec![nothing], ..BudgetLeft::default() };
        assert_eq!(left.reached(&Used::default()), Some(nothing));
        assert!(left.is_in_usd_alone() && !BudgetLeft::default().is_in_usd_alone());
    }

    #[test]
    fn the_next_end_of_a_budget_is_another_one() {
        let left =
            |attempt| BudgetLeft { attempt: Some(attempt), day: "2026-11-30".to_owned(), ..BudgetLeft::default() };
        let of = |level, amount| BudgetLimit { level, ..limit(BudgetUnit::Calls, amount) };
        let (first, second) = (left(1), left(2));
        let (ticket, attempt) = (of(BudgetLevel::Ticket, 5.0), of(BudgetLevel::Attempt, 5.0));
        assert_eq!(first.key(&ticket), second.key(&ticket), "another attempt meets the same end");
        assert_ne!(first.key(&ticket), first.key(&of(BudgetLevel::Ticket, 10.0)));
        assert_ne!(first.key(&attempt), second.key(&attempt));
        let day = of(BudgetLevel::Day, 5.0);
        assert_ne!(first.key(&day), BudgetLeft { day: "2026-12-01".to_owned(), ..first.clone() }.key(&day));
    }
}
