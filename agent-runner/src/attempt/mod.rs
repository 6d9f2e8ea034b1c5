//! One attempt at a ticket, from its context to its pull request; or at what reviewers say about that.

mod budget;
mod checkpoints;
mod cloud;
mod conflicts;
mod diffs;
mod error;
mod finish;
mod finished;
mod hooks;
mod kept;
mod live;
mod models;
mod patience;
mod people;
mod phases;
mod places;
mod proof;
mod review;
mod secrets;
mod setup_cache;
mod task;
mod usage;
mod warm;
mod wording;

pub use error::AttemptError;
pub use warm::Warm;

use crate::agent::users::{self, RunAs};
use crate::agent::{Agent, AgentError, AgentKind, AgentOptions, ProjectConfig, Provider, ServerAddress};
use crate::cancel;
use crate::cli::Options;
use crate::config::{AgentConfig, CACHE_DIR, Config, ConfigError, Program};
use crate::director::chat::ChatModel;
use crate::director::{self, Brief, DriveError, Limits};
use crate::git::{CloneRequest, ForgeToken, RemoteUrl, Shelf, Workspace, describe_update};
use crate::points::Points;
use crate::printed;
use crate::progress::Progress;
use crate::report::Reporter;
use diffs::Diffs;
use hooks::Hooks;
use kept::Archive;
use live::Live;
use models::Models;
use phases::Phases;
use places::Places;
use proof::Prover;
use secrecy::SecretString;
use secrets::Secrets;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use task::Scratch;
use terarchitect_outbound::{Mask, Proxies, Retry};
use terarchitect_worker_api::client::WorkerClient;
use terarchitect_worker_api::{EntryData, RetrieveRequest, WorkerContext};
use tokio_util::sync::CancellationToken;
use wording::{named, one_line};

/// For how long the first call to the API is retried before the attempt fails with exit code 75.
const API_PATIENCE: Duration = Duration::from_secs(120);
/// How long to wait until the last log entries are sent.
const LOG_PATIENCE: Duration = Duration::from_secs(15);
/// How many passages from the project's memory the agent gets.
const MEMORY_PASSAGES: u32 = 5;

/// The result of a successful attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// The branch.
    pub branch: String,
    /// The changed files with their numbers of added and removed lines.
    pub diffstat: String,
    /// The pull request, where there is one.
    pub pull_url: Option<String>,
    /// What was done.
    pub summary: String,
    /// How long each phase took.
    pub phases: Vec<(String, Duration)>,
}

/// Makes one attempt at a ticket, or at what reviewers say about its pull request, with what is ready for it.
///
/// # Errors
/// See [`AttemptError`]; the error is also written to the ticket's log.
pub async fn make_attempt(
    config: Config,
    mut options: Options,
    cancel: CancellationToken,
    warm: Warm,
) -> Result<Finished, AttemptError> {
    let client = WorkerClient::direct(&config.api_url, config.api_key.clone()).map_err(AttemptError::Api)?;
    let mut context = tokio::select! {
        context = client.worker_context(config.project, config.ticket, Retry::For(API_PATIENCE)) => {
            context.map_err(AttemptError::Api)?
        }
        () = cancel.cancelled() => return Err(AttemptError::Cancelled),
    };
    context.finished_work = finished::of_this_job(context.finished_work, config.review.as_ref());
    let scratch = Scratch::of(&context, &options.repo_url)?;
    if let Some(scratch) = &scratch {
        options.repo_url = scratch.url();
    }
    let agent = AgentConfig::resolve(&mut options, &context, config.host_alias.as_deref())?;
    let secrets = Secrets::take(&mut context);
    let mask = mask_of(&config, &agent, &options, &secrets);
    printed::keep_secret(mask.clone());
    let (reporter, sending) = Reporter::start(client.clone(), config.project, config.ticket, mask.clone());
    let polling = tokio::spawn(cancel::poll_api(client.clone(), config.project, config.ticket, cancel.clone()));
    let (diffs, sending_diffs) = Diffs::start(client.clone(), config.project, config.ticket, mask.clone());
    let progress = Progress::new(mask.clone());
    let live = Live::new(progress.clone(), reporter.clone());
    let budget = budget::Heard::new(context.budget.clone());
    let attempt = Attempt {
        config,
        options,
        agent,
        client,
        context,
        reporter,
        live,
        diffs,
        progress,
        mask,
        secrets,
        cancel,
        scratch,
        usage_taken: usage::Taken::default(),
        budget,
        warm,
    };
    let outcome = Box::pin(attempt.make()).await;
    polling.abort();
    match &outcome {
        Ok(_) => {}
        // Nothing can be said for an attempt that handed its job over.
        Err(AttemptError::Held { .. }) => {}
        Err(error) => {
            attempt.reporter.failed(if error.exit_code() == 130 { "cancelled" } else { "failed" }, &error.chain());
            if error.exit_code() == 1 {
                kept::forget(&attempt).await;
            }
        }
    }
    attempt.progress.end();
    drop(attempt);
    tokio::join!(sending.finish(LOG_PATIENCE), sending_diffs.finish(LOG_PATIENCE));
    outcome
}

