//! What models may use: the smallest of what each level leaves.

use crate::domain::refusal::Refusal;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::{BudgetLeft, BudgetLevel, BudgetLimit, BudgetUnit, ModelUsage, Prices};
use utoipa::ToSchema;

/// The largest budgets of each unit: beyond what any project uses, and small enough to be added up.
const MAX_USD: f64 = 1e9;
const MAX_TOKENS: i64 = 1_000_000_000_000;
const MAX_CALLS: i64 = 1_000_000_000;

/// How much may be used; what is absent is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// In dollars, by the setting `MODEL_PRICES`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<f64>,
    /// In tokens of every kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<i64>,
    /// In calls that a model answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<i64>,
}

impl Budget {
    /// Whether it limits nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Its limit in a unit.
    #[must_use]
    pub fn of(&self, unit: BudgetUnit) -> Option<f64> {
        match unit {
            BudgetUnit::Usd => self.usd,
            BudgetUnit::Tokens => self.tokens.map(|tokens| tokens as f64),
            BudgetUnit::Calls => self.calls.map(|calls| calls as f64),
        }
    }

    fn or(self, other: Self) -> Self {
        Self { usd: self.usd.or(other.usd), tokens: self.tokens.or(other.tokens), calls: self.calls.or(other.calls) }
    }

    fn check(&self, level: BudgetLevel) -> Result<(), Refusal> {
        let refused = |unit: &str, most: String| {
            Err(Refusal::invalid(format!(
                "'{level}.{unit}' is more than 0 and at most {most}; leave it out to limit nothing."
            )))
        };
        if self.usd.is_some_and(|usd| !(usd > 0.0 && usd <= MAX_USD)) {
            return refused("usd", format!("{MAX_USD:.0} dollars"));
        }
        if self.tokens.is_some_and(|tokens| !(1..=MAX_TOKENS).contains(&tokens)) {
            return refused("tokens", MAX_TOKENS.to_string());
        }
        if self.calls.is_some_and(|calls| !(1..=MAX_CALLS).contains(&calls)) {
            return refused("calls", MAX_CALLS.to_string());
        }
        Ok(())
    }
}

/// The budgets of a project or of a ticket. What is absent is not limited, so a name that is misspelt must not count as absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Budgets {
    /// For each attempt.
    #[serde(default, skip_serializing_if = "Budget::is_empty")]
    pub attempt: Budget,
    /// For all attempts at a ticket.
    #[serde(default, skip_serializing_if = "Budget::is_empty")]
    pub ticket: Budget,
    /// For all of the project. A ticket has none of its own.
    #[serde(default, skip_serializing_if = "Budget::is_empty")]
    pub project: Budget,
    /// For the project's attempts that begin on the same day (UTC). A ticket has none of its own.
    #[serde(default, skip_serializing_if = "Budget::is_empty")]
    pub day: Budget,
}

impl Budgets {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The budget of a level.
    #[must_use]
    pub fn of(&self, level: BudgetLevel) -> Budget {
        match level {
            BudgetLevel::Attempt => self.attempt,
            BudgetLevel::Ticket => self.ticket,
            BudgetLevel::Project => self.project,
            BudgetLevel::Day => self.day,
        }
    }

    /// Takes the budget of a level.
    pub fn set(&mut self, level: BudgetLevel, budget: Budget) {
        match level {
            BudgetLevel::Attempt => self.attempt = budget,
            BudgetLevel::Ticket => self.ticket = budget,
            BudgetLevel::Project => self.project = budget,
            BudgetLevel::Day => self.day = budget,
        }
    }

    /// These, and what they leave open as the project says.
    #[must_use]
    pub fn or_of_project(self, project: Self) -> Self {
        let mut all = Self::default();
        for &level in BudgetLevel::ALL {
            all.set(level, self.of(level).or(project.of(level)));
        }
        all
    }

    /// Whether anything of it is in dollars.
    #[must_use]
    pub fn has_usd(&self) -> bool {
        BudgetLevel::ALL.iter().any(|&level| self.of(level).usd.is_some())
    }

    /// Refuses what can't be a budget of a project, or of a ticket.
    ///
    /// # Errors
    /// When an amount is nothing, negative or huge, or a ticket is given its project's.
    pub fn check(&self, is_of_ticket: bool) -> Result<(), Refusal> {
        if is_of_ticket && !(self.project.is_empty() && self.day.is_empty()) {
            return Err(Refusal::invalid(
                "A ticket has budgets for 'attempt' and 'ticket' alone; the others are its project's.",
            ));
        }
        BudgetLevel::ALL.iter().try_for_each(|&level| self.of(level).check(level))
    }
}

/// What was granted beside a budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grant {
    /// Of which level.
    pub level: BudgetLevel,
    /// In which unit.
    pub unit: BudgetUnit,
    /// How much.
    pub amount: f64,
}

/// What was used of one level.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UsedOfLevel(pub Vec<ModelUsage>);

impl UsedOfLevel {
    fn of(&self, unit: BudgetUnit, prices: &Prices) -> f64 {
        let all = self.0.iter();
        match unit {
            BudgetUnit::Calls => all.map(|usage| usage.calls as f64).sum(),
            BudgetUnit::Tokens => {
                let tokens = |usage: &ModelUsage| {
                    usage.input + usage.output + usage.reasoning + usage.cache_read + usage.cache_write
                };
                all.map(|usage| tokens(usage) as f64).sum()
            }
            // What is not known is not counted, and said beside it.
            BudgetUnit::Usd => all.filter_map(|usage| Some(prices.find(&usage.model)?.of(usage))).sum(),
        }
    }
}

