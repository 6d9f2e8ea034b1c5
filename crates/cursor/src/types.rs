//! What both versions speak about.

use serde_json::Value;
use std::fmt;

/// How an agent's work stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Its machine is being made.
    Creating,
    /// It works. Also what a status means that is not known here: the agent may still go on.
    Running,
    /// It has done what it could.
    Finished,
    /// It failed.
    Error,
    /// Cursor ended it, because it took too long or was not used.
    Expired,
    /// It was stopped on request.
    Cancelled,
}

impl Status {
    /// Reads Cursor's word.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word.to_ascii_uppercase().as_str() {
            "CREATING" | "PENDING" | "QUEUED" => Self::Creating,
            "FINISHED" | "COMPLETED" => Self::Finished,
            "ERROR" | "FAILED" => Self::Error,
            "EXPIRED" => Self::Expired,
            "CANCELLED" | "CANCELED" | "STOPPED" => Self::Cancelled,
            _ => Self::Running,
        }
    }

    /// Cursor's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Running => "RUNNING",
            Self::Finished => "FINISHED",
            Self::Error => "ERROR",
            Self::Expired => "EXPIRED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Whether nothing more comes by itself.
    #[must_use]
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Creating | Self::Running)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An agent, as far as Cursor tells about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its id: `bc_…` or `bc-…`.
    pub id: String,
    /// How its work stands: in v1, that of its latest run.
    pub status: Status,
    /// Where people see it.
    pub url: Option<String>,
    /// The branch that it works on, once there is one.
    pub branch: Option<String>,
    /// The address of its pull request, which may be missing even where there is one.
    pub pull: Option<String>,
    /// What it says about its work.
    pub summary: Option<String>,
    /// Its latest run, in v1.
    pub run: Option<String>,
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// Who launched the agent.
    User,
    /// The agent.
    Assistant,
}

/// A part of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// Who said it.
    pub from: Speaker,
    /// What was said.
    pub text: String,
}

/// Whose key it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The key's name.
    pub key_name: String,
    /// The person's address, where the key belongs to one.
    pub email: Option<String>,
}

/// A text that is there and not empty.
pub(crate) fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The address of a repository, which Cursor also writes without a scheme.
pub(crate) fn repository(value: &Value) -> Option<String> {
    let text = text(value)?;
    Some(if text.contains("://") { text } else { format!("https://{text}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_is_not_known_ends_nothing() {
        for status in [Status::Creating, Status::Finished, Status::Error, Status::Expired, Status::Cancelled] {
            assert_eq!(Status::parse(status.as_str()), status);
        }
        assert_eq!(Status::parse("finished"), Status::Finished);
        assert!(!Status::parse("DREAMING").is_over());
        assert!(Status::Expired.is_over() && !Status::Creating.is_over());
    }

    #[test]
    fn a_repository_has_a_scheme() {
        assert_eq!(repository(&"github.com/o/r".into()).unwrap(), "https://github.com/o/r");
        assert_eq!(repository(&"https://github.com/o/r".into()).unwrap(), "https://github.com/o/r");
        assert_eq!(repository(&Value::Null), None);
    }
}
