//! How a turn, or the agent as a whole, can fail, and what that means for the job.

use crate::gateway::ModelFailure;
use crate::stuck::Found;
use std::fmt;
use std::time::Duration;

/// Why the agent could not do its turn. Each is a sentence that says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The attempt was cancelled; the agent is idle.
    #[error("the turn was cancelled")]
    Cancelled,
    /// The turn took too long; the agent was aborted.
    #[error(
        "the agent's turn took longer than {} seconds and was stopped: raise WORKER_TIMEOUT_SEC, or make the ticket \
         smaller",
        after.as_secs()
    )]
    Timeout {
        /// The limit of a turn.
        after: Duration,
    },
    /// The agent is stuck, also after a warning and a compaction; it was aborted.
    #[error(
        "the agent {found}, also after a warning, and was stopped: use another model (WORKER_MODEL), or make the \
         ticket's description clearer"
    )]
    Stuck {
        /// How it is stuck.
        found: Found,
    },
    /// The agent asked something and was stopped for that. A turn that ends so is no error of the agent.
    #[error("the agent asked for an answer of a person: {}", asked.text())]
    Asked {
        /// What it asked.
        asked: Box<super::Asked>,
    },
    /// The agent's language model failed.
    #[error("{} ({message})", advice(*kind))]
    Model {
        /// What kind of failure.
        kind: ModelFailure,
        /// What the model's server said.
        message: String,
    },
    /// The agent's program could not be run at all.
    #[error("could not run {program}: {advice}")]
    Missing {
        /// The program.
        program: String,
        /// How to install it, or which setting names another one.
        advice: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The agent could not be started.
    #[error("could not start the agent: {message}{}", tail(stderr_tail))]
    Startup {
        /// What went wrong.
        message: String,
        /// The last lines that it printed.
        stderr_tail: String,
    },
    /// The agent's server that a setting names refuses the runner, or is something else.
    #[error("{message}")]
    Server {
        /// What is wrong, and which setting to check.
        message: String,
    },
    /// The agent can't work in this repository as it is.
    #[error("the agent can't work in this repository: check its {files}: {message}")]
    Workspace {
        /// The files that configure this agent.
        files: &'static str,
        /// What the agent said.
        message: String,
    },
    /// The agent's process ended between its start and its shutdown.
    #[error("the agent's process ended unexpectedly ({exit}): start the ticket again{}", tail(stderr_tail))]
    Died {
        /// Its exit status, as words.
        exit: String,
        /// The last lines that it printed.
        stderr_tail: String,
    },
    /// The command that is the agent ended a turn with a failure.
    #[error(
        "the agent's command failed ({exit}): correct AGENT_COMMAND, or what it says is wrong{}",
        tail(last_output)
    )]
    Failed {
        /// Its exit status, as words.
        exit: String,
        /// The last that it printed.
        last_output: String,
    },
    /// The cloud that the agent works in refused the runner or failed, or the agent failed there.
    #[error("{message}")]
    Cloud {
        /// What happened, and what to do about it.
        message: String,
        /// Whose failure it is.
        of: CloudFailure,
    },
    /// The agent's response is not what this version of the runner understands, or there was none.
    #[error("{attempted} failed: {message}; check that this version of the agent is supported")]
    Protocol {
        /// What was attempted.
        attempted: String,
        /// What happened instead.
        message: String,
    },
}

/// Whose failure it is that an agent in a cloud did not do its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudFailure {
    /// A setting is wrong.
    Settings,
    /// The cloud fails at this moment.
    Cloud,
    /// The agent failed.
    Agent,
}

impl AgentError {
    /// Whether the environment failed rather than the agent, so that another attempt may succeed (exit code 75).
    #[must_use]
    pub fn is_infrastructure(&self) -> bool {
        match self {
            Self::Died { .. } | Self::Startup { .. } | Self::Protocol { .. } => true,
            Self::Model { kind, .. } => kind.may_pass(),
            Self::Cloud { of, .. } => *of == CloudFailure::Cloud,
            Self::Cancelled
            | Self::Timeout { .. }
            | Self::Stuck { .. }
            | Self::Asked { .. }
            | Self::Missing { .. }
            | Self::Failed { .. }
            | Self::Server { .. }
            | Self::Workspace { .. } => false,
        }
    }

    /// Whether the attempt's budget is used up.
    #[must_use]
    pub fn is_budget(&self) -> bool {
        matches!(self, Self::Model { kind: ModelFailure::Budget, .. })
    }

    /// Whether a setting is wrong, so that no attempt can succeed before a person changes it (exit code 2).
    #[must_use]
    pub fn is_misconfiguration(&self) -> bool {
        match self {
            Self::Missing { .. } | Self::Server { .. } | Self::Workspace { .. } => true,
            Self::Model { kind, .. } => matches!(kind, ModelFailure::Unauthorized | ModelFailure::NotFound),
            Self::Cloud { of, .. } => *of == CloudFailure::Settings,
            _ => false,
        }
    }
}

/// What happened and what to do, as a sentence without its end.
fn advice(kind: ModelFailure) -> &'static str {
    match kind {
        ModelFailure::Unauthorized => "the agent's model refused the key: check WORKER_API_KEY and WORKER_LLM_URL",
        ModelFailure::NotFound => "the agent's model was not found: check WORKER_MODEL and WORKER_LLM_URL",
        ModelFailure::Refused => "the agent's model refused the request",
        ModelFailure::RateLimited => {
            "the agent's model is over its rate limit or budget: raise the limit, or start the ticket again later"
        }
        ModelFailure::Budget => "the agent's model is not asked any more",
        ModelFailure::Unavailable => "the agent's model is unavailable: start the ticket again later",
        ModelFailure::ContextOverflow => {
            "the conversation is too long for the agent's model: make the ticket smaller or use a model \
             with a longer context"
        }
        ModelFailure::Compaction => "the agent's conversation could not be compacted",
        ModelFailure::Other => "the agent's model call failed",
    }
}

/// The last output as an appendix, or nothing.
fn tail(output: &str) -> impl fmt::Display + '_ {
    let shown = output.trim();
    if shown.is_empty() { String::new() } else { format!("; its last output: {shown}") }
}
