//! Kimi Code's own ACP.

use super::{Recipe, Reopen, key};
use crate::agent::AgentOptions;
use serde_json::Value;
use std::path::Path;

pub(super) const KIMI: Recipe = Recipe {
    name: "Kimi Code",
    program: "kimi",
    args: &["acp"],
    missing: "install it (npm install -g @moonshot-ai/kimi-code; it needs Node 22.19), build an image with it (AGENTS=kimi), or \
              set ACP_AGENT_BIN to its path",
    env: kimi_env,
    files: &[],
    meta: || Value::Null,
    tells_failures: false,
    asks_for_each_step: true,
    mode: None,
    compact: Some("/compact"),
    reopen: Reopen::Resume,
    // They are in several files, which name one another and the workspace.
    conversations: None,
    before_reopening: |_, _| Ok(()),
};

fn kimi_env(own: &Path, options: &AgentOptions) -> Vec<(&'static str, String)> {
    let model = &options.provider;
    vec![
        ("KIMI_CODE_HOME", own.display().to_string()),
        ("KIMI_MODEL_NAME", model.model.clone()),
        ("KIMI_MODEL_BASE_URL", model.base_url.as_str().trim_end_matches('/').to_owned()),
        ("KIMI_MODEL_API_KEY", key(model)),
        ("KIMI_MODEL_PROVIDER_TYPE", "openai".to_owned()),
        ("KIMI_CODE_NO_AUTO_UPDATE", "1".to_owned()),
    ]
}
