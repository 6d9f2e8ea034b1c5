//! One dispatcher per process claims for every waiting request: requests that arrive while a statement runs share the
//! next one, and a request that waits costs nothing until something may have changed.

use super::grant::Grant;
use super::own_connection::OwnConnection;
use super::signals::{DueProjects, Signals};
use super::{in_time, log_error};
use crate::changes::Database;
use crate::db;
use crate::db::errors::{is_connection_error, is_deadlock};
use crate::db::worker::claims::{Asking, ClaimedJob};
use crate::metrics::Metrics;
use sqlx::PgConnection;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use terarchitect_worker_api::{ProjectId, WorkerId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// For how many requests one statement claims at first: one new job should not cost a statement with a thousand.
const FIRST_BATCH: usize = 64;
/// And while there is more work than that.
const LARGE_BATCH: usize = 256;
/// How often the runtime may serve other tasks before a statement is sent.
const GATHER_TURNS: usize = 2;
/// How long a repeated claim may wait to be recognised while no new work is expected. Until then nothing is claimed for
/// it that the statement itself would not recognise.
const LOOK_UP_AFTER: Duration = Duration::from_secs(3);
/// How often requests whose clients have disconnected, and filters that are no longer used, are removed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// Who claims, for which projects, and how long the lease is valid.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Only these projects; empty means any.
    pub projects: Vec<ProjectId>,
    /// The worker's name for itself.
    pub worker_id: Option<WorkerId>,
    /// The worker's id of this request.
    pub request_id: Option<Uuid>,
    /// How long the lease is valid.
    pub lease: Duration,
}

/// The result of a claim: a job, none, or the database's error.
pub(crate) type Reply = Result<Option<Grant>, Arc<sqlx::Error>>;

/// A message to the dispatcher.
#[derive(Debug)]
pub(super) enum Event {
    /// A request for a job.
    Claim(Waiter),
    /// These projects may have something.
    Wake(DueProjects),
}

/// A request for a job.
#[derive(Debug)]
pub(super) struct Waiter {
    projects: Vec<ProjectId>,
    asking: Asking,
    /// The client chose the request id, so this may be a repetition.
    may_repeat: bool,
    /// The table has been checked for this request.
    looked_up: bool,
    /// Waits if there is no job now.
    waits: bool,
    reply: oneshot::Sender<Reply>,
}

impl Waiter {
    pub(super) fn new(claim: Claim, waits: bool, reply: oneshot::Sender<Reply>) -> Self {
        let mut projects = claim.projects;
        projects.sort_unstable();
        projects.dedup();
        let asking = Asking {
            worker_id: claim.worker_id,
            // Every claim has one: what was claimed when the connection broke is found again by it.
            request_id: claim.request_id.unwrap_or_else(Uuid::new_v4),
            lease: claim.lease,
        };
        Self { projects, asking, may_repeat: claim.request_id.is_some(), looked_up: false, waits, reply }
    }

    fn is_gone(&self) -> bool {
        self.reply.is_closed()
    }

    fn needs_look_up(&self) -> bool {
        self.may_repeat && !self.looked_up
    }
}

/// The requests for the same projects.
#[derive(Debug)]
struct Group {
    waiting: VecDeque<Waiter>,
    /// Has a place in the line of groups to claim for.
    ready: bool,
    /// The last claim found nothing, and no notification has come since.
    dry: bool,
    /// The last statement served every request, so there may be much more work.
    plenty: bool,
    used: Instant,
}

impl Default for Group {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), ready: false, dry: false, plenty: false, used: Instant::now() }
    }
}

/// Claims for every waiting request of the process.
pub(super) struct Dispatcher {
    database: Database,
    signals: Arc<Signals>,
    metrics: Arc<Metrics>,
    tasks: TaskTracker,
    connection: OwnConnection,
    groups: HashMap<Vec<ProjectId>, Group>,
    ready: VecDeque<Vec<ProjectId>>,
    look_up_at: Option<Instant>,
    /// Requests of which it is not known whether they got a job, and that no client will repeat.
    unknown: Vec<Uuid>,
}

impl Dispatcher {
    pub(super) fn new(database: Database, signals: Arc<Signals>, metrics: Arc<Metrics>, tasks: TaskTracker) -> Self {
        Self {
            connection: OwnConnection::new(database.pool().clone()),
            database,
            signals,
            metrics,
            tasks,
            groups: HashMap::new(),
            ready: VecDeque::new(),
            look_up_at: None,
            unknown: Vec::new(),
        }
    }

