//! Gemini CLI's own ACP.

use super::{Conversations, Recipe, Reopen, key, without_version};
use crate::agent::AgentOptions;
use crate::agent::acp::remembered::open_below;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, renameat, statat};
use serde_json::Value;
use std::io;
use std::path::Path;

/// In its own directory.
const CHATS: &str = ".gemini/tmp";

/// How many letters of a conversation's id its file is named after.
const ID_CHARS: usize = 8;

pub(super) const GEMINI: Recipe = Recipe {
    name: "Gemini CLI",
    program: "gemini",
    args: &["--acp"],
    missing: "install it (npm install -g @google/gemini-cli; it needs Node 20), build an image with it (AGENTS=gemini), or \
              set ACP_AGENT_BIN to its path",
    env: gemini_env,
    // An untrusted folder configures nothing: no servers, no hooks. What it keeps stays: it would take a conversation that it
    // has just read in for one without content, and delete it.
    files: &[(
        ".gemini/settings.json",
        r#"{
  "privacy": { "usageStatisticsEnabled": false },
  "telemetry": { "enabled": false },
  "general": { "enableAutoUpdate": false, "enableAutoUpdateNotification": false, "sessionRetention": { "enabled": false } },
  "model": { "disableLoopDetection": true },
  "security": { "folderTrust": { "enabled": true }, "auth": { "selectedType": "gemini-api-key" } }
}
"#,
    )],
    meta: || Value::Null,
    tells_failures: false,
    // In an untrusted folder, it has no other mode.
    asks_for_each_step: true,
    mode: Some("default"),
    compact: None,
    reopen: Reopen::Load,
    conversations: Some(Conversations { below: CHATS, id_chars: Some(ID_CHARS), folder_of: Some(folder_of) }),
    before_reopening: set_apart,
};

fn gemini_env(own: &Path, options: &AgentOptions) -> Vec<(&'static str, String)> {
    let model = &options.provider;
    vec![
        ("GEMINI_CLI_HOME", own.display().to_string()),
        ("GEMINI_API_KEY", key(model)),
        ("GOOGLE_GEMINI_BASE_URL", without_version(model)),
        ("GEMINI_MODEL", model.model.clone()),
        ("GEMINI_CLI_TRUST_WORKSPACE", "false".to_owned()),
        // It would start itself once more, as a child that outlives it.
        ("GEMINI_CLI_NO_RELAUNCH", "true".to_owned()),
    ]
}

/// Its files are named after the minute in which they begin. One that reads a conversation in within that minute begins a new one in the
/// same file first, which empties it. So the conversation's file gets a name of no minute before.
fn set_apart(own: &Path, session: &str) -> io::Result<()> {
    let id: String = session.chars().take(ID_CHARS).collect();
    let (apart, end) = (format!("session-0-{id}.jsonl"), format!("-{id}.jsonl"));
    let folders = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let all = open_below(own, CHATS)?;
    for project in Dir::read_from(&all)? {
        let project = project?;
        if project.file_name().to_bytes().starts_with(b".") {
            continue;
        }
        let Ok(project) = openat(&all, project.file_name(), folders, Mode::empty()) else { continue };
        let Ok(chats) = openat(&project, "chats", folders, Mode::empty()) else { continue };
        let mut found = Vec::new();
        for file in Dir::read_from(&chats)? {
            let file = file?;
            let Ok(name) = file.file_name().to_str() else { continue };
            if name.starts_with("session-") && name.ends_with(&end) {
                let size = statat(&chats, name, AtFlags::SYMLINK_NOFOLLOW)?.st_size;
                found.push((size, name.to_owned()));
            }
        }
        if let Some((_, name)) = found.iter().max()
            && !found.iter().any(|(_, name)| *name == apart)
        {
            renameat(&chats, name, &chats, &apart)?;
        }
    }
    Ok(())
}

/// How it names the folder of a workspace's conversations.
fn folder_of(workspace: &Path) -> String {
    let name = workspace.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let dashed: String = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let words: Vec<&str> = dashed.split('-').filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "project".to_owned() } else { words.join("-") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_has_the_folder_that_gemini_cli_gives_it() {
        assert_eq!(folder_of(Path::new("/tmp/.My work_1")), "my-work-1");
        assert_eq!(folder_of(Path::new("/")), "project");
    }

    #[test]
    fn a_conversation_is_set_apart_once_and_the_longest_file_is_it() {
        let own = tempfile::tempdir().unwrap();
        let chats = own.path().join(CHATS).join("work/chats");
        std::fs::create_dir_all(&chats).unwrap();
        let files = [
            ("session-2026-11-30T20-57-12345678.jsonl", "long text"),
            ("session-2026-11-30T20-58-12345678.jsonl", "x"),
        ];
        for (name, text) in files {
            std::fs::write(chats.join(name), text).unwrap();
        }
        std::fs::write(chats.join("session-2026-11-30T20-57-00000000.jsonl"), "another one").unwrap();
        set_apart(own.path(), "12345678-aaaa").unwrap();
        assert_eq!(std::fs::read_to_string(chats.join("session-0-12345678.jsonl")).unwrap(), "long text");
        set_apart(own.path(), "12345678-aaaa").unwrap();
        assert!(chats.join(files[1].0).exists() && !chats.join(files[0].0).exists());
    }
}
