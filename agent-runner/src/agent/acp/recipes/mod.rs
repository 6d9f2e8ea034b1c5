//! What is different from one agent to another, a row each: command, environment, files, mode. Measured with the versions
//! that `Dockerfile.agent` installs.

mod claude;
mod codex;
mod copilot;
mod gemini;
mod kimi;
mod opencode;
mod qwen;

use crate::agent::{AgentKind, AgentOptions, Provider};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::path::Path;

/// Everything about one agent that speaks ACP.
pub(super) struct Recipe {
    /// As people call it.
    pub(super) name: &'static str,
    /// The program, where no setting names another one.
    pub(super) program: &'static str,
    pub(super) args: &'static [&'static str],
    /// What to do where the program can't be run.
    pub(super) missing: &'static str,
    /// Its variables, with its own directory and its model.
    pub(super) env: fn(&Path, &AgentOptions) -> Vec<(&'static str, String)>,
    /// Files in its own directory.
    pub(super) files: &'static [(&'static str, &'static str)],
    /// `_meta` of a new session.
    pub(super) meta: fn() -> Value,
    /// Whether it says beside each answer that its model failed, where it did (`sessionFailure`).
    pub(super) tells_failures: bool,
    /// Whether it asks before each step, whatever its mode: then each is allowed, and no person is asked.
    pub(super) asks_for_each_step: bool,
    /// The mode in which it takes each step without a question.
    pub(super) mode: Option<&'static str>,
    /// The prompt that compacts its conversation; none where it has no such command.
    pub(super) compact: Option<&'static str>,
    /// How it goes on with an earlier conversation.
    pub(super) reopen: Reopen,
    /// Where it keeps conversations; none where they can't be taken elsewhere.
    pub(super) conversations: Option<Conversations>,
    /// What has to be done with its own directory before it goes on with this conversation.
    pub(super) before_reopening: fn(&Path, &str) -> std::io::Result<()>,
}

/// How an agent goes on with an earlier conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reopen {
    /// By `session/resume`.
    Resume,
    /// By `session/load`, which tells all that was said once more.
    Load,
}

/// The files in which an agent keeps its conversations.
pub(super) struct Conversations {
    /// The folder with them, in its own directory.
    pub(super) below: &'static str,
    /// How many letters of a conversation's id are in its files' names; none: all.
    pub(super) id_chars: Option<usize>,
    /// How the folders in it are named after the workspaces, where they are.
    pub(super) folder_of: Option<fn(&Path) -> String>,
}

/// The agent's recipe; none for those that speak something else.
pub(super) fn recipe(kind: AgentKind) -> Option<&'static Recipe> {
    match kind {
        AgentKind::OpenCodeAcp => Some(&opencode::OPENCODE),
        AgentKind::Claude => Some(&claude::CLAUDE),
        AgentKind::Codex => Some(&codex::CODEX),
        AgentKind::Gemini => Some(&gemini::GEMINI),
        AgentKind::Qwen => Some(&qwen::QWEN),
        AgentKind::Kimi => Some(&kimi::KIMI),
        AgentKind::Copilot => Some(&copilot::COPILOT),
        AgentKind::OpenCode | AgentKind::Cursor | AgentKind::Command => None,
    }
}

/// An agent without a key asks people to log in.
fn key(model: &Provider) -> String {
    let key = model.api_key.as_ref().map(|key| key.expose_secret().to_owned()).filter(|key| !key.is_empty());
    key.unwrap_or_else(|| "none".to_owned())
}

/// The model's address for agents that add the version themselves.
fn without_version(model: &Provider) -> String {
    let address = model.base_url.as_str().trim_end_matches('/');
    let bare = address.strip_suffix("/v1").or_else(|| address.strip_suffix("/v1beta"));
    bare.unwrap_or(address).to_owned()
}