fn mask_of(config: &Config, agent: &AgentConfig, options: &Options, of_project: &Secrets) -> Mask {
    let director = agent.director.as_ref().and_then(|director| director.key.clone());
    let password = SecretString::from(options.opencode_server_password.clone());
    let proxies = Proxies::of_environment().secrets();
    let program = match &agent.program {
        Program::Here(_, model) => model.api_key.clone(),
        Program::Cursor(cursor) => Some(cursor.key.clone()),
    };
    let secrets = [&config.api_key, &agent.github_token, &program, &director];
    Mask::new(secrets.into_iter().flatten().chain([&password]).chain(&proxies).chain(of_project.values()))
}

/// Everything that one attempt knows.
struct Attempt {
    config: Config,
    options: Options,
    agent: AgentConfig,
    client: WorkerClient,
    context: WorkerContext,
    reporter: Reporter,
    live: Live,
    diffs: Diffs,
    progress: Progress,
    mask: Mask,
    secrets: Secrets,
    cancel: CancellationToken,
    /// The repository of a job that has none of its own.
    scratch: Option<Scratch>,
    usage_taken: usage::Taken,
    budget: budget::Heard,
    warm: Warm,
}

impl Attempt {
    async fn make(&self) -> Result<Finished, AttemptError> {
        let mut phases = Phases::start();
        self.reporter.log(
            "start",
            &self.describe_start(),
            self.config.review.as_ref().map(|order| order.said.as_str()),
        );
        self.describe_secrets();
        if let Some(finished) = finish::handed_in_before(self, &mut phases).await? {
            return Ok(finished);
        }
        self.require_budget().await?;
        // Before the clone: what was done of a job without a repository of its own is in there.
        let earlier = kept::earlier(self).await.and_then(|earlier| kept::bring_work(self, earlier));
        let user = self.agents_user()?;
        let remote = RemoteUrl::parse(&self.agent.repo_url)?;
        let places = match self.warm.places() {
            Some(places) => places,
            None => Places::make(self.config.workspace.as_deref(), user.as_ref())?,
        };
        let (workspace, agent, models) = match &self.context.finished_work {
            None => self.clone_and_start(&remote, &places, user).await?,
            Some(noted) => {
                let workspace = self.clone_repository(&remote, &places, user.clone(), &self.cancel).await?;
                let mut workspace = finish::push_restored(self, workspace).await?;
                if let Some(outcome) = finished::earlier_outcome(noted, &mut workspace)? {
                    self.log_phase(
                        &mut phases,
                        "clone",
                        "An earlier attempt did the work; going on at what is missing",
                    );
                    return finish::finish(self, workspace, &remote, outcome, phases).await;
                }
                let (agent, models) = self.start_agent(&places, user).await?;
                (workspace, agent, models)
            }
        };
        if self.config.review.is_some() && !workspace.is_continued() {
            agent.shutdown().await;
            return Err(AttemptError::NothingToReview { branch: workspace.branch().to_owned() });
        }
        self.log_phase(&mut phases, "clone", &describe_clone(&workspace, &remote));
        if let Some(text) = describe_update(workspace.update(), workspace.default_branch()) {
            self.reporter.log("update", &text, None);
        }
        let held = workspace.held_to_base();
        if !held.is_empty() {
            let text = format!(
                "The agent sees these files as they are in {}, not as on the ticket's branch, since they instruct agents: {}",
                workspace.default_branch(),
                named(&held)
            );
            self.reporter.log("instructions", &text, Some(&held.join("\n")));
        }
        for text in workspace.not_filled()? {
            self.reporter.log("not_filled", &text, None);
        }
        self.reporter.log("agent_ready", &format!("{} is ready", agent.name()), None);
        self.work(workspace, agent, (&models, earlier), &remote, phases).await
    }