/// Every limit of some levels, with what is left of each.
#[must_use]
pub fn limits(
    budgets: &Budgets,
    grants: &[Grant],
    used: &[(BudgetLevel, UsedOfLevel)],
    prices: &Prices,
) -> Vec<BudgetLimit> {
    let mut limits = Vec::new();
    for (level, used) in used {
        for &unit in BudgetUnit::ALL {
            let Some(set) = budgets.of(*level).of(unit) else { continue };
            let granted = grants.iter().filter(|grant| grant.level == *level && grant.unit == unit);
            let amount = set + granted.map(|grant| grant.amount).sum::<f64>();
            let left = (amount - used.of(unit, prices)).max(0.0);
            limits.push(BudgetLimit { level: *level, unit, amount, left });
        }
    }
    limits
}

/// The narrowest limit of each unit; of two that leave the same, the one that fewer attempts share.
#[must_use]
pub fn narrowest(limits: &[BudgetLimit]) -> Vec<BudgetLimit> {
    let of_unit = |unit: BudgetUnit| limits.iter().filter(move |limit| limit.unit == unit).copied();
    let narrowest = |unit| of_unit(unit).min_by(|a, b| a.left.total_cmp(&b.left).then(a.level.cmp(&b.level)));
    BudgetUnit::ALL.iter().filter_map(|&unit| narrowest(unit)).collect()
}

/// What an attempt is told.
#[must_use]
pub fn left(limits: &[BudgetLimit], prices: &Prices) -> BudgetLeft {
    let limits = narrowest(limits);
    let in_usd = limits.iter().any(|limit| limit.unit == BudgetUnit::Usd);
    BudgetLeft { limits, prices: if in_usd { prices.clone() } else { Prices::default() }, ..BudgetLeft::default() }
}

/// The limit of which nothing is left, if there is one.
#[must_use]
pub fn ended(limits: &[BudgetLimit]) -> Option<BudgetLimit> {
    limits.iter().find(|limit| limit.left <= 0.0).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(model: &str, calls: i64, input: i64) -> ModelUsage {
        ModelUsage { model: model.to_owned(), calls, input, ..ModelUsage::default() }
    }

    fn tokens(tokens: i64) -> Budget {
        Budget { tokens: Some(tokens), ..Budget::default() }
    }

    #[test]
    fn the_smallest_of_what_each_level_leaves_counts() {
        let usd = Budget { usd: Some(5.0), calls: Some(10), ..tokens(1_000) };
        let of_project = Budgets { attempt: tokens(500), ticket: usd, day: tokens(900), ..Budgets::default() };
        let budgets = Budgets { ticket: tokens(2_000), ..Budgets::default() }.or_of_project(of_project);
        assert_eq!(budgets.ticket, Budget { usd: Some(5.0), tokens: Some(2_000), calls: Some(10) });
        let prices = Prices::parse(r#"{"large": {"input": 1000, "output": 1}}"#).unwrap();
        let of_ticket = UsedOfLevel(vec![usage("large", 4, 600), usage("other", 1, 300)]);
        let used = [
            (BudgetLevel::Attempt, UsedOfLevel::default()),
            (BudgetLevel::Ticket, of_ticket.clone()),
            (BudgetLevel::Project, of_ticket.clone()),
            (BudgetLevel::Day, of_ticket),
        ];
        let all = limits(&budgets, &[], &used, &prices);
        let told = left(&all, &prices);
        let shown: Vec<_> =
            told.limits.iter().map(|limit| (limit.level, limit.unit, limit.amount, limit.left)).collect();
        assert_eq!(
            shown,
            [
                // Of the 900 tokens those of the model without a price are not known in dollars.
                (BudgetLevel::Ticket, BudgetUnit::Usd, 5.0, 4.4),
                (BudgetLevel::Day, BudgetUnit::Tokens, 900.0, 0.0),
                (BudgetLevel::Ticket, BudgetUnit::Calls, 10.0, 5.0),
            ]
        );
        assert_eq!(told.prices, prices);
        assert_eq!(ended(&all).map(|limit| limit.level), Some(BudgetLevel::Day));
        let grants = [Grant { level: BudgetLevel::Day, unit: BudgetUnit::Tokens, amount: 900.0 }];
        let all = limits(&budgets, &grants, &used, &prices);
        assert_eq!(ended(&all), None);
        let tokens = narrowest(&all)[1];
        assert_eq!((tokens.level, tokens.left), (BudgetLevel::Attempt, 500.0));
    }

    #[test]
    fn where_no_limit_is_in_dollars_no_prices_are_told() {
        let prices = Prices::parse(r#"{"large": {"input": 3, "output": 15}}"#).unwrap();
        let budgets = Budgets { project: tokens(5), ..Budgets::default() };
        let used = [(BudgetLevel::Project, UsedOfLevel(vec![usage("large", 1, 7)]))];
        let told = left(&limits(&budgets, &[], &used, &prices), &prices);
        assert_eq!((told.limits[0].left, told.prices.is_empty()), (0.0, true), "never less than nothing");
        assert!(left(&limits(&Budgets::default(), &[], &used, &prices), &prices).is_empty());
    }

    #[test]
    fn what_can_t_be_a_budget_is_refused_by_name() {
        let usd = |usd| Budgets { day: Budget { usd: Some(usd), ..Budget::default() }, ..Budgets::default() };
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e10] {
            let refused = usd(wrong).check(false).unwrap_err();
            assert!(refused.message.starts_with("'day.usd' is more than 0"), "{}", refused.message);
        }
        assert!(usd(0.01).check(false).is_ok());
        assert!(usd(0.01).check(true).unwrap_err().message.contains("A ticket has budgets"));
        assert!(Budgets { ticket: tokens(0), ..Budgets::default() }.check(true).is_err());
        assert!(Budgets { ticket: tokens(i64::MAX), ..Budgets::default() }.check(true).is_err());
    }
}
