//! OpenCode's own ACP. The agent `opencode` is driven through its server, which says more; this is for what speaks ACP alone.

use super::{Recipe, Reopen};
use crate::agent::AgentOptions;
use crate::agent::directories::Directories;
use crate::agent::opencode::config::{config, model_variables};
use serde_json::{Value, json};
use std::path::Path;

pub(super) const OPENCODE: Recipe = Recipe {
    name: "OpenCode over ACP",
    program: "opencode",
    args: &["acp"],
    missing: "install it (npm install -g opencode-ai), or set ACP_AGENT_BIN to its path",
    env: opencode_env,
    files: &[],
    meta: || Value::Null,
    tells_failures: false,
    asks_for_each_step: false,
    mode: None,
    compact: Some("/compact"),
    reopen: Reopen::Resume,
    // They are in one database with all others.
    conversations: None,
    before_reopening: |_, _| Ok(()),
};

fn opencode_env(_own: &Path, options: &AgentOptions) -> Vec<(&'static str, String)> {
    let mut config = config(options, &Directories::new(options));
    // For a title it would ask its model once more.
    config["agent"] = json!({ "title": { "disable": true } });
    let mut env = model_variables(options, &config);
    // What the repository says about it could start servers.
    env.push(("OPENCODE_DISABLE_PROJECT_CONFIG", "1".to_owned()));
    env
}
