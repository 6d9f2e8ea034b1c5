//! What model calls used, as the model's server counts it.

use serde_json::Value;
use terarchitect_worker_api::ModelUsage;

/// Tokens of one or several model calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Read by the model, without those from its cache.
    pub input: u64,
    /// Written by the model, without its thinking.
    pub output: u64,
    /// Spent on thinking.
    pub reasoning: u64,
    /// Read from the model's cache.
    pub cache_read: u64,
    /// Written to the model's cache.
    pub cache_write: u64,
}

impl Tokens {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        [self.output, self.reasoning, self.cache_read, self.cache_write]
            .into_iter()
            .fold(self.input, u64::saturating_add)
    }
}

impl Tokens {
    /// As it is told to the API, and priced.
    #[must_use]
    pub fn as_usage(&self) -> ModelUsage {
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        ModelUsage {
            input: count(self.input),
            output: count(self.output),
            reasoning: count(self.reasoning),
            cache_read: count(self.cache_read),
            cache_write: count(self.cache_write),
            ..ModelUsage::default()
        }
    }
}

impl std::ops::AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        self.input += other.input;
        self.output += other.output;
        self.reasoning += other.reasoning;
        self.cache_read += other.cache_read;
        self.cache_write += other.cache_write;
    }
}

/// What the parts of one response say, a later number in place of an earlier one: Anthropic counts what is written as it
/// goes on, and Gemini repeats the whole count in each part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    input: Option<u64>,
    output: Option<u64>,
    reasoning: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    /// Whether the cache's tokens are part of the input, and the thinking's of the output.
    is_inclusive: bool,
}

impl Counted {
    /// Takes what one part of a response says; true if it says anything.
    pub(super) fn read(&mut self, part: &Value) -> bool {
        let places = [&part["usage"], &part["response"]["usage"], &part["message"]["usage"], &part["usageMetadata"]];
        let Some(usage) = places.into_iter().find(|usage| usage.is_object()) else { return false };
        let number = |path: &[&str]| {
            let found = path.iter().fold(usage, |value, name| &value[*name]);
            found.as_u64().or_else(|| whole(found.as_f64()?))
        };
        let first = |paths: &[&[&str]]| paths.iter().find_map(|path| number(path));
        let take = |known: &mut Option<u64>, said: Option<u64>| *known = said.or(*known);
        take(&mut self.input, first(&[&["prompt_tokens"], &["input_tokens"], &["promptTokenCount"]]));
        take(&mut self.output, first(&[&["completion_tokens"], &["output_tokens"], &["candidatesTokenCount"]]));
        let thinking: [&[&str]; 2] =
            [&["completion_tokens_details", "reasoning_tokens"], &["output_tokens_details", "reasoning_tokens"]];
        let cached: [&[&str]; 2] =
            [&["prompt_tokens_details", "cached_tokens"], &["input_tokens_details", "cached_tokens"]];
        self.is_inclusive |= ["prompt_tokens", "input_tokens_details", "output_tokens_details"]
            .iter()
            .any(|name| !usage[*name].is_null());
        take(&mut self.reasoning, first(&thinking).or_else(|| number(&["thoughtsTokenCount"])));
        take(&mut self.cache_read, first(&cached).or_else(|| number(&["cache_read_input_tokens"])));
        take(&mut self.cache_write, number(&["cache_creation_input_tokens"]));
        if let Some(cached) = number(&["cachedContentTokenCount"]) {
            // Gemini's input has the cache's tokens, but its output does not have the thinking's.
            self.cache_read = Some(cached);
            self.input = number(&["promptTokenCount"]).map(|input| input.saturating_sub(cached)).or(self.input);
        }
        true
    }

    /// The count of the whole response; none where nothing was said.
    pub(super) fn tokens(self) -> Option<Tokens> {
        let (input, output) = (self.input, self.output);
        input.or(output)?;
        let (reasoning, cache_read) = (self.reasoning.unwrap_or(0), self.cache_read.unwrap_or(0));
        let without =
            |all: Option<u64>, part| all.unwrap_or(0).saturating_sub(if self.is_inclusive { part } else { 0 });
        Some(Tokens {
            input: without(input, cache_read),
            output: without(output, reasoning),
            reasoning,
            cache_read,
            cache_write: self.cache_write.unwrap_or(0),
        })
    }
}

/// Some servers count in fractions.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is checked to be a count")]
fn whole(number: f64) -> Option<u64> {
    (number.is_finite() && (0.0..9e15).contains(&number)).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn counted(parts: &[Value]) -> Option<Tokens> {
        let mut counted = Counted::default();
        for part in parts {
            counted.read(part);
        }
        counted.tokens()
    }

    fn tokens(input: u64, output: u64, reasoning: u64, cache_read: u64, cache_write: u64) -> Option<Tokens> {
        Some(Tokens { input, output, reasoning, cache_read, cache_write })
    }

    #[test]
    fn the_same_call_counts_the_same_in_each_form() {
        let chat = json!({ "choices": [], "usage": { "prompt_tokens": 100, "completion_tokens": 30,
            "prompt_tokens_details": { "cached_tokens": 40 }, "completion_tokens_details": { "reasoning_tokens": 10 } } });
        assert_eq!(counted(&[json!({ "usage": null }), chat]), tokens(60, 20, 10, 40, 0));
        let responses = json!({ "type": "response.completed", "response": { "usage": { "input_tokens": 100,
            "output_tokens": 30, "input_tokens_details": { "cached_tokens": 40 },
            "output_tokens_details": { "reasoning_tokens": 10 } } } });
        assert_eq!(counted(&[responses]), tokens(60, 20, 10, 40, 0));
        let gemini = json!({ "usageMetadata": { "promptTokenCount": 100, "cachedContentTokenCount": 40,
            "candidatesTokenCount": 20, "thoughtsTokenCount": 10 } });
        assert_eq!(counted(&[gemini.clone(), gemini]), tokens(60, 20, 10, 40, 0));
    }

    #[test]
    fn anthropics_count_grows_within_its_stream() {
        let start = json!({ "type": "message_start", "message": { "usage": { "input_tokens": 60, "output_tokens": 1,
            "cache_read_input_tokens": 40, "cache_creation_input_tokens": 5 } } });
        let delta = json!({ "type": "message_delta", "usage": { "output_tokens": 30 } });
        assert_eq!(counted(&[start, delta]), tokens(60, 30, 0, 40, 5));
    }

    #[test]
    fn what_is_not_said_is_not_counted_and_nonsense_is_not_believed() {
        assert_eq!(counted(&[json!({ "choices": [] }), json!({ "usage": {} })]), None);
        let odd = json!({ "usage": { "prompt_tokens": 7.0, "completion_tokens": -3,
            "prompt_tokens_details": { "cached_tokens": 99 } } });
        assert_eq!(counted(&[odd]), tokens(0, 0, 0, 99, 0));
    }
}
