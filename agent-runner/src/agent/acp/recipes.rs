//! What is different from one agent to another, a row each: command, environment, files, mode. Measured with the versions
//! that `Dockerfile.agent` installs.

use crate::agent::{AgentKind, Provider};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
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
    pub(super) env: fn(&Path, &Provider) -> Vec<(&'static str, String)>,
    /// Files in its own directory.
    pub(super) files: &'static [(&'static str, &'static str)],
    /// `_meta` of a new session.
    pub(super) meta: fn() -> Value,
    /// Whether it says beside each answer that its model failed, where it did (`sessionFailure`).
    pub(super) tells_failures: bool,
    /// The mode in which it takes each step without a question.
    pub(super) mode: Option<&'static str>,
    /// The prompt that compacts its conversation.
    pub(super) compact: Option<&'static str>,
    /// Where its own directory has the files of conversations.
    pub(super) conversations: &'static str,
    /// Whether the folder of a conversation's file is named after the workspace.
    pub(super) by_workspace: bool,
}

/// The agent's recipe; none for those that speak something else.
pub(super) fn recipe(kind: AgentKind) -> Option<&'static Recipe> {
    match kind {
        AgentKind::Claude => Some(&CLAUDE),
        AgentKind::Codex => Some(&CODEX),
        AgentKind::OpenCode | AgentKind::Cursor => None,
    }
}

const CLAUDE: Recipe = Recipe {
    name: "Claude Code",
    program: "claude-agent-acp",
    args: &[],
    missing: "install it (npm install -g @agentclientprotocol/claude-agent-acp; it needs Node 22), build an image with it \
              (AGENTS=claude), or set ACP_AGENT_BIN to its path",
    env: claude_env,
    files: &[],
    meta: claude_meta,
    tells_failures: true,
    mode: Some("bypassPermissions"),
    compact: Some("/compact"),
    conversations: "projects",
    by_workspace: true,
};

fn claude_env(own: &Path, model: &Provider) -> Vec<(&'static str, String)> {
    let address = model.base_url.as_str().trim_end_matches('/');
    let mut env = vec![
        ("CLAUDE_CONFIG_DIR", own.display().to_string()),
        // It adds the version itself.
        ("ANTHROPIC_BASE_URL", address.strip_suffix("/v1").unwrap_or(address).to_owned()),
        ("ANTHROPIC_API_KEY", key(model)),
        ("ANTHROPIC_MODEL", model.model.clone()),
        // What it asks besides, it asks the same model.
        ("ANTHROPIC_SMALL_FAST_MODEL", model.model.clone()),
        ("ANTHROPIC_DEFAULT_HAIKU_MODEL", model.model.clone()),
        ("CLAUDE_CODE_SUBAGENT_MODEL", model.model.clone()),
        // The gateway has retried already.
        ("CLAUDE_CODE_MAX_RETRIES", "2".to_owned()),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
        // What goes on after a turn could change the workspace while it is committed.
        ("CLAUDE_CODE_DISABLE_BACKGROUND_TASKS", "1".to_owned()),
        ("DISABLE_AUTOUPDATER", "1".to_owned()),
    ];
    if rustix::process::geteuid().is_root() {
        // As root it refuses the mode without questions. Where the agent is another user, this changes nothing.
        env.push(("IS_SANDBOX", "1".to_owned()));
    }
    env
}

/// Nothing of the repository configures it: `.claude/settings.json` could send its calls elsewhere, run hooks, or start
/// servers. Plan mode would wait for a person. With a title it asks its model for none.
fn claude_meta() -> Value {
    json!({ "claudeCode": { "options": {
        "settingSources": ["user"], "strictMcpConfig": true, "promptSuggestions": false,
        "title": "Ticket", "disallowedTools": ["EnterPlanMode", "ExitPlanMode", "ScheduleWakeup"],
    } } })
}

const CODEX: Recipe = Recipe {
    name: "Codex",
    program: "codex-acp",
    args: &[],
    missing: "install it (npm install -g @agentclientprotocol/codex-acp), build an image with it (AGENTS=codex), or set \
              ACP_AGENT_BIN to its path",
    env: codex_env,
    // Only here can it be kept off the network, except for the model.
    files: &[(
        "config.toml",
        "check_for_update_on_startup = false\n\n[analytics]\nenabled = false\n\n[features]\nplugins = false\napps = false\n",
    )],
    meta: || Value::Null,
    tells_failures: true,
    mode: None,
    compact: Some("/compact"),
    conversations: "sessions",
    by_workspace: false,
};

fn codex_env(own: &Path, model: &Provider) -> Vec<(&'static str, String)> {
    let provider = json!({ "name": "worker", "base_url": model.base_url.as_str(), "env_key": "OPENAI_API_KEY",
        "wire_api": "responses" });
    let config = json!({ "model": model.model, "model_provider": "worker", "model_providers": { "worker": provider } });
    vec![
        ("CODEX_HOME", own.display().to_string()),
        ("OPENAI_API_KEY", key(model)),
        ("NO_BROWSER", "1".to_owned()),
        // After each turn it would ask for what a person may say next, with the whole conversation.
        ("CODEX_ACP_PROMPT_SUGGESTIONS", "false".to_owned()),
        ("MODEL_PROVIDER", "worker".to_owned()),
        ("INITIAL_AGENT_MODE", "agent-full-access".to_owned()),
        ("CODEX_CONFIG", config.to_string()),
    ]
}

/// An agent without a key asks people to log in.
fn key(model: &Provider) -> String {
    let key = model.api_key.as_ref().map(|key| key.expose_secret().to_owned()).filter(|key| !key.is_empty());
    key.unwrap_or_else(|| "none".to_owned())
}
