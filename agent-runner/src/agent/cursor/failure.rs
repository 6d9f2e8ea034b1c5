//! What Cursor's refusals, and the ends of its agents, mean for a turn. Pure.

use crate::agent::{AgentError, CloudFailure};
use terarchitect_cursor::{Agent, CursorError, Status};

/// The most of an agent's own words in an error, in bytes.
const MAX_WORDS_BYTES: usize = 600;

/// What a call that failed means.
pub(super) fn failed(error: CursorError) -> AgentError {
    let of = match &error {
        error if error.may_pass() => CloudFailure::Cloud,
        CursorError::Denied { .. } => CloudFailure::Settings,
        _ => CloudFailure::Agent,
    };
    AgentError::Cloud { message: error.to_string(), of }
}

/// What a launch that failed means: what Cursor does not accept, such as a model or a repository, is a setting.
pub(super) fn not_launched(error: CursorError) -> AgentError {
    match error {
        CursorError::Refused { .. } | CursorError::NotFound { .. } => {
            AgentError::Cloud { message: error.to_string(), of: CloudFailure::Settings }
        }
        error => failed(error),
    }
}

/// What the end of an agent means that has not finished its work; none for one that has.
pub(super) fn ended(agent: &Agent) -> Option<AgentError> {
    let page = agent.url.as_deref().map(|page| format!(" ({page})")).unwrap_or_default();
    let message = match agent.status {
        Status::Finished | Status::Creating | Status::Running => return None,
        Status::Error => match words(agent) {
            Some(words) => format!("Cursor's agent failed: {words}{page}"),
            None => format!("Cursor's agent failed without saying why: look at its page at Cursor{page}"),
        },
        Status::Expired => {
            format!(
                "Cursor ended the agent's work before it was done: start the ticket again, or make it smaller{page}"
            )
        }
        Status::Cancelled => format!("the agent was stopped at Cursor: start the ticket again{page}"),
    };
    Some(AgentError::Cloud { message, of: CloudFailure::Agent })
}

/// What the agent says about its end, as one line.
fn words(agent: &Agent) -> Option<String> {
    let mut text = agent.summary.as_deref()?.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = text.floor_char_boundary(MAX_WORDS_BYTES);
    if end < text.len() {
        text.truncate(end);
        text.push('…');
    }
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_refused_is_a_setting_and_a_limit_passes() {
        let denied = failed(CursorError::Denied { message: "no".to_owned() });
        assert!(denied.is_misconfiguration() && !denied.is_infrastructure());
        let unavailable = failed(CursorError::Unavailable { message: "502".to_owned() });
        assert!(unavailable.is_infrastructure() && !unavailable.is_misconfiguration());
        let refused = || CursorError::Refused { what: "the launch", message: "no such model".to_owned() };
        assert!(not_launched(refused()).is_misconfiguration());
        assert!(!failed(refused()).is_misconfiguration() && !failed(refused()).is_infrastructure());
    }

    #[test]
    fn an_end_is_told_in_one_line() {
        let agent = |status, summary: &str| Agent {
            id: "bc_1".to_owned(),
            status,
            url: Some("https://cursor.com/agents?id=bc_1".to_owned()),
            branch: None,
            pull: None,
            summary: Some(summary.to_owned()),
            run: None,
        };
        assert!(ended(&agent(Status::Finished, "Done.")).is_none());
        let error = ended(&agent(Status::Error, "npm\nfailed")).unwrap();
        assert_eq!(error.to_string(), "Cursor's agent failed: npm failed (https://cursor.com/agents?id=bc_1)");
        assert!(ended(&agent(Status::Error, &"x".repeat(5000))).unwrap().to_string().len() < 700);
        for status in [Status::Error, Status::Expired, Status::Cancelled] {
            let error = ended(&agent(status, " ")).unwrap();
            assert!(!error.is_infrastructure() && !error.is_misconfiguration(), "{error}");
        }
    }
}
