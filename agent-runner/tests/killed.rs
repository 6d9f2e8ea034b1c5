//! A runner that is killed outright, on a bare machine: nothing of its agent goes on.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

use serde_json::json;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use terarchitect_testbed::api::ApiServer;
use terarchitect_testbed::chat::{ChatServer, Script};
use terarchitect_testbed::forge::Forge;
use terarchitect_worker_api::{ProjectId, TicketId};

/// An agent that starts what agents start: a child in a session of its own, one without the environment, one without
/// a parent. All of them hold the pipe open; once the last has ended, its reader sees the end.
fn agent(folder: &Path) -> (PathBuf, PathBuf) {
    let (file, pipe) = (folder.join("agent"), folder.join("pipe"));
    let script = format!(
        "#!/bin/sh\nexec 9>{}\nsetsid sleep 1000 &\nenv -i setsid sleep 1000 &\n(setsid sleep 1000 &)\nulimit -Sn >&9\nwhile :; do sleep 1000; done\n",
        pipe.display()
    );
    std::fs::write(&file, script).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    (file, pipe)
}

struct World {
    api: ApiServer,
    forge: Forge,
    chat: ChatServer,
    folder: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let (api, forge) = (ApiServer::start().await.unwrap(), Forge::start().await.unwrap());
        forge.create_repo("demo", "hello", &[("README.md", "# Hello\n")]).unwrap();
        let chat = ChatServer::start(Script::demo()).await.unwrap();
        Self { api, forge, chat, folder: tempfile::tempdir().unwrap() }
    }

    /// Starts the program with a soft limit of 256 open files, as the leader of a group.
    fn run(&self, agent: &Path) -> Child {
        let (project, ticket) = (ProjectId::new(), TicketId::new());
        self.api.set_context(json!({
            "project_name": "Hello", "project_id": project, "repo_url": self.forge.git_url("demo", "hello"),
            "current_ticket": {
                "id": ticket, "title": "Greet", "description": "", "priority": "medium",
                "column_id": "in_progress", "status": "in_progress",
            },
            "agent_settings": {
                "WORKER_LLM_URL": self.chat.base_url(), "WORKER_MODEL": "scripted-coder",
                "GITHUB_TOKEN": self.forge.token(),
            },
        }));
        let runner = env!("CARGO_BIN_EXE_agent-runner");
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -Sn 256; exec \"$0\" ticket", runner]).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.folder.path());
        command.env("TERARCHITECT_API_URL", self.api.url());
        command.env("TERARCHITECT_WORKER_API_KEY", "worker-api-key-0123456789").env("OPENCODE_BIN", agent);
        command.env("PROJECT_ID", project.to_string()).env("TICKET_ID", ticket.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runner_that_is_killed_leaves_no_agent_behind() {
    let world = World::start().await;
    let (agent, pipe) = agent(world.folder.path());
    for whole_group in [false, true] {
        let mut runner = world.run(&agent);
        let pid = rustix::process::Pid::from_child(&runner);
        let pipe = pipe.clone();
        let watching = tokio::task::spawn_blocking(move || {
            let mut said = BufReader::new(std::fs::File::open(pipe).unwrap());
            let mut limit = String::new();
            said.read_line(&mut limit).unwrap();
            let signal = rustix::process::Signal::KILL;
            if whole_group {
                rustix::process::kill_process_group(pid, signal).unwrap();
            } else {
                rustix::process::kill_process(pid, signal).unwrap();
            }
            // Returns once no process of the agent is left.
            said.read_to_end(&mut Vec::new()).unwrap();
            limit
        });
        let limit = watching.await.unwrap();
        assert_eq!(runner.wait().unwrap().signal(), Some(9));
        assert!(limit.trim().parse::<u64>().unwrap() > 256, "the agent may open more files than before: {limit}");
    }
}