    /// Serves until `stop`. Claims that wait then end without a job, because their waiters are dropped.
    pub(super) async fn run(mut self, mut events: mpsc::UnboundedReceiver<Event>, stop: CancellationToken) {
        let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Requests that are read at this moment come along: a yield costs next to nothing against a commit.
            for _ in 0..=GATHER_TURNS {
                while let Ok(event) = events.try_recv() {
                    self.take(event);
                }
                tokio::task::yield_now().await;
            }
            if stop.is_cancelled() {
                break;
            }
            if let Some(projects) = self.ready.pop_front() {
                self.claim_for(projects).await;
                continue;
            }
            let look_up_at = self.look_up_at;
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.take(event),
                    None => break,
                },
                () = tokio::time::sleep_until(look_up_at.unwrap_or_else(Instant::now)), if look_up_at.is_some() => {
                    self.look_up().await;
                }
                _ = sweep.tick() => self.sweep(),
                () = stop.cancelled() => break,
            }
        }
        self.connection.close().await;
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Claim(waiter) => self.enter(waiter),
            Event::Wake(None) => self.wake(|_| true),
            Event::Wake(Some(projects)) => {
                self.wake(|wanted| wanted.is_empty() || projects.iter().any(|project| wanted.contains(project)));
            }
        }
    }

    fn enter(&mut self, waiter: Waiter) {
        let listening = self.signals.is_listening();
        let group = self.groups.entry(waiter.projects.clone()).or_default();
        group.used = Instant::now();
        if waiter.may_repeat {
            // The same claim once more: the response to the first one will not reach the client.
            let same = |other: &Waiter| {
                other.asking.request_id == waiter.asking.request_id && other.asking.worker_id == waiter.asking.worker_id
            };
            if let Some(place) = group.waiting.iter().position(same)
                && let Some(old) = group.waiting.remove(place)
            {
                let _ = old.reply.send(Ok(None));
            }
        }
        if group.dry && listening && waiter.waits {
            if waiter.may_repeat {
                self.look_up_at.get_or_insert_with(|| Instant::now() + LOOK_UP_AFTER);
            }
        } else if !group.ready {
            group.ready = true;
            self.ready.push_back(waiter.projects.clone());
        }
        group.waiting.push_back(waiter);
    }

    fn wake(&mut self, concerns: impl Fn(&[ProjectId]) -> bool) {
        for (projects, group) in &mut self.groups {
            if !concerns(projects) {
                continue;
            }
            group.dry = false;
            if !group.ready && !group.waiting.is_empty() {
                group.ready = true;
                self.ready.push_back(projects.clone());
            }
        }
    }

    async fn claim_for(&mut self, projects: Vec<ProjectId>) {
        let Some(group) = self.groups.get_mut(&projects) else { return };
        group.ready = false;
        group.waiting.retain(|waiter| !waiter.is_gone());
        let size = if group.plenty { LARGE_BATCH } else { FIRST_BATCH };
        let batch: Vec<Waiter> = group.waiting.drain(..size.min(group.waiting.len())).collect();
        if batch.is_empty() {
            return;
        }
        let claimed = self.claim_batch(&projects, &batch).await;
        let listening = self.signals.is_listening();
        let Some(group) = self.groups.get_mut(&projects) else { return };
        let mut jobs = match claimed {
            Ok(jobs) => jobs,
            Err(error) => {
                log_error(&error, "could not claim");
                let error = Arc::new(error);
                batch.into_iter().for_each(|waiter| drop(waiter.reply.send(Err(error.clone()))));
                if !group.waiting.is_empty() {
                    group.ready = true;
                    self.ready.push_back(projects);
                }
                return;
            }
        };
        self.metrics.claim_statement();
        if !jobs.is_empty() {
            self.database.hub().committed();
        }
        group.plenty = jobs.len() == batch.len();
        group.dry = !group.plenty && listening;
        let mut unserved = Vec::new();
        for (place, mut waiter) in batch.into_iter().enumerate() {
            waiter.looked_up = true;
            match jobs.remove(&place) {
                Some(job) => {
                    let grant = Grant::new(job, self.database.clone(), self.tasks.clone());
                    // If the worker has disconnected, the drop of the grant gives the job back.
                    let _ = waiter.reply.send(Ok(Some(grant)));
                }
                None => unserved.push(waiter),
            }
        }
        if !group.plenty {
            // A request that came before the statement and does not wait gets its result now, but a possible repetition
            // must be checked first.
            unserved.extend(std::mem::take(&mut group.waiting));
            let (stay, go): (Vec<_>, Vec<_>) =
                unserved.into_iter().partition(|waiter| waiter.waits || waiter.needs_look_up());
            go.into_iter().for_each(|waiter| drop(waiter.reply.send(Ok(None))));
            let (urgent, patient): (Vec<_>, Vec<_>) = stay.into_iter().partition(|waiter| !waiter.waits);
            if !urgent.is_empty() {
                group.ready = true;
                self.ready.push_back(projects);
            } else if patient.iter().any(Waiter::needs_look_up) {
                self.look_up_at.get_or_insert_with(|| Instant::now() + LOOK_UP_AFTER);
            }
            group.waiting.extend(urgent);
            group.waiting.extend(patient);
        } else if !group.waiting.is_empty() {
            group.ready = true;
            self.ready.push_back(projects);
        }
    }

    /// Claims for the batch. A connection that breaks is replaced once: what was claimed before it broke is recognised
    /// by the request ids.
    async fn claim_batch(
        &mut self,
        projects: &[ProjectId],
        batch: &[Waiter],
    ) -> sqlx::Result<HashMap<usize, ClaimedJob>> {
        let asking: Vec<&Asking> = batch.iter().map(|waiter| &waiter.asking).collect();
        let mut tries = 0;
        loop {
            tries += 1;
            let connection = match self.connection().await {
                Ok(connection) => connection,
                Err(error) => {
                    if tries > 1 {
                        self.remember_unknown(batch);
                    }
                    return Err(error);
                }
            };
            match in_time(db::worker::claims::claim_many(connection, projects, &asking)).await {
                Ok(jobs) => return Ok(jobs.into_iter().collect()),
                Err(error) => {
                    self.connection.forget();
                    if tries > 2 || !(is_connection_error(&error) || is_deadlock(&error)) {
                        self.remember_unknown(batch);
                        return Err(error);
                    }
                }
            }
        }
    }

    /// The claim was sent, and no client will repeat these requests.
    fn remember_unknown(&mut self, batch: &[Waiter]) {
        self.unknown.extend(batch.iter().filter(|w| !w.may_repeat).map(|w| w.asking.request_id));
    }

    async fn connection(&mut self) -> sqlx::Result<&mut PgConnection> {
        if !self.unknown.is_empty() {
            let handed_back = db::worker::claims::hand_back_requests(self.connection.get().await?, &self.unknown);
            if let Err(error) = in_time(handed_back).await {
                self.connection.forget();
                return Err(error);
            }
            self.unknown.clear();
        }
        self.connection.get().await
    }

    /// Searches for jobs that waiting requests got before, for all of them at once.
    async fn look_up(&mut self) {
        self.look_up_at = None;
        let mut waiters: Vec<&mut Waiter> = self
            .groups
            .values_mut()
            .flat_map(|group| &mut group.waiting)
            .filter(|waiter| waiter.needs_look_up() && !waiter.is_gone())
            .collect();
        if waiters.is_empty() {
            return;
        }
        waiters.iter_mut().for_each(|waiter| waiter.looked_up = true);
        let asking: Vec<&Asking> = waiters.iter().map(|waiter| &waiter.asking).collect();
        let found = match self.database.read().await {
            Ok(mut conn) => in_time(db::worker::claims::held_by_requests(&mut conn, &asking)).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(found) => self.bring_forward(&found),
            Err(error) => {
                log_error(&error, "could not check for repeated claims");
                waiters.iter_mut().for_each(|waiter| waiter.looked_up = false);
                self.look_up_at = Some(Instant::now() + LOOK_UP_AFTER);
            }
        }
    }

    /// Lets the next claims be for these requests; the claim itself recognises their jobs.
    fn bring_forward(&mut self, requests: &HashSet<Uuid>) {
        if requests.is_empty() {
            return;
        }
        for (projects, group) in &mut self.groups {
            let (known, others): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut group.waiting)
                .into_iter()
                .partition(|waiter| requests.contains(&waiter.asking.request_id));
            let found = !known.is_empty();
            group.waiting = known;
            group.waiting.extend(others);
            if found && !group.ready {
                group.ready = true;
                self.ready.push_back(projects.clone());
            }
        }
    }

    fn sweep(&mut self) {
        let now = Instant::now();
        self.groups.retain(|_, group| {
            group.waiting.retain(|waiter| !waiter.is_gone());
            group.ready || !group.waiting.is_empty() || now - group.used < 2 * SWEEP_INTERVAL
        });
    }
}