    /// The ticket's title in one line that shows what it says.
    fn title(&self) -> String {
        one_line(&self.context.current_ticket.ticket.title)
    }

    /// The user that the agent runs as, where that is not the runner's own.
    fn agents_user(&self) -> Result<Option<RunAs>, ConfigError> {
        users::find(self.config.agent_user.as_deref()).map_err(|error| ConfigError::one(error.to_string()))
    }

    /// Clones the repository, and asks the models and starts the agent at the same time: each takes seconds, and
    /// neither needs the other.
    async fn clone_and_start(
        &self,
        remote: &RemoteUrl,
        places: &Places,
        user: Option<RunAs>,
    ) -> Result<(Workspace, Box<dyn Agent>, Models), AttemptError> {
        self.progress.now("cloning, and starting the agent");
        let stop_cloning = self.cancel.child_token();
        let starting = async {
            let started = self.start_agent(places, user.clone()).await;
            if started.is_err() {
                stop_cloning.cancel();
            }
            started
        };
        let cloning = self.clone_repository(remote, places, user.clone(), &stop_cloning);
        match tokio::join!(starting, cloning) {
            (Ok((agent, models)), Ok(workspace)) => match finish::push_restored(self, workspace).await {
                Ok(workspace) => Ok((workspace, agent, models)),
                Err(error) => {
                    agent.shutdown().await;
                    Err(error)
                }
            },
            (Ok((agent, _)), Err(error)) => {
                agent.shutdown().await;
                Err(error)
            }
            (Err(error), Ok(_)) => Err(error),
            // The clone's own error says more than the cancellation that followed from the agent's.
            (Err(agent_error), Err(clone_error)) => {
                Err(if clone_error.exit_code() == 130 { agent_error } else { clone_error })
            }
        }
    }

    async fn start_agent(
        &self,
        places: &Places,
        user: Option<RunAs>,
    ) -> Result<(Box<dyn Agent>, Models), AttemptError> {
        let models = self.find_models().await?;
        let agent = match &self.agent.program {
            Program::Cursor(cursor) => {
                self.warm.dismiss_agent();
                cloud::agent(self, cursor)?
            }
            Program::Here(kind, model) => {
                let mut options = self.agent_options(places, user, models.for_agent(model));
                if *kind != AgentKind::OpenCode {
                    options.program = self.options.acp_agent_bin.trim().into();
                    options.command_line = self.options.agent_command.trim().to_owned();
                    options.last_trouble = Some(models.last_trouble());
                }
                self.waiting_or_new(*kind, options).await?
            }
        };
        Ok((agent, models))
    }

