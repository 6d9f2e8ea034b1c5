//! Reads a pull request: what is stored of it, unless that is old; then its forge is asked, once for all who wait.

use super::Reviews;
use super::at_forge::NotDone;
use super::view::{Beside, PullReview, view};
use crate::actions::forges::ask::{ForgePlace, NoAnswer};
use crate::actions::forges::follow::follow;
use crate::actions::{ActionError, ActionResult};
use crate::db;
use crate::db::forges::pulls::Pull;
use crate::db::forges::reviews::{Known, Stored, TicketPull};
use crate::domain::actor::Actor;
use crate::domain::forges::event::PullFacts;
use crate::domain::forges::snapshot::{PullNow, Snapshot};
use crate::domain::forges::{ForgeKind, PullState};
use crate::domain::refusal::{ErrorCode, Refusal};
use chrono::DateTime;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use terarchitect_worker_api::{ProjectId, TicketId};
use uuid::Uuid;

/// For how long what was read of an open pull request is shown where nothing is known to have changed, in seconds. Not
/// everything that happens at a forge is reported by it.
const OPEN_SEC: f64 = 60.0;
/// The same for one that is closed or merged.
const OVER_SEC: f64 = 600.0;
/// For how long a forge that could not be asked is not asked again, unless it said so itself.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a reader waits for a forge.
const LIMIT: Duration = Duration::from_secs(20);
/// How many times a pull request is read that changes while it is read.
const TRIES: usize = 3;
/// The most orders that are shown.
const MAX_ORDERS: i64 = 200;
/// From so many pull requests on, those without a reader are forgotten.
const MANY: usize = 256;

/// Of each pull request, who reads it now: the others wait for it.
#[derive(Debug, Default)]
pub(super) struct Reads(Mutex<HashMap<Uuid, Slot>>);

type Slot = Arc<tokio::sync::Mutex<Option<Failed>>>;

/// The last try, where it failed.
#[derive(Clone, Debug)]
struct Failed {
    until: Instant,
    sentence: String,
}

impl Reads {
    fn slot(&self, pull: Uuid) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MANY {
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        slots.entry(pull).or_default().clone()
    }
}

/// A snapshot with its age.
struct Read {
    snapshot: Snapshot,
    stored: Stored,
}

impl Reviews {
    /// The pull request of a ticket, as its forge shows it now or did a moment ago.
    ///
    /// # Errors
    /// When there is none, or it was never read and its forge can't be asked.
    pub async fn read(&self, project: ProjectId, ticket: TicketId) -> ActionResult<PullReview> {
        let (pull, place) = self.pull_of(project, ticket).await?;
        if let Some(read) = self.stored(pull.id).await?.filter(Read::is_fresh) {
            return self.shown(&pull, &place, read, None).await;
        }
        let slot = self.reads.slot(pull.id);
        let mut failed = slot.lock().await;
        let before = self.stored(pull.id).await?;
        if before.as_ref().is_some_and(Read::is_fresh) {
            drop(failed);
            return self.show_or(&pull, &place, before, None).await;
        }
        if let Some(failed) = failed.as_ref().filter(|failed| failed.until > Instant::now()) {
            let sentence = failed.sentence.clone();
            return self.show_or(&pull, &place, before, Some(sentence)).await;
        }
        match self.ask(&pull, &place, before.as_ref().map(|read| read.snapshot.clone())).await {
            Ok(read) => {
                *failed = None;
                drop(failed);
                self.shown(&pull, &place, read, None).await
            }
            Err(ActionError::Refused(refusal)) => {
                let until = Instant::now() + refusal.retry_after.unwrap_or(PAUSE);
                *failed = Some(Failed { until, sentence: refusal.message.clone() });
                drop(failed);
                self.show_or(&pull, &place, before, Some(refusal.message)).await
            }
            Err(error) => Err(error),
        }
    }

    /// The pull request as its forge shows it now, for those who are about to change it or have just done so.
    pub(super) async fn renewed(&self, pull: &TicketPull, place: &ForgePlace) -> ActionResult<PullReview> {
        let slot = self.reads.slot(pull.id);
        let mut failed = slot.lock().await;
        let before = self.stored(pull.id).await?;
        let read = self.ask(pull, place, before.map(|read| read.snapshot)).await?;
        *failed = None;
        drop(failed);
        self.shown(pull, place, read, None).await
    }

    async fn stored(&self, pull: Uuid) -> ActionResult<Option<Read>> {
        let stored = db::forges::reviews::snapshot(&mut *self.database.read().await?, pull).await?;
        // What another version stored is read again.
        Ok(stored.and_then(|stored| {
            let snapshot = serde_json::from_value(stored.snapshot.clone()).ok()?;
            Some(Read { snapshot, stored })
        }))
    }

    /// What is stored, with the reason why it is not newer; without anything, the reason is an error.
    async fn show_or(
        &self,
        pull: &TicketPull,
        place: &ForgePlace,
        read: Option<Read>,
        why: Option<String>,
    ) -> ActionResult<PullReview> {
        match read {
            Some(read) => self.shown(pull, place, read, why).await,
            None => Err(Refusal::new(ErrorCode::ForgeFailed, why.unwrap_or_default()).into()),
        }
    }

