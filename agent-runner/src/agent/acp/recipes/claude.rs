//! Claude Code, through its adapter.

use super::{Conversations, Recipe, Reopen, key, without_version};
use crate::agent::AgentOptions;
use serde_json::{Value, json};
use std::path::Path;

pub(super) const CLAUDE: Recipe = Recipe {
    name: "Claude Code",
    program: "claude-agent-acp",
    args: &[],
    missing: "install it (npm install -g @agentclientprotocol/claude-agent-acp; it needs Node 22), build an image with it \
              (AGENTS=claude), or set ACP_AGENT_BIN to its path",
    env: claude_env,
    files: &[],
    meta: claude_meta,
    tells_failures: true,
    asks_for_each_step: false,
    mode: Some("bypassPermissions"),
    compact: Some("/compact"),
    reopen: Reopen::Resume,
    conversations: Some(Conversations { below: "projects", id_chars: None, folder_of: Some(folder_of) }),
    before_reopening: |_, _| Ok(()),
};

fn claude_env(own: &Path, options: &AgentOptions) -> Vec<(&'static str, String)> {
    let model = &options.provider;
    let mut env = vec![
        ("CLAUDE_CONFIG_DIR", own.display().to_string()),
        // It adds the version itself.
        ("ANTHROPIC_BASE_URL", without_version(model)),
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

/// How it names the folder of a workspace's conversations.
fn folder_of(workspace: &Path) -> String {
    let path = workspace.display().to_string();
    path.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_has_the_folder_that_claude_code_gives_it() {
        assert_eq!(folder_of(Path::new("/tmp/.x/work_1")), "-tmp--x-work-1");
    }
}
