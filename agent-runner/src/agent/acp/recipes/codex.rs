//! Codex, through its adapter.

use super::{Conversations, Recipe, Reopen, key};
use crate::agent::AgentOptions;
use serde_json::{Value, json};
use std::path::Path;

pub(super) const CODEX: Recipe = Recipe {
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
    asks_for_each_step: false,
    mode: None,
    compact: Some("/compact"),
    reopen: Reopen::Resume,
    conversations: Some(Conversations { below: "sessions", id_chars: None, folder_of: None }),
    before_reopening: |_, _| Ok(()),
};

fn codex_env(own: &Path, options: &AgentOptions) -> Vec<(&'static str, String)> {
    let model = &options.provider;
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
