//! The whole system: an API, a scripted model, a forge, and coordinators of single projects.

use super::coordinator::Coordinator;
use crate::api::Api;
use crate::http::Connection;
use crate::seed;
use anyhow::{Context, ensure};
use http::Method;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use terarchitect_testbed::chat::{ChatServer, Script};
use terarchitect_testbed::forge::Forge;
use terarchitect_testbed::postgres::{Options, TestPostgres};

/// The agent's model.
pub(crate) const MODEL: &str = "scripted-coder";
/// The Director's model.
pub(crate) const DIRECTOR: &str = "scripted-director";
/// How long a ticket may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const APP_KEY: &str = "bench-app-key";
const WORKER_KEY: &str = "bench-worker-key";

/// Everything but the coordinators. Dropping it ends it.
pub(crate) struct System {
    pub(crate) chat: ChatServer,
    pub(crate) forge: Forge,
    pub(crate) folder: tempfile::TempDir,
    api: Api,
    app: Connection,
    programs: PathBuf,
    image: String,
    _postgres: TestPostgres,
}

impl System {
    /// Starts it where containers of this image reach it.
    pub(crate) async fn start(programs: &Path, image: &str, script: Script) -> anyhow::Result<Self> {
        let here: SocketAddr = (gateway(image)?, 0).into();
        let folder = tempfile::tempdir().context("could not create a temporary directory")?;
        let chat = ChatServer::start_on(&[here], script, None).await?;
        let forge = Forge::start_on(&[here], &folder.path().join("forge"), "bench-forge-token".to_owned()).await?;
        let postgres = TestPostgres::start(&Options { durable: true, settings: String::new() })?;
        let database = seed::empty(&postgres).await?;
        let listen = here.to_string();
        let keys = [
            ("TERARCHITECT_LISTEN", listen.as_str()),
            ("TERARCHITECT_API_KEY", APP_KEY),
            ("TERARCHITECT_WORKER_API_KEY", WORKER_KEY),
        ];
        let api = Api::start(programs, &postgres.url(&database), 0, &keys).await?;
        let app = Connection::open(api.address).await?.with_key(APP_KEY);
        let (programs, image) = (programs.to_owned(), image.to_owned());
        let mut system = Self { chat, forge, folder, api, app, programs, image, _postgres: postgres };
        let settings = json!({
            "WORKER_LLM_URL": system.chat.base_url(), "WORKER_MODEL": MODEL, "WORKER_API_KEY": "scripted",
            "AGENT_LLM_URL": system.chat.base_url(), "AGENT_MODEL": DIRECTOR, "AGENT_API_KEY": "scripted",
            "github_agent_token": system.forge.token(),
        });
        system.call(Method::PUT, "/api/settings", &settings).await?;
        Ok(system)
    }

    /// Creates a project with a small repository of this name; returns its id.
    pub(crate) async fn project(&mut self, name: &str) -> anyhow::Result<String> {
        self.forge.create_repo("demo", name, &[("README.md", "# Hello\n"), ("hello.sh", "echo hello\n")])?;
        let url = self.forge.git_url("demo", name);
        let project = json!({"name": name, "description": "A sample", "github_url": url, "is_existing_repo": true});
        id_of(&self.call(Method::POST, "/api/projects", &project).await?)
    }

    /// Starts a coordinator that claims for this project alone.
    pub(crate) async fn coordinator(&self, project: &str, more: &[(&str, &str)]) -> anyhow::Result<Coordinator> {
        let (url, forge) = (format!("http://{}", self.api.address), self.forge.api_url());
        let own = [("GITHUB_API_URL", forge.as_str()), ("AGENT_STOP_GRACE_SEC", "5"), ("PROJECT_ID", project)];
        let variables: Vec<_> = own.iter().chain(more).copied().collect();
        Coordinator::start(&self.programs, &url, WORKER_KEY, &self.image, &variables).await
    }

    /// Creates a ticket in the backlog; returns its id.
    pub(crate) async fn ticket(&mut self, project: &str, title: &str) -> anyhow::Result<String> {
        let wished = json!({"title": title, "description": "Say how.", "column_id": "backlog"});
        id_of(&self.call(Method::POST, &format!("/api/projects/{project}/tickets"), &wished).await?)
    }

    /// Moves a ticket, which puts it into the queue.
    pub(crate) async fn move_to_progress(&mut self, project: &str, ticket: &str) -> anyhow::Result<()> {
        let path = format!("/api/projects/{project}/tickets/{ticket}");
        self.call(Method::PATCH, &path, &json!({"column_id": "in_progress"})).await.map(drop)
    }

    /// Whether a ticket's job has succeeded.
    ///
    /// # Errors
    /// It failed, or was cancelled.
    pub(crate) async fn is_completed(&mut self, ticket: &str) -> anyhow::Result<bool> {
        let jobs = self.call(Method::GET, &format!("/api/jobs?ticket_id={ticket}&limit=1"), &Value::Null).await?;
        match jobs["jobs"][0]["status"].as_str() {
            Some("completed") => Ok(true),
            Some("failed" | "cancelled") => anyhow::bail!("the ticket failed: {}", jobs["jobs"][0]),
            _ => Ok(false),
        }
    }

    /// Seconds from a ticket's move to the end of its job.
    pub(crate) async fn whole_ticket(&mut self, project: &str, title: &str) -> anyhow::Result<f64> {
        let ticket = self.ticket(project, title).await?;
        let begin = Instant::now();
        self.move_to_progress(project, &ticket).await?;
        while !self.is_completed(&ticket).await? {
            ensure!(begin.elapsed() < PATIENCE, "the ticket did not end in time");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(begin.elapsed().as_secs_f64())
    }

    async fn call(&mut self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let response = self.app.send(method, path, body.to_string()).await?;
        ensure!(
            (200..300).contains(&response.status),
            "{path}: {} {}",
            response.status,
            String::from_utf8_lossy(&response.body)
        );
        serde_json::from_slice(&response.body).context("the API returned no JSON")
    }
}

fn id_of(made: &Value) -> anyhow::Result<String> {
    Ok(made["id"].as_str().context("the API returned no id")?.to_owned())
}

/// Where containers reach this machine.
pub(crate) fn gateway(image: &str) -> anyhow::Result<std::net::IpAddr> {
    let hosts = ["run", "--rm", "--add-host", "host.docker.internal:host-gateway", "--entrypoint", "cat", image];
    let output = Command::new("docker").args(hosts).arg("/etc/hosts").output().context("could not run docker")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.contains("host.docker.internal")).context("the engine has no gateway")?;
    line.split_whitespace().next().unwrap_or_default().parse().context("the engine's gateway is not a valid address")
}
