//! The state of a ticket, in the one vocabulary that people read: what happens with it right now, as far as the database
//! shows, and since when. Why a ticket waits is in [`super::waiting`].

use super::waiting::{self, Why};
use crate::domain::jobs::words::reason_in_words;
use crate::domain::projects::board;
use crate::domain::words::words;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use std::time::Duration;
use terarchitect_worker_api::{JobId, JobKind, JobStatus, ProjectId, TicketId};
use utoipa::ToSchema;
use uuid::Uuid;

/// A worker that sends no heartbeats is called silent after this time without an entry in the log.
const SILENT_WITHOUT_HEARTBEATS: TimeDelta = TimeDelta::minutes(10);
/// The longest part of a failure's detail that becomes part of a sentence, in characters.
const MAX_DETAIL_CHARS: usize = 200;

words! {
    /// What happens with a ticket.
    pub enum StateWord "state of a ticket" {
        /// Nothing yet.
        Backlog = "backlog",
        /// It should be worked on, and is not yet; `why` says why.
        Waiting = "waiting",
        /// A coordinator has claimed it, and its runner has not reported yet.
        Starting = "starting",
        /// The agent looks around.
        Research = "research",
        /// The agent makes a plan.
        Plan = "plan",
        /// The Director reviews the plan.
        PlanReview = "plan_review",
        /// The agent works; `turn` says in which turn.
        Turn = "turn",
        /// The work is done, and the pull request is being opened.
        OpeningPr = "opening_pr",
        /// Its pull request is ready for a person.
        InReview = "in_review",
        /// A person has accepted it.
        Done = "done",
        /// Its last job failed.
        Failed = "failed",
        /// Its last job was cancelled.
        Cancelled = "cancelled",
        /// A stop was requested, and the runner has not stopped yet.
        Stopping = "stopping",
        /// A worker holds it, but there is no sign of life.
        Silent = "silent",
        /// Its job waits for a person's decision, and nothing of it runs.
        Held = "held",
    }
}

/// The state of a ticket.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = TicketState)]
pub struct State {
    /// In one word.
    pub word: StateWord,
    /// The agent's turn, while it works.
    pub turn: Option<i32>,
    /// Since when it is in this state.
    pub since: DateTime<Utc>,
    /// In a sentence.
    pub sentence: String,
    /// For a ticket that waits: why, and what ends it.
    pub why: Option<Why>,
}

/// What is known of a ticket.
#[derive(Clone, Copy, Debug)]
pub struct TicketFacts<'a> {
    /// The ticket.
    pub id: TicketId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its column.
    pub column_id: &'a str,
    /// Whether it has a pull request.
    pub has_pull_request: bool,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What is known of the ticket's live job, or else of its newest one.
#[derive(Clone, Debug)]
pub struct JobFacts {
    /// The job.
    pub id: JobId,
    /// What it asks for.
    pub kind: JobKind,
    /// Its status.
    pub status: JobStatus,
    /// Its latest attempt.
    pub attempt: i32,
    /// Failed attempts so far.
    pub failures: i32,
    /// Whether it may be claimed already.
    pub due: bool,
    /// Whether its agent works in a cloud, and no coordinator claims it.
    pub in_cloud: bool,
    /// It is not claimed before this.
    pub run_at: DateTime<Utc>,
    /// When it was enqueued.
    pub created_at: DateTime<Utc>,
    /// When it was last claimed.
    pub claimed_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// When its cancellation was requested.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// When its lease runs out.
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// The worker that holds it.
    pub worker_id: Option<String>,
    /// Since when it waits for a person.
    pub held_at: Option<DateTime<Utc>>,
    /// Why the last attempt that ended did so, and a sentence about that.
    pub last_reason: Option<String>,
    /// A sentence about that reason.
    pub last_detail: Option<String>,
}

