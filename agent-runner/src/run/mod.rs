//! One ticket from its context to its pull request.

mod finish;
mod hooks;
mod phases;

use crate::agent_user;
use crate::cancel;
use crate::cli::Options;
use crate::config::{AgentConfig, Config, ConfigError};
use crate::director::chat::ChatModel;
use crate::director::{self, Brief, Limits};
use crate::exit::RunError;
use crate::forge::forge_of;
use crate::git::{self, CloneRequest, RemoteUrl, Workspace};
use crate::progress::Progress;
use crate::report::Reporter;
use crate::worker::Worker;
use crate::worker::opencode::{OpenCode, OpenCodeOptions, ProjectConfig, RunAs, ServerAddress};
use hooks::Hooks;
use phases::Phases;
use secrecy::SecretString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use terarchitect_worker_api::client::{Retry, WorkerClient};
use terarchitect_worker_api::mask::Mask;
use terarchitect_worker_api::{RetrieveRequest, WorkerContext};
use tokio_util::sync::CancellationToken;

/// How long the API is tried before the run gives up and asks to be tried again.
const API_PATIENCE: Duration = Duration::from_secs(120);
/// How long the last log entries may take.
const LOG_PATIENCE: Duration = Duration::from_secs(15);
/// How many passages of the project's memory the agent gets.
const MEMORY_PASSAGES: u32 = 5;

/// The project's cache volume, where the container has one.
const CACHE_DIR: &str = "/cache";

/// What a finished run says for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// The branch.
    pub branch: String,
    /// The files with their added and removed lines.
    pub diffstat: String,
    /// The pull request, where there is one.
    pub pull_url: Option<String>,
    /// What was done.
    pub summary: String,
    /// How long each phase took.
    pub phases: Vec<(String, Duration)>,
}

/// Runs one ticket.
///
/// # Errors
/// See [`RunError`]; the log of the ticket has it as well.
pub async fn ticket(config: Config, mut options: Options, cancel: CancellationToken) -> Result<Finished, RunError> {
    let client = WorkerClient::new(&config.api_url, config.api_key.clone()).map_err(RunError::Api)?;
    let context = tokio::select! {
        context = client.worker_context(config.project, config.ticket, Retry::For(API_PATIENCE)) => context.map_err(RunError::Api)?,
        () = cancel.cancelled() => return Err(RunError::Cancelled),
    };
    let agent = AgentConfig::resolve(&mut options, &context, config.host_alias.as_deref())?;
    let mask = mask_of(&config, &agent, &options);
    let (reporter, sending) = Reporter::start(client.clone(), config.project, config.ticket, mask.clone());
    let polling = tokio::spawn(cancel::poll_api(client.clone(), config.project, config.ticket, cancel.clone()));
    let progress = Progress::new(mask.clone());
    let run = Run { config, options, agent, client, context, reporter, progress, mask, cancel };
    let outcome = run.whole().await;
    polling.abort();
    if let Err(error) = &outcome {
        run.reporter.failed(if error.exit_code() == 130 { "cancelled" } else { "failed" }, &error.chain());
    }
    run.progress.end();
    drop(run);
    sending.finish(LOG_PATIENCE).await;
    outcome
}

fn mask_of(config: &Config, agent: &AgentConfig, options: &Options) -> Mask {
    let director = agent.director.as_ref().and_then(|director| director.key.clone());
    let password = SecretString::from(options.opencode_server_password.clone());
    let secrets = [&config.api_key, &agent.github_token, &agent.worker.api_key, &director];
    Mask::new(secrets.into_iter().flatten().chain([&password]))
}

/// Everything that a run knows.
struct Run {
    config: Config,
    options: Options,
    agent: AgentConfig,
    client: WorkerClient,
    context: WorkerContext,
    reporter: Reporter,
    progress: Progress,
    mask: Mask,
    cancel: CancellationToken,
}

/// Where a run works. Dropping it removes what is temporary.
struct Places {
    workdir: PathBuf,
    git_dir: PathBuf,
    state_dir: PathBuf,
    _private: TempDir,
    _temporary: Vec<TempDir>,
}