    async fn shown(
        &self,
        pull: &TicketPull,
        place: &ForgePlace,
        read: Read,
        stale_reason: Option<String>,
    ) -> ActionResult<PullReview> {
        let lacks_approver = match self.forge.lacks_approver(place).await {
            Ok(lacks) => lacks,
            Err(NoAnswer { sentence, .. }) => Some(sentence),
        };
        let mut conn = self.database.read().await?;
        let orders = db::forges::reviews::orders(&mut conn, pull.id, MAX_ORDERS).await?;
        let review_job = db::forges::reviews::live_review(&mut conn, TicketId(pull.ticket_id)).await?;
        let (read_at, age_sec) = (read.stored.asked_at, read.stored.age_sec);
        let beside = Beside { orders, review_job, lacks_approver, read_at, age_sec, stale_reason };
        Ok(view(pull, read.snapshot, beside))
    }

    /// Asks the forge, follows what that says about the pull request, and stores it.
    async fn ask(&self, pull: &TicketPull, place: &ForgePlace, before: Option<Snapshot>) -> ActionResult<Read> {
        let asking = tokio::time::timeout(LIMIT, self.ask_patiently(pull, place, before));
        let slow = || {
            let sentence = "The forge took longer than 20 seconds; try again later.".to_owned();
            Refusal::from(NotDone::NoAnswer(NoAnswer { sentence, retry_after: None }))
        };
        asking.await.map_err(|_| ActionError::from(slow()))?
    }

    async fn ask_patiently(
        &self,
        pull: &TicketPull,
        place: &ForgePlace,
        before: Option<Snapshot>,
    ) -> ActionResult<Read> {
        let (now, known) = self.in_step(pull, place).await?;
        let snapshot = self.forge.all_of(place, now, before).await.map_err(Refusal::from)?;
        let open = i32::try_from(snapshot.open_threads()).unwrap_or(i32::MAX);
        // Made of words, numbers and texts: it can always be written.
        let value = without_nul(serde_json::to_value(&snapshot).unwrap_or_default());
        let mut conn = self.database.read().await?;
        db::forges::reviews::store(&mut conn, pull.id, &known, open, &value).await?;
        let stored = Stored { snapshot: value, asked_at: known.now, age_sec: 0.0, is_current: true };
        Ok(Read { snapshot, stored })
    }

    /// The pull request now, once what is known here of it is the same.
    async fn in_step(&self, pull: &TicketPull, place: &ForgePlace) -> ActionResult<(PullNow, Known)> {
        let mut tries = 0;
        loop {
            tries += 1;
            let (kind, now) = self.forge.pull(place, pull.number).await.map_err(Refusal::from)?;
            let known = self.followed(pull, kind, &now).await?;
            if agrees(&known, &now) || tries == TRIES {
                return Ok((now, known));
            }
        }
    }

    /// Lets the ticket follow where the forge says something else than is known here.
    async fn followed(&self, pull: &TicketPull, kind: ForgeKind, now: &PullNow) -> ActionResult<Known> {
        let gone = || Refusal::not_found("pull request", pull.number);
        let known = db::forges::reviews::known(&mut *self.database.read().await?, pull.id).await?.ok_or_else(gone)?;
        if agrees(&known, now) {
            return Ok(known);
        }
        let mut change = self.database.change(&Actor::System).await?;
        follow(&mut change, &row(pull, &known), kind, &facts(now), None).await?;
        let known = db::forges::reviews::known(&mut change, pull.id).await?.ok_or_else(gone)?;
        change.commit().await?;
        Ok(known)
    }
}

impl Read {
    fn is_fresh(&self) -> bool {
        let longest = if self.snapshot.pull.state == PullState::Open { OPEN_SEC } else { OVER_SEC };
        self.stored.is_current && self.stored.age_sec < longest
    }
}

/// A NUL character is the one thing in a text that Postgres refuses.
fn without_nul(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('\0', "")),
        Value::Array(items) => items.into_iter().map(without_nul).collect(),
        Value::Object(fields) => fields.into_iter().map(|(key, value)| (key, without_nul(value))).collect(),
        value => value,
    }
}

fn agrees(known: &Known, now: &PullNow) -> bool {
    known.state == now.state
        && known.draft == now.draft
        && known.head_sha.as_deref() == Some(now.head.sha.as_str())
        && known.base.as_deref() == Some(now.base.branch.as_str())
}

/// As the ticket follows it.
pub(super) fn row(pull: &TicketPull, known: &Known) -> Pull {
    Pull {
        id: pull.id,
        project_id: pull.project_id,
        ticket_id: pull.ticket_id,
        number: pull.number,
        state: known.state,
        head_sha: known.head_sha.clone(),
    }
}

/// What the forge says about a pull request, as an event would.
pub(super) fn facts(now: &PullNow) -> PullFacts {
    PullFacts {
        number: now.number,
        url: Some(now.url.clone()),
        state: now.state,
        draft: now.draft,
        head_branch: Some(now.head.branch.clone()),
        head_sha: Some(now.head.sha.clone()).filter(|sha| !sha.is_empty()),
        base: Some(now.base.branch.clone()),
        is_from_fork: now.head.repo.is_some(),
        updated_at: DateTime::parse_from_rfc3339(&now.updated_at).ok().map(|at| at.to_utc()),
    }
}
