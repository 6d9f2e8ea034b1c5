//! What the tests with agents that speak ACP share.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(unreachable_pub, reason = "a module that several test binaries include")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "support for tests")]

use crate::opencode_support::{KEY, MODEL, Place, opencode, provider, script, to_by_tool};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use terarchitect_agent_runner::agent::{Agent, AgentKind, AgentOptions, Provider, start};
use terarchitect_agent_runner::gateway::{Gateway, Upstream};
use terarchitect_testbed::chat::{ChatServer, Rule};

/// An agent, and what its tools are called.
pub struct Case {
    pub kind: AgentKind,
    program: &'static str,
    /// The process that the runner starts, in its command line.
    pub process: &'static str,
    shell: &'static str,
    command: &'static str,
    /// The tool that writes a file, and what it calls the path; none where it has no tool for that alone.
    write: Option<(&'static str, &'static str)>,
    /// Whether it has a command that compacts its conversation.
    pub compacts: bool,
    /// Whether its conversation can be taken to another host.
    pub is_taken_along: bool,
}

pub const OPENCODE: Case = Case {
    kind: AgentKind::OpenCodeAcp,
    program: "opencode",
    process: "opencode",
    shell: "bash",
    command: "command",
    write: Some(("write", "filePath")),
    compacts: true,
    is_taken_along: false,
};

pub const CLAUDE: Case = Case {
    kind: AgentKind::Claude,
    program: "claude-agent-acp",
    process: "claude-agent-acp",
    shell: "Bash",
    command: "command",
    write: Some(("Write", "file_path")),
    compacts: true,
    is_taken_along: true,
};
pub const CODEX: Case = Case {
    kind: AgentKind::Codex,
    program: "codex-acp",
    process: "codex-acp",
    shell: "exec_command",
    command: "cmd",
    write: None,
    compacts: true,
    is_taken_along: true,
};
pub const GEMINI: Case = Case {
    kind: AgentKind::Gemini,
    program: "gemini",
    process: "gemini",
    shell: "run_shell_command",
    command: "command",
    write: Some(("write_file", "file_path")),
    compacts: false,
    is_taken_along: true,
};

pub const QWEN: Case = Case {
    kind: AgentKind::Qwen,
    program: "qwen",
    process: "qwen",
    shell: "run_shell_command",
    command: "command",
    write: Some(("write_file", "file_path")),
    compacts: true,
    is_taken_along: false,
};
pub const KIMI: Case = Case {
    kind: AgentKind::Kimi,
    program: "kimi",
    process: "kimi",
    shell: "Bash",
    command: "command",
    write: Some(("Write", "path")),
    compacts: true,
    is_taken_along: false,
};
pub const COPILOT: Case = Case {
    kind: AgentKind::Copilot,
    program: "copilot",
    process: "copilot",
    shell: "bash",
    command: "command",
    write: None,
    compacts: false,
    is_taken_along: false,
};

/// Those that only a full run tests and installs (`TERARCHITECT_ALL_AGENTS`).
const MORE: [AgentKind; 5] =
    [AgentKind::OpenCodeAcp, AgentKind::Gemini, AgentKind::Qwen, AgentKind::Kimi, AgentKind::Copilot];

/// The folder with the agents' programs, and the Node that runs them.
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("ACP_AGENTS_DIR").map(PathBuf::from).filter(|folder| folder.is_dir());
    if folder.is_none() {
        assert!(std::env::var_os("TERARCHITECT_REQUIRE_AGENTS").is_none(), "ACP_AGENTS_DIR is no folder");
        eprintln!("SKIPPED: set ACP_AGENTS_DIR to the folder with the agents' programs to run this test");
    }
    folder
}

impl Case {
    /// The agent's program. Without it this returns `None` and says so: the tests that need it are then skipped.
    pub fn program(&self) -> Option<PathBuf> {
        if MORE.contains(&self.kind) && std::env::var_os("TERARCHITECT_ALL_AGENTS").is_none() {
            eprintln!("SKIPPED: set TERARCHITECT_ALL_AGENTS=1 to run this test with {}", self.program);
            return None;
        }
        if self.kind == AgentKind::OpenCodeAcp {
            return opencode();
        }
        let program = folder()?.join(self.program);
        assert!(program.exists(), "{} is missing", program.display());
        Some(program)
    }

    /// To a prompt with these words: a command, then "Done.".
    pub fn to_by_shell(&self, words: &str, line: &str) -> [Rule; 2] {
        let mut arguments = json!({ self.command: line });
        if self.shell != "exec_command" {
            arguments["description"] = json!("runs it");
        }
        to_by_tool(words, self.shell, arguments)
    }

    /// To a prompt with these words: the agent writes this file by a tool, then "Done.".
    pub fn to_by_writing(&self, words: &str, file: &Path, text: &str) -> [Rule; 2] {
        match self.write {
            Some((tool, path)) => to_by_tool(words, tool, json!({ path: file, "content": text })),
            None => self.to_by_shell(words, &format!("printf %s '{text}' > {}", file.display())),
        }
    }
}

/// A scripted model and the gateway to it, as an attempt has them.
pub struct Model {
    pub chat: ChatServer,
    pub gateway: Arc<Gateway>,
}

impl Model {
    pub async fn start(rules: impl IntoIterator<Item = Rule>) -> Self {
        let chat = ChatServer::start(script(rules)).await.unwrap();
        let (base, key) = (chat.base_url().parse().unwrap(), Some(SecretString::from(KEY)));
        let (patience, silence) = (Duration::from_secs(1), Duration::from_secs(60));
        let of = Upstream { name: "agent", base, key, model: Some(MODEL.to_owned()), patience, silence };
        let gateway = Gateway::start([of]).await.unwrap();
        Self { chat, gateway: Arc::new(gateway) }
    }

    /// As the agent knows it.
    pub fn provider(&self) -> Provider {
        let entrance = self.gateway.entrance("agent").unwrap();
        let model = provider(&self.chat.base_url());
        Provider { base_url: entrance.base, api_key: Some(entrance.placeholder), model: MODEL.to_owned(), ..model }
    }

    pub async fn launch(&self, case: &Case, place: &Place, program: PathBuf) -> Box<dyn Agent> {
        self.launch_with(case, place.options(program, self.provider())).await
    }

    pub async fn launch_with(&self, case: &Case, mut options: AgentOptions) -> Box<dyn Agent> {
        let gateway = self.gateway.clone();
        options.last_trouble =
            Some(Arc::new(move || gateway.trouble("agent").map(|trouble| (trouble.kind, trouble.message))));
        start(case.kind, options).await.unwrap()
    }

    /// All that the model was asked for the last time.
    pub fn last(&self) -> Value {
        self.chat.requests().last().unwrap().body.clone()
    }
}