    async fn work(
        &self,
        workspace: Workspace,
        mut agent: Box<dyn Agent>,
        (models, earlier): (&Models, Option<Archive>),
        remote: &RemoteUrl,
        mut phases: Phases,
    ) -> Result<Finished, AttemptError> {
        let workspace = match finish::publish(self, workspace).await {
            Ok(workspace) => workspace,
            Err(error) => {
                agent.shutdown().await;
                return Err(error);
            }
        };
        let prover = match self.prepare(&workspace, &mut phases).await {
            Ok(prover) => prover,
            Err(error) => {
                agent.shutdown().await;
                return Err(error);
            }
        };
        let mut hooks = Hooks::new(self, (workspace, prover, models), &mut phases);
        let driven = tokio::select! {
            driven = self.drive(agent.as_mut(), models, earlier, &mut hooks) => driven,
            never = self.keep_telling(models) => match never {},
        };
        let (workspace, prover) = hooks.into_parts();
        // Nothing can be said for an attempt that handed its job over.
        if !matches!(driven, Err(AttemptError::Held { .. })) {
            self.report_spent(models);
            self.tell_usage(models).await;
        }
        agent.shutdown().await;
        self.live.abandon();
        let workspace = workspace?;
        match driven {
            Ok(mut outcome) => {
                let evidence = prover.evidence(Some(&outcome));
                proof::log_acceptance(self, &evidence);
                outcome.proof = evidence.for_pull_request();
                let finished = finish::finish(self, workspace, remote, outcome, phases).await?;
                proof::post_status(self, remote, &evidence).await;
                Ok(finished)
            }
            Err(error @ AttemptError::Drive(DriveError::Unproven { .. })) => {
                let evidence = prover.evidence(None);
                finish::hand_in_unproven(self, workspace, remote, &evidence, phases).await;
                Err(error)
            }
            Err(error) => {
                finish::keep_what_is_there(self, workspace, &error).await;
                Err(error)
            }
        }
    }

    /// Runs the setup commands in the workspace.
    async fn prepare(&self, workspace: &Workspace, phases: &mut Phases) -> Result<Prover, AttemptError> {
        let prover = Prover::new(self, workspace)?;
        prover.propose(self, workspace).await?;
        prover.prepare(self, workspace).await?;
        phases.end("setup");
        Ok(prover)
    }

    async fn drive(
        &self,
        agent: &mut dyn Agent,
        models: &Models,
        earlier: Option<Archive>,
        hooks: &mut Hooks<'_>,
    ) -> Result<director::Outcome, AttemptError> {
        if let Err(error) = self.resolve_conflicts(agent, hooks).await {
            hooks.ask_for_more_after(error).await?;
        }
        let mut brief = Brief::new(&self.context, &self.memory().await);
        brief.earlier_work = hooks.earlier_work()?;
        brief.conventions = hooks.conventions();
        brief.may_ask = self.may_ask();
        brief.acceptance = hooks.prover().acceptance();
        if let Some(order) = &self.config.review {
            let points = Points::of(self.context.review.as_ref());
            let said = points.render();
            brief.review = if said.is_empty() { order.said.clone() } else { said };
            brief.threads = points.list();
        }
        let director = match &self.agent.director {
            Some(director) => {
                let name = &director.model;
                let model = match models.for_director() {
                    Some(way) => ChatModel::behind(&way.base, name, way.placeholder, &director.url),
                    None => ChatModel::new(&director.url, name, director.key.clone()),
                };
                Some(model.map_err(|error| ConfigError::one(error.to_string()))?)
            }
            None => {
                self.reporter.log(
                    "director",
                    "No Director is configured (AGENT_LLM_URL, AGENT_MODEL, AGENT_API_KEY), so the agent works alone",
                    None,
                );
                None
            }
        };
        let limits = Limits {
            execution_turns: self.agent.max_turns,
            verifications: hooks.prover().verifications(),
            stuck: self.options.stuck,
            ..Limits::default()
        };
        self.go_on(agent, earlier, hooks).await?;
        let driven = director::drive(&brief, limits, agent, director.as_ref(), hooks, &self.cancel).await;
        driven.map_err(own_error)
    }

