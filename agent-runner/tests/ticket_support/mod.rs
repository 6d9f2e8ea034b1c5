//! A ticket's whole surroundings: the API, the forge and the models as stand-ins, and the real agent.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(unreachable_pub, reason = "a module that several test binaries include")]
#![allow(clippy::unwrap_used, reason = "support for tests")]

use crate::opencode_support::opencode;
use clap::Parser;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Stdio;
use terarchitect_agent_runner::attempt::{AttemptError, Finished, Warm, make_attempt};
use terarchitect_agent_runner::cli::Cli;
use terarchitect_agent_runner::config::Config;
use terarchitect_testbed::api::ApiServer;
use terarchitect_testbed::chat::{ChatServer, Script};
use terarchitect_testbed::forge::{Dialect, Forge};
use terarchitect_worker_api::{ProjectId, TicketId};
use tokio_util::sync::CancellationToken;

pub const WORKER_KEY: &str = "worker-api-key-0123456789";

/// A checkout of the repository in which a person works with the real git.
pub struct Checkout(tempfile::TempDir);

impl Checkout {
    pub fn git(&self, args: &[&str]) {
        let mut command = std::process::Command::new("git");
        command.args(["-c", "user.name=P", "-c", "user.email=p@example.com", "-C"]).arg(self.0.path()).args(args);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Commits these files on a branch, and pushes it.
    pub fn change(&self, branch: &str, files: &[(&str, &str)]) {
        self.git(&["checkout", "--quiet", branch]);
        for (path, text) in files {
            let path = self.0.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "-m", "By a person"]);
        self.git(&["push", "--quiet", "origin", branch]);
    }
}

pub struct World {
    pub api: ApiServer,
    pub forge: Forge,
    pub chat: ChatServer,
    pub project: ProjectId,
    pub ticket: TicketId,
    pub opencode: PathBuf,
    /// More options of each attempt, such as another agent's.
    pub options: Vec<String>,
    /// Where commits that could not be pushed wait for the next attempt.
    pub unpushed: tempfile::TempDir,
}

impl World {
    /// None where OpenCode is not installed; `scripts/test` installs it.
    pub async fn start(script: Script) -> Option<Self> {
        Some(Self::with_agent(opencode()?, script).await)
    }

    /// At a forge of this kind. None where OpenCode is not installed.
    pub async fn start_at(dialect: Dialect, script: Script) -> Option<Self> {
        Some(Self::with_forge(Forge::start_as(dialect).await.unwrap(), opencode()?, script).await)
    }

    pub async fn with_agent(opencode: PathBuf, script: Script) -> Self {
        Self::with_forge(Forge::start().await.unwrap(), opencode, script).await
    }

    async fn with_forge(forge: Forge, opencode: PathBuf, script: Script) -> Self {
        forge.create_repo("demo", "hello", &[("README.md", "# Hello\n"), ("hello.sh", "echo hello\n")]).unwrap();
        let chat = ChatServer::start(script).await.unwrap();
        let (project, ticket) = (ProjectId::new(), TicketId::new());
        let unpushed = tempfile::tempdir().unwrap();
        let world = Self {
            api: ApiServer::start().await.unwrap(),
            forge,
            chat,
            project,
            ticket,
            opencode,
            options: Vec::new(),
            unpushed,
        };
        world.api.set_context(world.context());
        world
    }

    pub fn context(&self) -> Value {
        json!({
            "project_name": "Hello", "project_id": self.project, "repo_url": self.forge.git_url("demo", "hello"),
            "current_ticket": {
                "id": self.ticket, "title": "Greet people by name", "description": "Also in the README.",
                "priority": "medium", "column_id": "in_progress", "status": "in_progress",
            },
            "agent_settings": {
                "WORKER_LLM_URL": self.chat.base_url(), "WORKER_MODEL": "scripted-coder",
                "WORKER_API_KEY": "scripted-worker-key", "AGENT_MODEL": "scripted-director",
                "GITHUB_TOKEN": self.forge.token(), "GITHUB_TOKEN_HOST": self.forge.api_url(), "GIT_USER_NAME": "Ada", "GIT_USER_EMAIL": "ada@example.com",
            },
        })
    }