/// What the ticket's runner reported last.
#[derive(Clone, Debug)]
pub struct ActivityFacts {
    /// The job that it was about.
    pub job_id: Option<Uuid>,
    /// The attempt.
    pub attempt: Option<i32>,
    /// What it does.
    pub phase: Option<String>,
    /// The kind of its last log entry.
    pub last_step: Option<String>,
    /// The agent's turn.
    pub turn: i32,
    /// When it reported.
    pub last_at: DateTime<Utc>,
}

/// A coordinator that has sent a heartbeat lately.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// Its name for itself.
    pub worker_id: String,
    /// A name for people.
    pub name: Option<String>,
    /// How many jobs it can run at once, where it said so.
    pub slots: Option<i32>,
    /// How many it may run at once, where a person limited it.
    pub limit: Option<i32>,
    /// How many jobs it holds, according to the queue.
    pub busy: i32,
    /// Whether it was told to claim nothing.
    pub drains: bool,
    /// The projects that it claims for; none: any.
    pub projects: Option<Vec<Uuid>>,
    /// What keeps it from claiming, as its checks say.
    pub problem: Option<String>,
}

impl Host {
    /// What people call it.
    #[must_use]
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.worker_id)
    }

    /// How many jobs it may run at once, where that is known.
    #[must_use]
    pub fn usable_slots(&self) -> Option<i32> {
        match (self.slots, self.limit) {
            (Some(slots), Some(limit)) => Some(slots.min(limit)),
            (slots, limit) => slots.or(limit),
        }
    }

    /// Whether it claims jobs of this project.
    #[must_use]
    pub fn takes(&self, project: ProjectId) -> bool {
        self.projects.as_ref().is_none_or(|projects| projects.contains(&project.0))
    }
}

/// What is known of the ticket's project.
#[derive(Clone, Copy, Debug)]
pub struct ProjectFacts {
    /// Whether its jobs are not claimed.
    pub paused: bool,
    /// How many may run at once.
    pub max_running: Option<i32>,
    /// How many run.
    pub running: i32,
    /// Whether there is something to work on: a repository, or a path.
    pub has_work: bool,
}

/// What a ticket's state depends on beside the ticket itself.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The database's time.
    pub now: DateTime<Utc>,
    /// How long the lease of a worker that sends heartbeats lasts.
    pub lease: Duration,
    /// When everything was stopped.
    pub stopped_at: Option<DateTime<Utc>>,
    /// The coordinators that have sent a heartbeat lately.
    pub hosts: Vec<Host>,
    /// How many others are known, which are lost.
    pub lost_hosts: usize,
}

impl Surroundings {
    /// What a coordinator calls itself, if it is known and told its name.
    #[must_use]
    pub fn name_of(&self, worker: &str) -> Option<&str> {
        self.hosts.iter().find(|host| host.worker_id == worker)?.name.as_deref()
    }

    fn host_name<'a>(&'a self, worker: Option<&'a str>) -> Option<&'a str> {
        let worker = worker?;
        Some(self.hosts.iter().find(|host| host.worker_id == worker).map_or(worker, Host::title))
    }
}

/// The state of a ticket.
#[must_use]
pub fn state(
    ticket: &TicketFacts<'_>,
    job: Option<&JobFacts>,
    activity: Option<&ActivityFacts>,
    project: &ProjectFacts,
    around: &Surroundings,
) -> State {
    match job {
        Some(job) if job.status == JobStatus::Running && !is_delivered(ticket, job) => running(job, activity, around),
        Some(JobFacts { status: JobStatus::Pending, held_at: Some(since), .. }) => {
            plain(StateWord::Held, *since, "Held: it goes on when you have decided about its checkpoint.")
        }
        Some(job) if job.status == JobStatus::Pending => {
            let why = waiting::why(ticket, job, project, around);
            let since = if job.due { job.run_at.max(job.created_at) } else { job.created_at };
            State { sentence: why.sentence.clone(), why: Some(why), ..plain(StateWord::Waiting, since, "") }
        }
        job => at_rest(ticket, job, project),
    }
}