impl Run {
    async fn whole(&self) -> Result<Finished, RunError> {
        let mut phases = Phases::start();
        let title = &self.context.current_ticket.ticket.title;
        self.reporter.log("start", &format!("Working on “{title}”"), None);
        let user = agent_user::find(self.config.agent_user.as_deref())?;
        let remote = RemoteUrl::parse(&self.agent.repo_url)?;
        let places = self.make_places(user.as_ref())?;
        // Both take seconds and need nothing of each other.
        self.progress.now("cloning, and starting the agent");
        let starting = OpenCode::spawn(self.agent_options(&places, user.clone()))?;
        let cloning = self.clone_repository(&remote, &places, user);
        let (workspace, worker) = tokio::join!(cloning, self.unless_cancelled(starting.ready()));
        let (workspace, worker) = match (workspace, worker) {
            (Ok(workspace), Ok(worker)) => (workspace, worker),
            (workspace, worker) => {
                if let Ok(worker) = worker {
                    Box::new(worker).shutdown().await;
                }
                return Err(workspace.err().unwrap_or(RunError::Cancelled));
            }
        };
        self.log_phase(&mut phases, "clone", &describe_clone(&workspace, &remote));
        self.reporter.log("agent_ready", &format!("{} is ready", worker.name()), None);
        self.work(workspace, worker, &remote, phases).await
    }

    async fn work(
        &self,
        workspace: Workspace,
        worker: OpenCode,
        remote: &RemoteUrl,
        mut phases: Phases,
    ) -> Result<Finished, RunError> {
        let mut worker: Box<dyn Worker> = Box::new(worker);
        let mut hooks = Hooks::new(self, workspace, &mut phases);
        let driven = self.drive(worker.as_mut(), &mut hooks).await;
        let workspace = hooks.into_workspace();
        worker.shutdown().await;
        let workspace = workspace?;
        let outcome = driven?;
        finish::finish(self, workspace, remote, outcome, phases).await
    }

    async fn drive(&self, worker: &mut dyn Worker, hooks: &mut Hooks<'_>) -> Result<director::Outcome, RunError> {
        let mut brief = Brief::new(&self.context, &self.memory().await);
        brief.earlier_work = hooks.earlier_work()?;
        brief.conventions = hooks.conventions();
        let director = match &self.agent.director {
            Some(director) => Some(
                ChatModel::new(&director.url, &director.model, director.key.clone())
                    .map_err(|error| ConfigError::one(error.to_string()))?,
            ),
            None => {
                self.reporter.log(
                    "director",
                    "No Director is configured (AGENT_MODEL), so the worker works alone",
                    None,
                );
                None
            }
        };
        let limits = Limits { execution_turns: self.agent.max_turns, ..Limits::default() };
        Ok(director::run(&brief, limits, worker, director.as_ref(), hooks, &self.cancel).await?)
    }

    fn make_places(&self, user: Option<&RunAs>) -> Result<Places, RunError> {
        let io = |attempted: &str| {
            let attempted = attempted.to_owned();
            move |source| RunError::Io { attempted, source }
        };
        let make = |prefix: &str| {
            tempfile::Builder::new().prefix(prefix).tempdir().map_err(io("could not make a temporary directory"))
        };
        let (private, state) = (make("terarchitect-git-")?, make("terarchitect-agent-")?);
        let mut temporary = Vec::new();
        let workdir = match &self.config.workspace {
            Some(dir) => {
                git::require_empty(dir)?;
                dir.canonicalize().map_err(io("could not use the workspace"))?
            }
            None => {
                let dir = make("terarchitect-work-")?;
                let path = dir.path().to_owned();
                temporary.push(dir);
                path
            }
        };
        if let Some(user) = user {
            for dir in [workdir.as_path(), state.path()] {
                agent_user::hand_over(dir, user).map_err(io("could not hand a directory over to the agent's user"))?;
            }
        }
        let state_dir = state.path().to_owned();
        temporary.push(state);
        let git_dir = private.path().join("repository.git");
        Ok(Places { workdir, git_dir, state_dir, _private: private, _temporary: temporary })
    }

