//! What a failed model call means. Pure.

use super::wire::MessageError;
use crate::agent::ModelFailure;

/// The kind of a message's error. `None` for what ends a turn but is not a failure of the model.
pub(super) fn classify(error: &MessageError) -> Option<ModelFailure> {
    match error.name.as_str() {
        // The model reached its limit for one answer: what it did so far counts, and the next turn continues from there.
        "MessageOutputLengthError" => None,
        "ContextOverflowError" => Some(ModelFailure::ContextOverflow),
        "ProviderAuthError" => Some(ModelFailure::Unauthorized),
        "ContentFilterError" => Some(ModelFailure::Refused),
        "MessageAbortedError" => Some(ModelFailure::Unavailable),
        _ => Some(classify_response(error)),
    }
}

/// A sentence about the error for people.
pub(super) fn describe(error: &MessageError) -> String {
    let data = &error.data;
    let words = if data.message.is_empty() { error.name.as_str() } else { data.message.as_str() };
    match data.status_code {
        // The gateway's own words say what happened behind it.
        Some(status) if ModelFailure::of_gateway(&data.response_body).is_none() => {
            format!("it returned {status}: {words}")
        }
        _ => words.to_owned(),
    }
}

fn classify_response(error: &MessageError) -> ModelFailure {
    let data = &error.data;
    let words = format!("{} {}", data.message, data.response_body);
    if let Some(kind) = ModelFailure::of_gateway(&data.response_body) {
        return kind;
    }
    match data.status_code {
        Some(status @ 400..) => ModelFailure::of_status(status, &words),
        _ if data.is_retryable || sounds_like_network(&words.to_lowercase()) => ModelFailure::Unavailable,
        _ => ModelFailure::Other,
    }
}

/// Errors below HTTP have no status, only a text.
fn sounds_like_network(words: &str) -> bool {
    let signs =
        ["timed out", "timeout", "unable to connect", "econn", "socket", "network", "terminated", "fetch failed"];
    signs.iter().any(|sign| words.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kind(error: serde_json::Value) -> Option<ModelFailure> {
        classify(&serde_json::from_value(error).unwrap())
    }

    fn returned(status: u16, message: &str) -> Option<ModelFailure> {
        kind(json!({ "name": "APIError", "data": { "message": message, "statusCode": status, "isRetryable": false } }))
    }

    #[test]
    fn a_wrong_setting_is_told_apart_from_a_failure_that_may_pass() {
        assert_eq!(returned(401, "bad key"), Some(ModelFailure::Unauthorized));
        assert_eq!(returned(403, "no access"), Some(ModelFailure::Unauthorized));
        assert_eq!(returned(404, "no such thing"), Some(ModelFailure::NotFound));
        assert_eq!(returned(400, "The model `x` does not exist"), Some(ModelFailure::NotFound));
        assert_eq!(returned(400, "temperature is not supported"), Some(ModelFailure::Refused));
        assert_eq!(returned(429, "slow down"), Some(ModelFailure::RateLimited));
        assert_eq!(returned(503, "overloaded"), Some(ModelFailure::Unavailable));
    }

    #[test]
    fn errors_below_http_are_recognised_by_their_words() {
        let unknown = |message: &str| kind(json!({ "name": "UnknownError", "data": { "message": message } }));
        assert_eq!(unknown("The operation timed out."), Some(ModelFailure::Unavailable));
        assert_eq!(
            unknown("Unable to connect. Is the computer able to access the url?"),
            Some(ModelFailure::Unavailable)
        );
        assert_eq!(unknown("undefined is not a function"), Some(ModelFailure::Other));
    }

    #[test]
    fn an_answer_cut_at_its_length_limit_is_not_a_failure() {
        assert_eq!(kind(json!({ "name": "MessageOutputLengthError", "data": {} })), None);
    }
}