    /// Lets agent and Director go on from where an earlier attempt of the same job was, if it kept that.
    async fn go_on(
        &self,
        agent: &mut dyn Agent,
        earlier: Option<Archive>,
        hooks: &mut Hooks<'_>,
    ) -> Result<(), AttemptError> {
        let Some(earlier) = earlier else { return Ok(()) };
        if !hooks.has_work_of(&earlier) {
            let text = "An earlier attempt's last commits could not be pushed and are not here, so its conversation is left out";
            self.reporter.log("resumed", text, None);
            return Ok(());
        }
        let resumed = match &earlier.agent {
            Some(remembered) => self.unless_cancelled(agent.resume(remembered)).await?,
            None => true,
        };
        if resumed {
            let turn = self.context.conversation.as_ref().map_or(0, |info| info.turn);
            let text = format!("Going on after turn {turn}");
            self.reporter.log("resumed", &text, None);
            hooks.resume(earlier)?;
        }
        Ok(())
    }

    fn agent_options(&self, places: &Places, run_as: Option<RunAs>, model: Provider) -> AgentOptions {
        let password = self.options.opencode_server_password.trim();
        AgentOptions {
            turn_timeout: self.agent.turn_timeout,
            progress: Arc::new(self.live.clone()),
            may_ask: self.may_ask(),
            stuck: self.options.stuck,
            secrets: self.secrets.for_agent(),
            server: self.agent.opencode_server.clone().map(|url| ServerAddress {
                url,
                username: Some(self.options.opencode_server_username.trim().to_owned()).filter(|name| !name.is_empty()),
                password: (!password.is_empty()).then(|| SecretString::from(password.to_owned())),
            }),
            ..agent_options(&self.options, places, run_as, model)
        }
    }

    async fn clone_repository(
        &self,
        remote: &RemoteUrl,
        places: &Places,
        user: Option<RunAs>,
        cancel: &CancellationToken,
    ) -> Result<Workspace, AttemptError> {
        if cancel.is_cancelled() {
            return Err(AttemptError::Cancelled);
        }
        let request = CloneRequest {
            url: remote.clone(),
            token: self.agent.github_token.clone().map(|token| ForgeToken::new(token, self.agent.token_home.clone())),
            proxies: Proxies::of_environment(),
            branch: self.branch(),
            start: self.context.base_branch.clone().filter(|_| self.scratch.is_none()),
            workdir: places.workdir.clone(),
            git_dir: places.git_dir.clone(),
            author: self.agent.author.clone(),
            // Work that is done stays as it was proven.
            update_strategy: self.context.finished_work.is_none().then_some(self.context.update_strategy),
            submodules: self.context.submodules,
            shelf: self.config.unpushed_dir.clone().map(|dir| Shelf::new(dir, self.agent.github_token.clone())),
            secrets: self.mask.clone(),
        };
        let cloning = self.patiently(false, || clone_once(request.clone(), user.clone(), cancel.clone()));
        tokio::select! {
            cloned = cloning => cloned,
            // libgit2 notices a cancellation only between two packets, so a silent remote is not waited for.
            () = cancel.cancelled() => Err(AttemptError::Cancelled),
        }
    }

    async fn unless_cancelled<T>(&self, work: impl Future<Output = Result<T, AgentError>>) -> Result<T, AttemptError> {
        tokio::select! {
            done = work => done.map_err(AttemptError::Agent),
            () = self.cancel.cancelled() => Err(AttemptError::Cancelled),
        }
    }