    fn agent_options(&self, places: &Places, run_as: Option<RunAs>) -> OpenCodeOptions {
        let password = self.options.opencode_server_password.trim();
        OpenCodeOptions {
            binary: self.options.opencode_bin.clone(),
            server: self.agent.opencode_server.clone().map(|url| ServerAddress {
                url,
                username: Some(self.options.opencode_server_username.trim().to_owned()).filter(|name| !name.is_empty()),
                password: (!password.is_empty()).then(|| SecretString::from(password.to_owned())),
            }),
            turn_timeout: self.agent.turn_timeout,
            run_as,
            // What the repository says about working on it comes with the prompts, from the base branch alone; files
            // on the ticket's branch, which an agent may have written, configure nothing.
            project_config: ProjectConfig::Ignored,
            extra_directories: [PathBuf::from(CACHE_DIR)].into_iter().filter(|dir| dir.is_dir()).collect(),
            progress: Arc::new(self.progress.clone()),
            ..OpenCodeOptions::new(places.workdir.clone(), places.state_dir.clone(), self.agent.worker.clone())
        }
    }

    async fn clone_repository(
        &self,
        remote: &RemoteUrl,
        places: &Places,
        user: Option<RunAs>,
    ) -> Result<Workspace, RunError> {
        let request = CloneRequest {
            url: remote.clone(),
            token: self.agent.github_token.clone(),
            branch: format!("ticket-{}", self.config.ticket),
            workdir: places.workdir.clone(),
            git_dir: places.git_dir.clone(),
            author: self.agent.author.clone(),
        };
        let cancel = self.cancel.clone();
        let cloning = tokio::task::spawn_blocking(move || {
            let workspace = Workspace::clone(request.clone(), &cancel)?;
            workspace.make_agent_copy()?;
            if let Some(user) = user {
                agent_user::hand_over(&request.workdir, &user).map_err(|source| RunError::Io {
                    attempted: "could not hand the workspace over to the agent's user".to_owned(),
                    source,
                })?;
            }
            Ok(workspace)
        });
        tokio::select! {
            cloned = cloning => cloned.unwrap_or_else(|error| Err(RunError::Internal(format!("the clone ended badly: {error}")))),
            // libgit2 notices a cancellation between two packets; a silent remote is not waited for.
            () = self.cancel.cancelled() => Err(RunError::Cancelled),
        }
    }

    async fn unless_cancelled<T>(
        &self,
        work: impl Future<Output = Result<T, crate::worker::WorkerError>>,
    ) -> Result<T, RunError> {
        tokio::select! {
            done = work => done.map_err(RunError::Worker),
            () = self.cancel.cancelled() => Err(RunError::Cancelled),
        }
    }

    /// What the project's memory knows of this ticket; without it the run is poorer, not wrong.
    async fn memory(&self) -> Vec<String> {
        if let Some(memory) = &self.context.memory {
            return memory.clone();
        }
        let ticket = &self.context.current_ticket.ticket;
        let question = format!("{}. {}", ticket.title, ticket.description.as_deref().unwrap_or_default());
        let question = question.chars().take(2_000).collect();
        let request = RetrieveRequest { queries: vec![question], num_to_retrieve: Some(MEMORY_PASSAGES) };
        match self.client.retrieve_memory(self.config.project, &request, Retry::Never).await {
            Ok(answer) => answer.results.into_iter().flat_map(|result| result.docs).collect(),
            Err(error) => {
                tracing::info!(error = error.chain(), "working without the project's memory");
                Vec::new()
            }
        }
    }

    /// Logs that a phase is over, with its time.
    fn log_phase(&self, phases: &mut Phases, step: &str, summary: &str) {
        let took = phases.end(step);
        self.reporter.log(step, &format!("{summary} ({:.1} s)", took.as_secs_f64()), None);
        self.progress.done(&format!("{:>6.1}s  {step}: {summary}", took.as_secs_f64()));
    }
}

fn describe_clone(workspace: &Workspace, remote: &RemoteUrl) -> String {
    let (branch, base) = (workspace.branch(), workspace.default_branch());
    if workspace.is_continued() {
        return format!("Cloned {}; continuing the branch {branch}", remote.as_str());
    }
    format!("Cloned {}; new branch {branch} from {base}", remote.as_str())
}
