//! An agent's policy: the stages at which its jobs stop for a person.

use crate::domain::agents::Program;
use crate::domain::refusal::Refusal;
use crate::domain::text;
use terarchitect_worker_api::{CheckpointStage, Stop};

/// Checks an agent's policy. Returns it with its texts trimmed, without those that are empty.
///
/// # Errors
/// When a stage comes twice or can't be one of this program's, or a text is too long.
pub fn checked(stops: Vec<Stop>, program: Program) -> Result<Vec<Stop>, Refusal> {
    let mut checked: Vec<Stop> = Vec::new();
    for stop in stops {
        let stage = stop.stage.as_str();
        if checked.iter().any(|other| other.stage == stop.stage) {
            return Err(Refusal::invalid(format!("'checkpoints' has the stage {stage} twice.")));
        }
        match (stop.stage, program) {
            (CheckpointStage::Question, program) if program != Program::Cursor && !stop.kind.blocks() => {
                let sentence = "A question waits for its answer: in 'checkpoints', the type of the stage question is approval_required.";
                return Err(Refusal::invalid(sentence));
            }
            (CheckpointStage::Budget, _) => {
                let sentence = "The stage budget is not for 'checkpoints': a job stops there by itself once its budget is used up.";
                return Err(Refusal::invalid(sentence));
            }
            (not_start, Program::Cursor) if not_start != CheckpointStage::Start => {
                let sentence = format!(
                    "Cursor's agents do not stop in the midst of their work: of 'checkpoints', they take start alone, not {stage}."
                );
                return Err(Refusal::invalid(sentence));
            }
            _ => {}
        }
        let short = |field, text: Option<String>| {
            text.filter(|text| !text.trim().is_empty()).map(|text| text::title(field, &text)).transpose()
        };
        checked.push(Stop {
            message: short("checkpoints.message", stop.message)?,
            name: short("checkpoints.name", stop.name)?,
            ..stop
        });
    }
    Ok(checked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn policy(stops: Value, program: Program) -> Result<Vec<Stop>, Refusal> {
        checked(serde_json::from_value(stops).unwrap(), program)
    }

    #[test]
    fn each_stage_comes_once_and_texts_are_trimmed() {
        let stops = json!([{"stage": "plan", "type": "approval_required", "message": " Go? ", "name": " "},
            {"stage": "output", "type": "info"}]);
        let stops = policy(stops, Program::OpenCode).unwrap();
        assert_eq!((stops[0].message.as_deref(), stops[0].name.as_deref(), stops.len()), (Some("Go?"), None, 2));
        let twice = json!([{"stage": "plan", "type": "info"}, {"stage": "plan", "type": "error"}]);
        assert!(policy(twice, Program::OpenCode).unwrap_err().message.contains("plan twice"));
        let long = json!([{"stage": "plan", "type": "info", "message": "x".repeat(10_000)}]);
        assert!(policy(long, Program::OpenCode).is_err());
    }

    #[test]
    fn a_stage_that_nothing_stops_at_is_refused() {
        let of = |stage: &str| json!([{"stage": stage, "type": "approval_required"}]);
        assert!(policy(of("question"), Program::OpenCode).is_ok());
        let info = json!([{"stage": "question", "type": "info"}]);
        assert!(policy(info, Program::OpenCode).unwrap_err().message.contains("waits for its answer"));
        assert!(policy(of("question"), Program::Cursor).is_err());
        assert!(policy(of("start"), Program::Cursor).is_ok());
        assert!(policy(of("plan"), Program::Cursor).unwrap_err().message.contains("not plan"));
    }
}
