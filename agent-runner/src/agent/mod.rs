//! The runner's interface to a coding agent program: [`start`] it, then drive one conversation in whole turns.
//!
//! This says what a turn is and how one can fail. How a program is started and driven is its own module's business
//! (`opencode`; `acp` for those that speak the Agent Client Protocol; `plain` for any command line; `cursor` for agents that work in
//! its cloud); processes, users and the end of what an agent leaves behind are shared by all programs. What a prompt
//! says is decided elsewhere.

mod acp;
mod command;
mod cursor;
mod directories;
mod environment;
mod error;
mod events;
pub mod guard;
mod kind;
mod opencode;
mod options;
mod plain;
mod process;
mod reap;
mod retry;
mod turns;
pub mod users;

pub use crate::gateway::{ModelFailure, Tokens};
pub use command::{CommandEnd, CommandOptions, run_command};
pub use cursor::CursorOptions;
pub use error::{AgentError, CloudFailure};
pub use events::{AgentEvent, NoProgress, ProgressSink, TodoItem};
pub use kind::{AgentKind, UnknownAgent};
pub use options::{AgentOptions, LastTrouble, ModelLimits, ProjectConfig, Provider, ServerAddress, Trouble};
pub use turns::{Agent, Asked, ToolCall, ToolStatus, TurnOutput};

/// The agent that works in Cursor's cloud. No process is started, and nothing is asked before the first turn.
///
/// # Errors
/// The client of the cloud could not be set up.
pub fn in_cursors_cloud(options: CursorOptions) -> Result<Box<dyn Agent>, AgentError> {
    Ok(Box::new(cursor::CursorAgent::new(options)?))
}

/// An agent that was started before it is known what it works on. Dropping it ends it.
pub struct Prepared(opencode::PreparedOpenCode);

impl Prepared {
    /// Starts an agent with options that are expected. None for one that can't be started before its workspace is there.
    ///
    /// # Errors
    /// See [`start`].
    pub async fn start(kind: AgentKind, options: AgentOptions) -> Result<Option<Self>, AgentError> {
        match kind {
            AgentKind::OpenCode => Ok(Some(Self(opencode::PreparedOpenCode::start(options).await?))),
            _ => Ok(None),
        }
    }

    /// The agent that was started, if these options are what was expected, or another one, which is started now.
    ///
    /// # Errors
    /// See [`start`].
    pub async fn or_start(self, kind: AgentKind, options: AgentOptions) -> Result<Box<dyn Agent>, AgentError> {
        if kind != AgentKind::OpenCode {
            // Two agents at once would need the memory of both.
            drop(self);
            return start(kind, options).await;
        }
        match self.0.into_agent(options) {
            Ok(agent) => Ok(Box::new(agent)),
            Err(options) => {
                tracing::info!("the agent that was started in advance does not fit this job; starting another one");
                start(kind, *options).await
            }
        }
    }
}

/// Starts an agent on this machine and waits until it is ready. The workspace may still be empty then, but must be complete before
/// the first turn. Dropping the future ends what was started.
///
/// # Errors
/// The program is missing, can't be run, is not ready in time, or refuses the runner.
pub async fn start(kind: AgentKind, options: AgentOptions) -> Result<Box<dyn Agent>, AgentError> {
    match kind {
        AgentKind::OpenCode => Ok(Box::new(opencode::OpenCode::start(options).await?)),
        AgentKind::Command => Ok(Box::new(plain::Plain::new(options)?)),
        AgentKind::Cursor => Err(AgentError::Startup {
            message: "Cursor's agents work in its cloud, not on this machine".to_owned(),
            stderr_tail: String::new(),
        }),
        _ => Ok(Box::new(acp::Acp::start(kind, options).await?)),
    }
}
