//! How a turn, or the agent as a whole, can fail, and what that means for the job.

use std::fmt;
use std::time::Duration;

/// Why the agent could not do its turn. Each is a sentence that says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The run was cancelled; the agent is idle.
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
    /// The agent's language model failed.
    #[error("{}: {message}", kind.advice())]
    Model {
        /// What kind of failure.
        kind: ModelFailure,
        /// What the model's server said.
        message: String,
    },
    /// The agent's binary could not be run at all.
    #[error("could not run {binary}: install OpenCode (npm install -g opencode-ai), or set OPENCODE_BIN to its path")]
    Missing {
        /// What was tried.
        binary: String,
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
    /// The server that was named refuses us or is none.
    #[error("{message}")]
    Server {
        /// What to set right.
        message: String,
    },
    /// The agent can't work in this repository as it is.
    #[error("the agent can't work in this repository, check its opencode.json and .opencode/: {message}")]
    Workspace {
        /// What the agent said.
        message: String,
    },
    /// The agent's process ended during the run.
    #[error("the agent's process ended during the run ({exit}): try the ticket again{}", tail(stderr_tail))]
    Died {
        /// Its exit status, as words.
        exit: String,
        /// The last lines that it printed.
        stderr_tail: String,
    },
    /// The agent answered what this version of the runner does not understand, or stopped answering.
    #[error("{attempted} failed: {message}; check that this version of the agent is a supported one")]
    Protocol {
        /// What was attempted.
        attempted: String,
        /// What came instead.
        message: String,
    },
}

/// What kind of failure the model's server reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelFailure {
    /// The key is refused.
    Unauthorized,
    /// The model or the address does not exist there.
    NotFound,
    /// The request is refused for another reason that repeating does not cure.
    Refused,
    /// Too many requests, or no budget left.
    RateLimited,
    /// The server fails, is unreachable or went silent.
    Unavailable,
    /// The conversation is longer than the model takes, even after compaction.
    ContextOverflow,
    /// Compacting the conversation failed.
    Compaction,
    /// Anything else.
    Other,
}

impl ModelFailure {
    /// What happened and what to do, as the first half of a sentence.
    fn advice(self) -> &'static str {
        match self {
            Self::Unauthorized => "the worker's model refused the key, check WORKER_API_KEY and WORKER_LLM_URL",
            Self::NotFound => "the worker's model was not found, check WORKER_MODEL and WORKER_LLM_URL",
            Self::Refused => "the worker's model refused the request",
            Self::RateLimited => "the worker's model is over its rate limit or budget, try again later",
            Self::Unavailable => "the worker's model did not answer properly, try again later",
            Self::ContextOverflow => {
                "the conversation is longer than the worker's model takes, make the ticket smaller or use a model \
                 with a longer context"
            }
            Self::Compaction => "compacting the conversation failed",
            Self::Other => "the worker's model call failed",
        }
    }

    /// Whether the same request may succeed in a moment.
    #[must_use]
    pub fn may_pass(self) -> bool {
        matches!(self, Self::RateLimited | Self::Unavailable)
    }
}

impl WorkerError {
    /// Whether the surroundings failed rather than the agent, so that the job deserves another try (exit code 75).
    #[must_use]
    pub fn is_infrastructure(&self) -> bool {
        match self {
            Self::Died { .. } | Self::Startup { .. } | Self::Protocol { .. } => true,
            Self::Model { kind, .. } => kind.may_pass(),
            Self::Cancelled
            | Self::Timeout { .. }
            | Self::Missing { .. }
            | Self::Server { .. }
            | Self::Workspace { .. } => false,
        }
    }

    /// Whether a setting is wrong, so that no other try can succeed before a person changes it (exit code 2).
    #[must_use]
    pub fn is_misconfiguration(&self) -> bool {
        match self {
            Self::Missing { .. } | Self::Server { .. } | Self::Workspace { .. } => true,
            Self::Model { kind, .. } => matches!(kind, ModelFailure::Unauthorized | ModelFailure::NotFound),
            _ => false,
        }
    }
}

/// The last output as an appendix, or nothing.
fn tail(output: &str) -> impl fmt::Display + '_ {
    let shown = output.trim();
    if shown.is_empty() { String::new() } else { format!("; it last said: {shown}") }
}
