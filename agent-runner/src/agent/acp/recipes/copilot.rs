//! Copilot CLI's own ACP, with a model of its user's.

use super::{Recipe, Reopen, key};
use crate::agent::AgentOptions;
use serde_json::Value;
use std::path::Path;

pub(super) const COPILOT: Recipe = Recipe {
    name: "Copilot CLI",
    program: "copilot",
    args: &["--acp", "--allow-all-tools"],
    missing: "install it (npm install -g @github/copilot), build an image with it (AGENTS=copilot), or set ACP_AGENT_BIN to its path",
    env: copilot_env,
    files: &[],
    meta: || Value::Null,
    tells_failures: false,
    asks_for_each_step: true,
    mode: None,
    compact: None,
    reopen: Reopen::Load,
    conversations: None,
    before_reopening: |_, _| Ok(()),
};

fn copilot_env(own: &Path, options: &AgentOptions) -> Vec<(&'static str, String)> {
    let model = &options.provider;
    vec![
        ("COPILOT_HOME", own.display().to_string()),
        ("COPILOT_PROVIDER_BASE_URL", model.base_url.as_str().trim_end_matches('/').to_owned()),
        ("COPILOT_PROVIDER_API_KEY", key(model)),
        ("COPILOT_PROVIDER_TYPE", "openai".to_owned()),
        ("COPILOT_MODEL", model.model.clone()),
        // Nothing is asked at GitHub.
        ("COPILOT_OFFLINE", "true".to_owned()),
    ]
}
