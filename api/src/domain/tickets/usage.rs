//! What the calls of models came to, and what they cost.

use crate::domain::refusal::Refusal;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use terarchitect_worker_api::ModelUsage;
use utoipa::ToSchema;

/// How many models one attempt may name.
const MAX_MODELS: usize = 20;
/// The longest name of a model, in bytes.
const MAX_MODEL_BYTES: usize = 300;
/// A price is for so many tokens.
const PRICED_TOKENS: f64 = 1_000_000.0;

/// What a model's tokens cost, in dollars for a million of them.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// What it reads.
    pub input: f64,
    /// What it writes, and its thinking.
    pub output: f64,
    /// What it reads from its cache; as `input` if absent.
    pub cache_read: Option<f64>,
    /// What it writes to its cache; as `input` if absent.
    pub cache_write: Option<f64>,
}

/// What models cost, by their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prices(BTreeMap<String, Price>);

impl Prices {
    /// Reads the setting `MODEL_PRICES`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let prices: BTreeMap<String, Price> = serde_json::from_str(text).map_err(|error| {
            format!(r#"must be JSON such as {{"model": {{"input": 3, "output": 15}}}}, in dollars for a million tokens ({error})"#)
        })?;
        for (model, price) in &prices {
            let all = [Some(price.input), Some(price.output), price.cache_read, price.cache_write];
            if all.into_iter().flatten().any(|price| !(0.0..=1e6).contains(&price)) {
                return Err(format!("has a price for {model} that is not between 0 and 1000000 dollars"));
            }
        }
        Ok(Self(prices))
    }

    /// What the calls cost, in dollars; none where the model has no price, or a call has no count of tokens.
    #[must_use]
    pub fn cost(&self, usage: &ModelUsage) -> Option<f64> {
        let price = self.0.get(&usage.model).filter(|_| usage.uncounted == 0)?;
        let parts = [
            (usage.input, price.input),
            (usage.output, price.output),
            (usage.reasoning, price.output),
            (usage.cache_read, price.cache_read.unwrap_or(price.input)),
            (usage.cache_write, price.cache_write.unwrap_or(price.input)),
        ];
        Some(parts.into_iter().map(|(tokens, price)| tokens as f64 * price).sum::<f64>() / PRICED_TOKENS)
    }
}

/// All of some usage together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct UsageTotal {
    /// How many calls were answered.
    pub calls: i64,
    /// All tokens.
    pub tokens: i64,
    /// What is known to have cost something, in dollars; null where no part of it is known.
    pub cost_usd: Option<f64>,
    /// Models whose cost is not known, since `MODEL_PRICES` does not have them or their servers do not count tokens.
    pub cost_unknown: Vec<String>,
}

impl UsageTotal {
    /// All of this together.
    pub fn of<'a>(usages: impl IntoIterator<Item = &'a ModelUsage>, prices: &Prices) -> Self {
        let mut total = Self::default();
        let mut unknown = BTreeSet::new();
        for usage in usages {
            total.calls += usage.calls;
            total.tokens += usage.input + usage.output + usage.reasoning + usage.cache_read + usage.cache_write;
            match prices.cost(usage) {
                Some(cost) => total.cost_usd = Some(total.cost_usd.unwrap_or_default() + cost),
                None => {
                    unknown.insert(usage.model.clone());
                }
            }
        }
        total.cost_unknown = unknown.into_iter().collect();
        total
    }
}

/// Checks what a runner reports.
///
/// # Errors
/// When it names too many models, or a count or a name is not one.
pub fn checked(models: &[ModelUsage]) -> Result<(), Refusal> {
    if models.len() > MAX_MODELS {
        return Err(Refusal::invalid(format!("'models' has {} entries; {MAX_MODELS} are possible.", models.len())));
    }
    for usage in models {
        if !matches!(usage.whose.as_str(), "agent" | "director") {
            return Err(Refusal::invalid("'whose' is agent or director."));
        }
        if usage.model.trim().is_empty() || usage.model.len() > MAX_MODEL_BYTES {
            return Err(Refusal::invalid(format!("'model' has between 1 and {MAX_MODEL_BYTES} bytes.")));
        }
        let counts = [
            usage.calls,
            usage.uncounted,
            usage.failed,
            usage.input,
            usage.output,
            usage.reasoning,
            usage.cache_read,
            usage.cache_write,
        ];
        // So that no sum of some thousands of them is too large.
        if counts.into_iter().any(|count| !(0..=1_000_000_000_000).contains(&count)) {
            return Err(Refusal::invalid("The counts of 'models' are between 0 and 1000000000000."));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(model: &str, input: i64, output: i64) -> ModelUsage {
        ModelUsage {
            whose: "agent".to_owned(),
            model: model.to_owned(),
            calls: 1,
            input,
            output,
            ..ModelUsage::default()
        }
    }

    #[test]
    fn a_model_without_a_price_costs_unknown_and_never_nothing() {
        let prices = Prices::parse(r#"{"large": {"input": 3, "output": 15, "cache_read": 0.5}}"#).unwrap();
        let known = ModelUsage { reasoning: 100_000, cache_read: 1_000_000, ..usage("large", 1_000_000, 100_000) };
        assert!((prices.cost(&known).unwrap() - (3.0 + 1.5 + 1.5 + 0.5)).abs() < 1e-9);
        assert_eq!(prices.cost(&usage("other", 1, 1)), None);
        assert_eq!(prices.cost(&ModelUsage { uncounted: 1, ..usage("large", 1, 1) }), None);
        let total = UsageTotal::of([&known, &usage("other", 10, 5)], &prices);
        assert_eq!(
            (total.calls, total.tokens, total.cost_unknown.as_slice()),
            (2, 2_200_015, ["other".to_owned()].as_slice())
        );
        assert!(total.cost_usd.is_some());
        assert_eq!(UsageTotal::of([&usage("other", 10, 5)], &prices).cost_usd, None);
    }

    #[test]
    fn prices_that_can_t_be_read_are_refused_with_an_example() {
        for (text, said) in [
            ("3", r#""input": 3"#),
            (r#"{"m": {"input": 3}}"#, "output"),
            (r#"{"m": {"input": 3, "output": 4, "out": 5}}"#, "out"),
            (r#"{"m": {"input": -3, "output": 4}}"#, "a price for m"),
        ] {
            let error = Prices::parse(text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn what_can_t_be_a_count_is_refused() {
        assert!(checked(&[usage("m", 1, 1)]).is_ok());
        assert!(checked(&[usage("m", -1, 1)]).is_err());
        assert!(checked(&[usage(" ", 1, 1)]).is_err());
        assert!(checked(&[ModelUsage { whose: "cook".to_owned(), ..usage("m", 1, 1) }]).is_err());
        assert!(checked(&vec![usage("m", 1, 1); 21]).is_err());
    }
}