/// The runner has delivered its work, and only the end of its attempt has not been reported yet.
fn is_delivered(ticket: &TicketFacts<'_>, job: &JobFacts) -> bool {
    job.kind == JobKind::Ticket && ticket.column_id == board::IN_REVIEW && job.cancel_requested_at.is_none()
}

fn is_of(activity: &ActivityFacts, job: &JobFacts) -> bool {
    activity.job_id == Some(job.id.0) && activity.attempt == Some(job.attempt)
}

fn plain(word: StateWord, since: DateTime<Utc>, sentence: impl Into<String>) -> State {
    State { word, turn: None, since, sentence: sentence.into(), why: None }
}

/// When a running job last showed that it is alive: claimed, renewed by a heartbeat, or an entry in its log.
#[must_use]
pub fn last_sign_of_life(job: &JobFacts, activity: Option<&ActivityFacts>, around: &Surroundings) -> DateTime<Utc> {
    let claimed = job.claimed_at.unwrap_or(job.created_at);
    // Also an entry that does not say whose it is, as from a runner without a job token.
    let reported = activity.map(|activity| activity.last_at).filter(|at| *at >= claimed);
    // A heartbeat sets the lease to its full length from then on.
    let renewed = heartbeat_lease(job, around).zip(job.lease_expires_at).map(|(lease, expires)| expires - lease);
    [Some(claimed), reported, renewed].into_iter().flatten().max().unwrap_or(claimed).min(around.now)
}

/// The length of the job's lease, if its worker sends heartbeats. The lease of one that sends none is as long as a job
/// may take.
fn heartbeat_lease(job: &JobFacts, around: &Surroundings) -> Option<TimeDelta> {
    let lease = TimeDelta::from_std(around.lease).ok()?;
    let claimed = job.claimed_at?;
    let expires = job.lease_expires_at?;
    // Claimed by a worker without a name: no heartbeat can come.
    (job.worker_id.is_some() && expires - lease >= claimed - TimeDelta::seconds(1) && expires - around.now <= lease)
        .then_some(lease)
}

fn running(job: &JobFacts, activity: Option<&ActivityFacts>, around: &Surroundings) -> State {
    let claimed = job.claimed_at.unwrap_or(job.created_at);
    let host = around.host_name(job.worker_id.as_deref());
    let on = host.map(|name| format!(" on {name}")).unwrap_or_default();
    let sign = last_sign_of_life(job, activity, around);
    // Two heartbeats of three in a row were missed.
    let patience = heartbeat_lease(job, around).map_or(SILENT_WITHOUT_HEARTBEATS, |lease| lease * 2 / 3);
    if around.now - sign > patience {
        let who = host.map_or_else(|| "its worker".to_owned(), ToOwned::to_owned);
        let sentence = format!("Silent: neither a heartbeat nor a log entry has come from {who} since then.");
        return plain(StateWord::Silent, sign, sentence);
    }
    if let Some(asked) = job.cancel_requested_at {
        return plain(StateWord::Stopping, asked, format!("Stopping: a stop was requested{on}."));
    }
    let activity = activity.filter(|activity| is_of(activity, job));
    if job.in_cloud {
        return in_cloud(claimed, activity);
    }
    let Some(activity) = activity else {
        return plain(StateWord::Starting, claimed, format!("Starting{on}: the runner has not reported yet."));
    };
    let (word, sentence) = match phase_of(activity) {
        StateWord::Research => (StateWord::Research, "Research: the agent reads the repository.".to_owned()),
        StateWord::Plan => (StateWord::Plan, "Plan: the agent plans the work.".to_owned()),
        StateWord::PlanReview => (StateWord::PlanReview, "Plan review: the Director reads the plan.".to_owned()),
        StateWord::OpeningPr => {
            (StateWord::OpeningPr, "Opening PR: the work is done, and its pull request is being opened.".to_owned())
        }
        StateWord::Turn if job.kind == JobKind::Review => {
            (StateWord::Turn, format!("Turn {}: the agent works on a review comment.", activity.turn))
        }
        StateWord::Turn => (StateWord::Turn, format!("Turn {}: the agent works on the ticket.", activity.turn)),
        _ => (StateWord::Starting, format!("Starting{on}: the runner prepares its work.")),
    };
    let turn = (word == StateWord::Turn).then_some(activity.turn);
    // What the database has is when the runner spoke last, not when this phase began.
    State { turn, ..plain(word, claimed, sentence) }
}