    /// One attempt, with these options besides what the API's settings say.
    pub async fn attempt(&self, more: &[&str]) -> Result<Finished, AttemptError> {
        self.attempt_at("ticket", more).await
    }

    /// One attempt at what reviewers say about the ticket's pull request.
    pub async fn review(&self, comment: &str) -> Result<Finished, AttemptError> {
        let api = self.forge.api_url();
        self.attempt_at("review", &["--github-api-url", &api, "--comment-body", comment, "--pr-number", "1"]).await
    }

    async fn attempt_at(&self, command: &str, more: &[&str]) -> Result<Finished, AttemptError> {
        let (api, project, ticket) = (self.api.url(), self.project.to_string(), self.ticket.to_string());
        let opencode = self.opencode.to_str().unwrap();
        let args = [
            "agent-runner",
            command,
            "--api-url",
            &api,
            "--project-id",
            &project,
            "--ticket-id",
            &ticket,
            "--worker-api-key",
            WORKER_KEY,
            "--opencode-bin",
            opencode,
            "--unpushed-dir",
            self.unpushed.path().to_str().unwrap(),
        ];
        let own: Vec<&str> = self.options.iter().map(String::as_str).collect();
        let cli = Cli::parse_from(args.iter().chain(&own).chain(more));
        let config = Config::parse(cli.command, &cli.options).unwrap();
        Box::pin(make_attempt(config, cli.options, CancellationToken::new(), Warm::default())).await
    }

    /// The program at this ticket, for tests that kill it.
    pub fn program(&self) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_agent-runner"));
        command.args(["ticket", "--api-url", &self.api.url(), "--worker-api-key", WORKER_KEY]);
        command.args(["--project-id", &self.project.to_string(), "--ticket-id", &self.ticket.to_string()]);
        command.arg("--opencode-bin").arg(&self.opencode).arg("--unpushed-dir").arg(self.unpushed.path());
        command.args(["--github-api-url", &self.forge.api_url()]).args(&self.options);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// One attempt that knows where the forge's REST calls are.
    pub async fn attempt_with_pulls(&self) -> Result<Finished, AttemptError> {
        self.attempt(&["--github-api-url", &self.forge.api_url()]).await
    }

    /// The repository, as a person has it.
    pub fn checkout(&self) -> Checkout {
        let checkout = Checkout(tempfile::tempdir().unwrap());
        checkout.git(&["clone", "--quiet", self.forge.repo_path("demo", "hello").to_str().unwrap(), "."]);
        checkout
    }

    /// A file as the ticket's branch has it.
    pub fn on_branch(&self, path: &str) -> Option<String> {
        let wanted = format!("ticket-{}:{path}", self.ticket);
        self.forge.git("demo", "hello", &["show", &wanted]).ok()
    }

    /// The bodies of all calls whose path ends so.
    pub fn calls(&self, end: &str) -> Vec<Value> {
        self.api.calls(end).into_iter().map(|call| call.body).collect()
    }

    /// The steps of the ticket's log.
    pub fn steps(&self) -> Vec<String> {
        self.calls("/logs").iter().map(|entry| entry["step"].as_str().unwrap().to_owned()).collect()
    }

    /// The log's entries of a step.
    pub fn logs(&self, step: &str) -> Vec<Value> {
        let logs = self.api.calls("/logs").into_iter().map(|call| call.body);
        logs.filter(|entry| entry["step"] == step).collect()
    }

    /// The log's entries whose data is of this kind.
    pub fn of_kind(&self, kind: &str) -> Vec<Value> {
        self.calls("/logs").into_iter().filter(|entry| entry["data"]["kind"] == kind).collect()
    }

    /// How often the models were asked.
    pub fn turns(&self) -> usize {
        self.chat.requests().len()
    }
}
