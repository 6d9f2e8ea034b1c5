//! How a prompt ended, from the agent's answer and what the gateway knows. Pure.

use super::peer::Refusal;
use super::record::failure;
use crate::agent::ModelFailure;
use crate::agent::options::Trouble;
use crate::agent::retry::Ending;
use serde_json::Value;

/// The code with which agents say that their key is refused.
const NO_LOGIN: i64 = -32_000;

/// `trouble` is why the model's last call failed, where it did. An agent that `tells_failures` has gone on after it where it says
/// nothing: the call was one beside the work.
pub(super) fn ending(answer: Result<Value, Refusal>, trouble: Option<Trouble>, tells_failures: bool) -> Ending {
    let told = match &answer {
        Err(refusal) => Some((Some(refusal.code), refusal.message.clone())),
        Ok(result) => {
            let failed = failure(result);
            let words = [&failed["title"], &failed["details"]].into_iter().filter_map(Value::as_str);
            (failed["severity"] == "error").then(|| (None, words.collect::<Vec<_>>().join(": ")))
        }
    };
    let trouble = trouble.filter(|_| told.is_some() || !tells_failures);
    match (told, trouble) {
        // What the gateway saw says more than what the agent made of it.
        (_, Some((kind, message))) => Ending::Failed { kind, message },
        (Some((code, message)), None) => {
            let kind = ModelFailure::of_gateway(&message).unwrap_or_else(|| kind_of(code, &message));
            Ending::Failed { kind, message }
        }
        (None, None) => match answer.ok().as_ref().and_then(|result| result["stopReason"].as_str()) {
            Some("refusal") => {
                Ending::Failed { kind: ModelFailure::Refused, message: "it refuses to answer".to_owned() }
            }
            // What was done so far counts, and the next turn goes on from there.
            _ => Ending::Finished,
        },
    }
}

fn kind_of(code: Option<i64>, message: &str) -> ModelFailure {
    let words = message.to_lowercase();
    let has = |signs: &[&str]| signs.iter().any(|sign| words.contains(sign));
    if has(&["prompt is too long", "context length", "context window", "too many tokens"]) {
        return ModelFailure::ContextOverflow;
    }
    if code == Some(NO_LOGIN) || has(&["401", "unauthorized", "invalid api key", "authentication"]) {
        return ModelFailure::Unauthorized;
    }
    if has(&["429", "rate limit", "quota"]) {
        return ModelFailure::RateLimited;
    }
    if has(&["500", "502", "503", "504", "529", "overloaded", "timed out", "timeout", "connection", "stream"]) {
        return ModelFailure::Unavailable;
    }
    ModelFailure::Other
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn failed(kind: ModelFailure, message: &str) -> Ending {
        Ending::Failed { kind, message: message.to_owned() }
    }

    #[test]
    fn the_end_of_a_turn_is_no_success_where_the_model_failed() {
        let ended = || Ok(json!({ "stopReason": "end_turn" }));
        assert_eq!(ending(ended(), None, false), Ending::Finished);
        let trouble = || Some((ModelFailure::Unavailable, "it returned 500".to_owned()));
        assert_eq!(ending(ended(), trouble(), false), failed(ModelFailure::Unavailable, "it returned 500"));
        assert_eq!(ending(ended(), trouble(), true), Ending::Finished, "it would have told");
        let beside = json!({ "stopReason": "end_turn", "_meta": { "jetbrains": { "air": { "sessionFailure": {
            "category": "service", "severity": "error", "title": "overloaded" } } } } });
        assert_eq!(ending(Ok(beside.clone()), None, true), failed(ModelFailure::Unavailable, "overloaded"));
        assert_eq!(ending(Ok(beside), trouble(), true), failed(ModelFailure::Unavailable, "it returned 500"));
    }

    #[test]
    fn a_warning_is_no_failure_and_a_refusal_is_one() {
        let warned = json!({ "stopReason": "end_turn", "_meta": { "jetbrains": { "air": { "sessionFailure": {
            "severity": "warning", "title": "retrying" } } } } });
        assert_eq!(ending(Ok(warned), None, true), Ending::Finished);
        assert_eq!(ending(Ok(json!({ "stopReason": "max_turn_requests" })), None, true), Ending::Finished);
        let refused = ending(Ok(json!({ "stopReason": "refusal" })), None, true);
        assert_eq!(refused, failed(ModelFailure::Refused, "it refuses to answer"));
    }

    #[test]
    fn an_error_is_told_by_its_words() {
        let kind = |code, message: &str| match ending(Err(Refusal { code, message: message.to_owned() }), None, true) {
            Ending::Failed { kind, .. } => kind,
            other => panic!("{other:?}"),
        };
        assert_eq!(kind(-32_000, "Authentication required"), ModelFailure::Unauthorized);
        assert_eq!(kind(-32_603, "API Error: 429 too many requests"), ModelFailure::RateLimited);
        assert_eq!(kind(-32_603, "Prompt is too long"), ModelFailure::ContextOverflow);
        assert_eq!(kind(-32_603, "something"), ModelFailure::Other);
    }
}