/// Nothing but its launch is known of an agent in a cloud until it has ended.
fn in_cloud(claimed: DateTime<Utc>, activity: Option<&ActivityFacts>) -> State {
    match activity.and_then(|activity| activity.last_step.as_deref()) {
        Some("cloud_waits") => {
            let sentence = "Starting: the agent's cloud did not take it yet; it is asked again. The log says why.";
            plain(StateWord::Starting, claimed, sentence)
        }
        Some(_) => {
            State { turn: Some(1), ..plain(StateWord::Turn, claimed, "The agent works on the ticket in its cloud.") }
        }
        None => plain(StateWord::Starting, claimed, "Starting: the agent is being launched in its cloud."),
    }
}

/// What a runner does, by the words that it reports. One that sends no phase is known by its log's steps.
fn phase_of(activity: &ActivityFacts) -> StateWord {
    let said = activity.phase.as_deref().or(activity.last_step.as_deref()).unwrap_or_default();
    match said {
        "research" => StateWord::Research,
        "plan" => StateWord::Plan,
        "plan_review" => StateWord::PlanReview,
        "opening_pr" | "pull_request" | "finish" | "complete" => StateWord::OpeningPr,
        _ if activity.turn > 0 => StateWord::Turn,
        _ => StateWord::Starting,
    }
}

/// A ticket without a job that waits or runs.
fn at_rest(ticket: &TicketFacts<'_>, job: Option<&JobFacts>, project: &ProjectFacts) -> State {
    let ended = job.and_then(|job| job.finished_at).unwrap_or(ticket.updated_at);
    match (ticket.column_id, job.map(|job| job.status)) {
        (board::DONE, _) => plain(StateWord::Done, ticket.updated_at, "Done."),
        (board::IN_REVIEW, _) => {
            let sentence = if ticket.has_pull_request {
                "In review: the pull request is ready for you."
            } else {
                "In review: the work is ready for you. It has no pull request."
            };
            plain(StateWord::InReview, ticket.updated_at, sentence)
        }
        (board::IN_PROGRESS, Some(JobStatus::Failed)) => {
            plain(StateWord::Failed, ended, job.map(failure).unwrap_or_default())
        }
        (board::IN_PROGRESS, Some(JobStatus::Cancelled)) => {
            plain(StateWord::Cancelled, ended, "Cancelled: it was stopped before it was done.")
        }
        (board::IN_PROGRESS, _) => {
            let why = waiting::why_not_enqueued(ticket, project);
            let sentence = why.sentence.clone();
            State { why: Some(why), ..plain(StateWord::Waiting, ticket.updated_at, sentence) }
        }
        _ => plain(StateWord::Backlog, ticket.updated_at, "Not started."),
    }
}

/// Why a job failed, in a sentence.
#[must_use]
pub fn failure(job: &JobFacts) -> String {
    let reason = reason_in_words(job.last_reason.as_deref().unwrap_or("agent_failed"));
    match job.last_detail.as_deref().map(first_line).filter(|detail| !detail.is_empty()) {
        Some(detail) => format!("Failed: {reason}: {detail}"),
        None => format!("Failed: {reason}."),
    }
}

/// The first line of a text, ended like a sentence and not too long.
pub(super) fn first_line(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    let mut short: String = line.chars().take(MAX_DETAIL_CHARS).collect();
    if short.len() < line.len() {
        short.push('…');
    } else if !short.is_empty() && !short.ends_with(['.', '!', '?']) {
        short.push('.');
    }
    short
}

/// Whether a ticket in this state waits for a person.
#[must_use]
pub fn needs_person(word: StateWord) -> bool {
    matches!(word, StateWord::Failed | StateWord::InReview | StateWord::Held)
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
