//! Parses the Director's answers. Pure, and strict: an answer of a wrong shape is an error that says why, never a guess.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// What the Director says about a plan.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct PlanVerdict {
    pub(super) approved: bool,
    #[serde(default, deserialize_with = "optional")]
    pub(super) feedback: Option<String>,
}

/// What the Director says about a turn.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct TurnVerdict {
    pub(super) complete: bool,
    #[serde(default, deserialize_with = "optional")]
    pub(super) summary: Option<String>,
    #[serde(default, deserialize_with = "optional")]
    pub(super) instructions: Option<String>,
    #[serde(default, deserialize_with = "optional")]
    pub(super) reason: Option<String>,
    #[serde(default, deserialize_with = "optional")]
    pub(super) blocked: Option<String>,
}

/// The shapes, to show to a Director whose answer had another one.
pub(super) const PLAN_SHAPE: &str = r#"{"approved": true or false, "feedback": "text"}"#;
pub(super) const TURN_SHAPE: &str =
    r#"{"complete": true or false, "summary": "text", "instructions": "text", "reason": "text", "blocked": "text"}"#;

impl PlanVerdict {
    /// Parses the answer to a plan review. The error is text for the Director.
    pub(super) fn parse(answer: &str) -> Result<Self, String> {
        let verdict: Self = object(answer)?;
        if !verdict.approved && verdict.feedback.is_none() {
            return Err("`feedback` must say what has to change, since `approved` is false".to_owned());
        }
        Ok(verdict)
    }
}

impl TurnVerdict {
    /// Parses the answer to a turn review. The error is text for the Director.
    pub(super) fn parse(answer: &str) -> Result<Self, String> {
        let verdict: Self = object(answer)?;
        if verdict.complete && verdict.summary.is_none() {
            return Err("`summary` must say what was done, since `complete` is true".to_owned());
        }
        if !verdict.complete && verdict.instructions.is_none() && verdict.blocked.is_none() {
            return Err("`instructions` must say what to do next, since `complete` is false".to_owned());
        }
        Ok(verdict)
    }
}

/// Exactly one JSON object. Reasoning in tags before it and a fence around it are accepted, nothing else.
fn object<T: DeserializeOwned>(answer: &str) -> Result<T, String> {
    let text = without_fence(without_thoughts(answer.trim()));
    if text.is_empty() {
        return Err("it was empty".to_owned());
    }
    let object: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| format!("it is not exactly one JSON object ({error})"))?;
    serde_json::from_value(Value::Object(object)).map_err(|error| error.to_string())
}

/// Some models write their reasoning in tags before they answer.
fn without_thoughts(text: &str) -> &str {
    match text.strip_prefix("<think>").and_then(|thoughts| thoughts.split_once("</think>")) {
        Some((_, answer)) => answer.trim(),
        None => text,
    }
}

fn without_fence(text: &str) -> &str {
    let inner = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    match inner.and_then(|inner| inner.split_once('\n')) {
        Some((language, body)) if matches!(language.trim(), "" | "json") => body.trim(),
        _ => text,
    }
}

/// Absent, `null` and blank texts all count as none.
fn optional<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_bare_fenced_or_after_thoughts() {
        let bare = r#"{"approved": true, "feedback": ""}"#;
        for answer in [
            bare.to_owned(),
            format!("```json\n{bare}\n```"),
            format!("```\n{bare}\n```"),
            format!("<think>hm {{</think>\n{bare}"),
        ] {
            assert_eq!(PlanVerdict::parse(&answer), Ok(PlanVerdict { approved: true, feedback: None }), "{answer}");
        }
    }

    #[test]
    fn anything_but_one_object_of_the_right_shape_is_refused_with_a_reason() {
        for answer in [
            "",
            "Approved!",
            "[true]",
            r#"{"approved": "yes"}"#,
            r#"{"feedback": "x"}"#,
            r#"{"approved": false}"#,
            r#"Sure: {"approved": true}"#,
            r#"{"approved": true} {"approved": false}"#,
        ] {
            assert!(PlanVerdict::parse(answer).is_err(), "{answer}");
        }
    }

    #[test]
    fn an_unfinished_ticket_needs_instructions_and_a_finished_one_a_summary() {
        assert!(TurnVerdict::parse(r#"{"complete": false, "summary": "half"}"#).unwrap_err().contains("instructions"));
        assert!(TurnVerdict::parse(r#"{"complete": true, "summary": " "}"#).unwrap_err().contains("summary"));
        let verdict =
            TurnVerdict::parse(r#"{"complete": true, "summary": "All", "reason": null, "extra": 1}"#).unwrap();
        assert_eq!((verdict.summary.as_deref(), verdict.reason), (Some("All"), None));
    }
}
