//! What the calls of models came to, and what they cost.

use crate::domain::refusal::Refusal;
use serde::Serialize;
use std::collections::BTreeSet;
use terarchitect_worker_api::{ModelUsage, Prices};
use utoipa::ToSchema;

/// How many models one attempt may name.
const MAX_MODELS: usize = 20;
/// The longest name of a model, in bytes.
const MAX_MODEL_BYTES: usize = 300;

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
        let total = UsageTotal::of([&known, &usage("other", 10, 5)], &prices);
        assert_eq!(
            (total.calls, total.tokens, total.cost_unknown.as_slice()),
            (2, 2_200_015, ["other".to_owned()].as_slice())
        );
        assert!(total.cost_usd.is_some());
        assert_eq!(UsageTotal::of([&usage("other", 10, 5)], &prices).cost_usd, None);
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
