//! Qwen Code's own ACP.

use super::{Recipe, Reopen, key};
use crate::agent::AgentOptions;
use serde_json::Value;
use std::path::Path;

pub(super) const QWEN: Recipe = Recipe {
    name: "Qwen Code",
    program: "qwen",
    args: &["--acp", "--auth-type", "openai", "--approval-mode", "yolo"],
    missing: "install it (npm install -g @qwen-code/qwen-code; it needs Node 22), build an image with it (AGENTS=qwen), or \
              set ACP_AGENT_BIN to its path",
    env: qwen_env,
    // An untrusted folder configures nothing: no servers, no hooks. What it would keep for other conversations costs a call
    // of the model after each turn.
    files: &[(
        "settings.json",
        r#"{
  "privacy": { "usageStatisticsEnabled": false },
  "telemetry": { "enabled": false },
  "general": { "enableAutoUpdate": false },
  "memory": { "enableManagedAutoMemory": false, "enableManagedAutoDream": false },
  "ui": { "enableFollowupSuggestions": false },
  "security": { "folderTrust": { "enabled": true }, "auth": { "selectedType": "openai" } }
}
"#,
    )],
    meta: || Value::Null,
    tells_failures: false,
    // In an untrusted folder, it has no other mode.
    asks_for_each_step: true,
    mode: Some("default"),
    compact: Some("/compress"),
    reopen: Reopen::Resume,
    // It refuses those that come from elsewhere.
    conversations: None,
    before_reopening: |_, _| Ok(()),
};

fn qwen_env(own: &Path, options: &AgentOptions) -> Vec<(&'static str, String)> {
    let model = &options.provider;
    vec![
        ("QWEN_HOME", own.display().to_string()),
        ("OPENAI_API_KEY", key(model)),
        ("OPENAI_BASE_URL", model.base_url.as_str().trim_end_matches('/').to_owned()),
        ("OPENAI_MODEL", model.model.clone()),
        // It would start itself once more, as a child that outlives it.
        ("QWEN_CODE_NO_RELAUNCH", "true".to_owned()),
    ]
}
