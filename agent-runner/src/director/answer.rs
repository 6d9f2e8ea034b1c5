//! Parses the Director's answers. Pure. What stands around the object, and the form of its values, do not matter; an
//! object that lacks what was asked for is an error that says why, never a guess.

use super::acceptance::{self, Judgement};
use super::lenient::{sentence, yes_or_no};
use super::objects::objects;
use super::replies::{self, Replies};
use serde_json::{Map, Value};

/// What the Director says about a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlanVerdict {
    pub(super) approved: bool,
    pub(super) feedback: Option<String>,
}

/// What the Director says about a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TurnVerdict {
    pub(super) complete: bool,
    pub(super) summary: Option<String>,
    pub(super) instructions: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) blocked: Option<String>,
    /// Of a review: what is replied in each thread.
    pub(super) replies: Replies,
    /// What it says about each acceptance line.
    pub(super) acceptance: Judgement,
}

/// The shapes, to show to a Director whose answer had another one.
pub(super) const PLAN_SHAPE: &str = r#"{"approved": true or false, "feedback": "text"}"#;
pub(super) const TURN_SHAPE: &str =
    r#"{"complete": true or false, "summary": "text", "instructions": "text", "reason": "text", "blocked": "text"}"#;
pub(super) const REVIEW_SHAPE: &str = r#"{"complete": true or false, "summary": "text", "replies": {"1": "text"}, "instructions": "text", "reason": "text"}"#;

impl PlanVerdict {
    /// Parses the answer to a plan review. The error is text for the Director.
    pub(super) fn parse(answer: &str) -> Result<Self, String> {
        last_that_fits(answer, |object| {
            let verdict = Self { approved: decision(object, "approved")?, feedback: object.text("feedback") };
            if !verdict.approved && verdict.feedback.is_none() {
                return Err("`feedback` must say what has to change, since `approved` is false".to_owned());
            }
            Ok(verdict)
        })
    }
}

impl TurnVerdict {
    /// Parses the answer to a turn review. The error is text for the Director.
    pub(super) fn parse(answer: &str) -> Result<Self, String> {
        last_that_fits(answer, |object| {
            let verdict = Self {
                complete: decision(object, "complete")?,
                summary: object.text("summary"),
                instructions: object.text("instructions"),
                reason: object.text("reason"),
                blocked: object.text("blocked"),
                replies: object.get("replies").map(replies::of_value).unwrap_or_default(),
                acceptance: object.get("acceptance").map(acceptance::of_value).unwrap_or_default(),
            };
            if verdict.complete && verdict.summary.is_none() {
                return Err("`summary` must say what was done, since `complete` is true".to_owned());
            }
            if !verdict.complete && verdict.instructions.is_none() && verdict.blocked.is_none() {
                return Err("`instructions` must say what to do next, since `complete` is false".to_owned());
            }
            Ok(verdict)
        })
    }
}

/// An object whose names are read in any case.
struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        let named = || self.0.iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value);
        self.0.get(name).or_else(named)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(sentence)
    }
}

fn decision(object: &Fields<'_>, name: &str) -> Result<bool, String> {
    let value = object.get(name).ok_or_else(|| format!("`{name}` is missing"))?;
    yes_or_no(value).ok_or_else(|| format!("`{name}` must be true or false"))
}

/// The last object of the answer that fits: models correct themselves. Where none fits, the problem of the last one.
fn last_that_fits<T>(answer: &str, parse: impl Fn(&Fields<'_>) -> Result<T, String>) -> Result<T, String> {
    if answer.trim().is_empty() {
        return Err("it was empty".to_owned());
    }
    let mut problem = None;
    for object in objects(answer).iter().rev() {
        match parse(&Fields(object)) {
            Ok(verdict) => return Ok(verdict),
            Err(error) => {
                problem.get_or_insert(error);
            }
        }
    }
    Err(problem.unwrap_or_else(|| "it has no JSON object that is whole".to_owned()))
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
    fn what_lacks_a_decision_is_refused_with_a_reason() {
        for answer in [
            "",
            "Approved!",
            "[true]",
            r#"{"approved": "perhaps"}"#,
            r#"{"feedback": "x"}"#,
            r#"{"approved": false}"#,
            r#"{"approved": true"#,
        ] {
            assert!(PlanVerdict::parse(answer).is_err(), "{answer}");
        }
    }

    #[test]
    fn the_last_verdict_counts_in_whatever_form() {
        for answer in [
            r#"Sure: {"Approved": "Yes"}"#,
            r#"{"approved": false, "feedback": "x"} No, rather {"approved": true}"#,
            r#"{"name": "answer", "arguments": {"approved": true, "feedback": []}}"#,
            r#"{"approved": true} As in the example {"name": "demo"}"#,
        ] {
            assert_eq!(PlanVerdict::parse(answer), Ok(PlanVerdict { approved: true, feedback: None }), "{answer}");
        }
    }

    #[test]
    fn an_unfinished_ticket_needs_instructions_and_a_finished_one_a_summary() {
        assert!(TurnVerdict::parse(r#"{"complete": false, "summary": "half"}"#).unwrap_err().contains("instructions"));
        assert!(TurnVerdict::parse(r#"{"complete": true, "summary": " "}"#).unwrap_err().contains("summary"));
        let verdict =
            TurnVerdict::parse(r#"{"complete": true, "summary": "All", "reason": null, "extra": 1}"#).unwrap();
        assert_eq!((verdict.summary.as_deref(), verdict.reason), (Some("All"), None));
        assert!(verdict.replies.is_empty());
        let verdict =
            TurnVerdict::parse(r#"{"complete": true, "summary": "All", "Replies": {"1": "Renamed."}}"#).unwrap();
        assert_eq!(verdict.replies.get(&1).map(String::as_str), Some("Renamed."));
    }
}
