//! The runner's interface to a coding agent program: [`start`] it, then drive one conversation in whole turns.
//!
//! This says what a turn is and how one can fail. How a program is started and driven is its own module's business
//! (`opencode`); processes, users and the end of what an agent leaves behind are shared by all programs. What a prompt
//! says is decided elsewhere.

mod command;
mod directories;
mod environment;
mod error;
mod events;
pub mod guard;
mod kind;
mod opencode;
mod options;
mod process;
mod reap;
mod turns;
pub mod users;

pub use crate::gateway::{ModelFailure, Tokens};
pub use command::{CommandEnd, CommandOptions, run_command};
pub use error::AgentError;
pub use events::{AgentEvent, NoProgress, ProgressSink, TodoItem};
pub use kind::{AgentKind, UnknownAgent};
pub use options::{AgentOptions, ModelLimits, ProjectConfig, Provider, ServerAddress};
pub use turns::{Agent, Asked, ToolCall, ToolStatus, TurnOutput};

/// Starts an agent and waits until it is ready. The workspace may still be empty then, but must be complete before
/// the first turn. Dropping the future ends what was started.
///
/// # Errors
/// The program is missing, can't be run, is not ready in time, or refuses the runner.
pub async fn start(kind: AgentKind, options: AgentOptions) -> Result<Box<dyn Agent>, AgentError> {
    match kind {
        AgentKind::OpenCode => Ok(Box::new(opencode::OpenCode::start(options).await?)),
    }
}
