//! What models cost.

use crate::ModelUsage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A price is for so many tokens.
const PRICED_TOKENS: f64 = 1_000_000.0;

/// What a model's tokens cost, in dollars for a million of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// What it reads.
    pub input: f64,
    /// What it writes, and its thinking.
    pub output: f64,
    /// What it reads from its cache; as `input` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<f64>,
    /// What it writes to its cache; as `input` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<f64>,
}

impl Price {
    /// What the tokens cost that were counted, in dollars.
    #[must_use]
    pub fn of(&self, usage: &ModelUsage) -> f64 {
        let parts = [
            (usage.input, self.input),
            (usage.output, self.output),
            (usage.reasoning, self.output),
            (usage.cache_read, self.cache_read.unwrap_or(self.input)),
            (usage.cache_write, self.cache_write.unwrap_or(self.input)),
        ];
        parts.into_iter().map(|(tokens, price)| tokens as f64 * price).sum::<f64>() / PRICED_TOKENS
    }
}

/// What models cost, by their names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a model costs, if that is known.
    #[must_use]
    pub fn find(&self, model: &str) -> Option<Price> {
        self.0.get(model).copied()
    }

    /// What the calls cost, in dollars; none where the model has no price, or a call has no count of tokens.
    #[must_use]
    pub fn cost(&self, usage: &ModelUsage) -> Option<f64> {
        let price = self.find(&usage.model).filter(|_| usage.uncounted == 0)?;
        Some(price.of(usage))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_without_a_price_costs_unknown_and_never_nothing() {
        let prices = Prices::parse(r#"{"large": {"input": 3, "output": 15, "cache_read": 0.5}}"#).unwrap();
        let usage = |model: &str| ModelUsage {
            model: model.to_owned(),
            input: 1_000_000,
            output: 100_000,
            reasoning: 100_000,
            cache_read: 1_000_000,
            ..ModelUsage::default()
        };
        assert!((prices.cost(&usage("large")).unwrap() - (3.0 + 1.5 + 1.5 + 0.5)).abs() < 1e-9);
        assert_eq!(prices.cost(&usage("other")), None);
        assert_eq!(prices.cost(&ModelUsage { uncounted: 1, ..usage("large") }), None);
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
}