    /// What the project's memory has about this ticket. A failure does not fail the attempt.
    async fn memory(&self) -> Vec<String> {
        if let Some(memory) = &self.context.memory {
            return memory.clone();
        }
        let ticket = &self.context.current_ticket.ticket;
        let question = format!("{}. {}", ticket.title, ticket.description.as_deref().unwrap_or_default());
        let question = question.chars().take(2_000).collect();
        let request = RetrieveRequest { queries: vec![question], num_to_retrieve: Some(MEMORY_PASSAGES) };
        match self.client.retrieve_memory(self.config.project, &request, Retry::Never).await {
            Ok(response) => response.results.into_iter().flat_map(|result| result.docs).collect(),
            Err(error) => {
                tracing::info!(error = error.chain(), "working without the project's memory");
                Vec::new()
            }
        }
    }

    /// Logs the end of a phase, with its duration.
    fn log_phase(&self, phases: &mut Phases, step: &str, summary: &str) {
        self.log_phase_data(phases, step, summary, None);
    }

    /// The same, with what it brought for programs.
    fn log_phase_data(&self, phases: &mut Phases, step: &str, summary: &str, data: Option<EntryData>) {
        let took = phases.end(step);
        let text = format!("{summary} ({:.1} s)", took.as_secs_f64());
        match data {
            Some(data) => self.reporter.log_data(step, &text, None, data),
            None => self.reporter.log(step, &text, None),
        }
        self.progress.done(&format!("{:>6.1}s  {step}: {summary}", took.as_secs_f64()));
    }
}

/// What is the same for each agent that works on this machine, whatever its job.
fn agent_options(options: &Options, places: &Places, run_as: Option<RunAs>, model: Provider) -> AgentOptions {
    let program = options.opencode_bin.clone();
    AgentOptions {
        run_as,
        // What the repository says about working on it is part of the prompts, and is read from the base branch.
        // Files on the ticket's branch, which an agent may have written, configure nothing.
        project_config: ProjectConfig::Ignored,
        extra_directories: [PathBuf::from(CACHE_DIR)].into_iter().filter(|dir| dir.is_dir()).collect(),
        ..AgentOptions::new(program, places.workdir.clone(), places.state_dir.clone(), model)
    }
}

/// What a person decided does not count as a failure of a turn, though it ends one.
fn own_error(error: DriveError) -> AttemptError {
    match error {
        DriveError::Hook(error) => match error.downcast::<AttemptError>() {
            Ok(
                error
                @ (AttemptError::Held { .. } | AttemptError::NotApproved { .. } | AttemptError::NotGranted { .. }),
            ) => error,
            Ok(error) => AttemptError::Drive(DriveError::Hook(error.into())),
            Err(error) => AttemptError::Drive(DriveError::Hook(error)),
        },
        error => error.into(),
    }
}

async fn clone_once(
    request: CloneRequest,
    user: Option<RunAs>,
    stop: CancellationToken,
) -> Result<Workspace, AttemptError> {
    let cloning = tokio::task::spawn_blocking(move || {
        let workspace = Workspace::clone(request.clone(), &stop)?;
        workspace.make_agent_copy()?;
        hand_over(&workspace, user.as_ref())?;
        Ok(workspace)
    });
    let failed = |error| AttemptError::Internal(format!("the task that clones failed: {error}"));
    cloning.await.unwrap_or_else(|error| Err(failed(error)))
}

/// Gives the workspace's files to the agent's user, where that is not the runner's own.
fn hand_over(workspace: &Workspace, user: Option<&RunAs>) -> Result<(), AttemptError> {
    user.map_or(Ok(()), |user| users::hand_over(workspace.workdir(), user)).map_err(|source| AttemptError::Io {
        attempted: "could not hand the workspace over to the agent's user".to_owned(),
        source,
    })
}

fn describe_clone(workspace: &Workspace, remote: &RemoteUrl) -> String {
    let (branch, base) = (workspace.branch(), workspace.default_branch());
    if workspace.is_continued() {
        return format!("Cloned {}; continuing the branch {branch}", remote.as_str());
    }
    format!("Cloned {}; new branch {branch} from {base}", remote.as_str())
}
