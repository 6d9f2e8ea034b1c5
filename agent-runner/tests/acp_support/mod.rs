//! What the tests with agents that speak ACP share.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(unreachable_pub, reason = "a module that several test binaries include")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "support for tests")]

use crate::opencode_support::{Place, provider};
use std::path::PathBuf;
use terarchitect_agent_runner::agent::{AgentKind, AgentOptions};

/// An agent, and what its tools are called.
pub struct Case {
    pub kind: AgentKind,
    program: &'static str,
}

pub const CASES: [Case; 2] = [
    Case { kind: AgentKind::Claude, program: "claude-agent-acp" },
    Case { kind: AgentKind::Codex, program: "codex-acp" },
];

impl Case {
    /// The agent's program. Without it this returns `None` and says so: the tests that need it are then skipped.
    pub fn program(&self) -> Option<PathBuf> {
        let folder = std::env::var_os("ACP_AGENTS_DIR").map(PathBuf::from);
        let found = folder.map(|folder| folder.join(self.program)).filter(|program| program.exists());
        if found.is_none() {
            eprintln!("SKIPPED: no {} here; set ACP_AGENTS_DIR to the folder with the agents' programs", self.program);
        }
        found
    }

    /// Options for it, with the Node beside its program.
    pub fn options(&self, place: &Place, program: PathBuf, model: &str) -> AgentOptions {
        let folder = program.parent().unwrap().to_owned();
        let mut options = place.options(program, provider(model));
        let path = std::env::var("PATH").unwrap();
        options.extra_env.push(("PATH".to_owned(), format!("{}:{path}", folder.display())));
        options
    }
}
