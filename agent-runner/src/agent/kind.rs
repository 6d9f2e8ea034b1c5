//! Which agent programs there are.

use crate::wire::Wire;

/// A coding agent program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AgentKind {
    /// OpenCode, driven through its own server.
    #[default]
    OpenCode,
    /// OpenCode, over ACP.
    OpenCodeAcp,
    /// Claude Code, over ACP.
    Claude,
    /// Codex, over ACP.
    Codex,
    /// Gemini CLI, over ACP.
    Gemini,
    /// Qwen Code, over ACP.
    Qwen,
    /// Kimi Code, over ACP.
    Kimi,
    /// Copilot CLI, over ACP.
    Copilot,
    /// Any command line, a process for each turn.
    Command,
    /// Cursor's Cloud Agents, which work in its cloud.
    Cursor,
}

/// A name that is not an agent's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a supported agent; set it to one of: {}", AgentKind::names())]
pub struct UnknownAgent {
    /// The name as given.
    pub name: String,
}

impl AgentKind {
    /// Every program.
    pub const ALL: &'static [Self] = &[
        Self::OpenCode,
        Self::OpenCodeAcp,
        Self::Claude,
        Self::Codex,
        Self::Gemini,
        Self::Qwen,
        Self::Kimi,
        Self::Copilot,
        Self::Command,
        Self::Cursor,
    ];

    /// The program's name in settings (`WORKER_MODE`).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenCode => "opencode",
            Self::OpenCodeAcp => "opencode-acp",
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Qwen => "qwen",
            Self::Kimi => "kimi",
            Self::Copilot => "copilot",
            Self::Command => "command",
            Self::Cursor => "cursor",
        }
    }

    /// The form in which it speaks to its model.
    #[must_use]
    pub const fn wire(self) -> Wire {
        match self {
            Self::OpenCode
            | Self::OpenCodeAcp
            | Self::Qwen
            | Self::Kimi
            | Self::Copilot
            | Self::Command
            | Self::Cursor => Wire::Chat,
            Self::Claude => Wire::Messages,
            Self::Codex => Wire::Responses,
            Self::Gemini => Wire::Gemini,
        }
    }

    fn names() -> String {
        Self::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl std::str::FromStr for AgentKind {
    type Err = UnknownAgent;

    /// Reads a name, in any case.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|kind| kind.as_str().eq_ignore_ascii_case(name.trim()));
        found.copied().ok_or_else(|| UnknownAgent { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_agent_is_an_error_that_names_the_known_ones() {
        assert_eq!(" OpenCode ".parse(), Ok(AgentKind::OpenCode));
        assert_eq!("cursor".parse(), Ok(AgentKind::Cursor));
        let error = "other".parse::<AgentKind>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"other\" is not a supported agent; set it to one of: opencode, opencode-acp, claude, codex, gemini, qwen, \
             kimi, copilot, command, cursor"
        );
    }
}
