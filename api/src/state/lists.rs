//! What every open page loads again when something happens, the summary and the inbox: worked out once for all callers who see
//! the same projects, and shared until something happens that changes it.
//!
//! An answer is never older than what its caller knows of: a change that was answered, or an event that was sent, makes it
//! be worked out again. Of other processes' changes a process learns with their events, so that nothing is shared while it
//! does not follow the log.

use crate::actions::ActionResult;
use crate::actions::live::board::summary;
use crate::actions::live::inbox::inbox;
use crate::changes::Database;
use bytes::Bytes;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// The longest time for which an answer is shared: some of it changes without an event, as when a host falls silent.
const SHARED_FOR: Duration = Duration::from_secs(2);
/// From so many answers on, old ones are dropped.
const MANY: usize = 64;

/// The projects that a caller sees; none: all.
type Visible = Option<Vec<Uuid>>;
type Slot = Arc<tokio::sync::Mutex<Option<Answer>>>;

/// An answer with what was known when it was asked for.
#[derive(Clone, Debug)]
struct Answer {
    news: u64,
    asked_at: Instant,
    json: Bytes,
}

/// Answers to one question, by what callers see.
#[derive(Debug, Default)]
struct Answers(Mutex<HashMap<Visible, Slot>>);

/// The lists that every open page loads.
#[derive(Debug, Default)]
pub struct Lists {
    summaries: Answers,
    inboxes: Answers,
}

impl Lists {
    /// How much goes on in the visible projects, as JSON.
    ///
    /// # Errors
    /// When the database is not available.
    pub async fn summary(&self, database: &Database, visible: Visible) -> ActionResult<Bytes> {
        self.summaries.get(database, visible, async |visible| summary(database, visible).await).await
    }

    /// What waits for a person in the visible projects, as JSON.
    ///
    /// # Errors
    /// When the database is not available.
    pub async fn inbox(&self, database: &Database, lease: Duration, visible: Visible) -> ActionResult<Bytes> {
        self.inboxes.get(database, visible, async |visible| inbox(database, lease, visible).await).await
    }
}

impl Answers {
    async fn get<T: Serialize>(
        &self,
        database: &Database,
        visible: Visible,
        ask: impl AsyncFnOnce(Option<&[Uuid]>) -> ActionResult<T>,
    ) -> ActionResult<Bytes> {
        let hub = database.hub();
        if hub.readers() == 0 {
            return Ok(json(&ask(visible.as_deref()).await?));
        }
        // Before waiting for others who ask the same: their answer is good if they asked after this.
        let known = hub.news();
        let slot = self.slot(&visible);
        let mut answer = slot.lock().await;
        if let Some(answer) = &*answer
            && answer.news >= known
            && answer.asked_at.elapsed() < SHARED_FOR
        {
            return Ok(answer.json.clone());
        }
        // Before reading: what is committed meanwhile makes the answer old.
        let (news, asked_at) = (hub.news(), Instant::now());
        let json = json(&ask(visible.as_deref()).await?);
        *answer = Some(Answer { news, asked_at, json: json.clone() });
        Ok(json)
    }

    fn slot(&self, visible: &Visible) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MANY {
            slots.retain(|_, slot| is_in_use(slot));
        }
        slots.entry(visible.clone()).or_default().clone()
    }
}

/// Whether someone asks right now, or the answer may still be shared.
fn is_in_use(slot: &Slot) -> bool {
    match slot.try_lock() {
        Ok(answer) => answer.as_ref().is_some_and(|answer| answer.asked_at.elapsed() < SHARED_FOR),
        Err(_) => true,
    }
}

/// Made of words, numbers and texts: it can always be written.
fn json(answer: &impl Serialize) -> Bytes {
    serde_json::to_vec(answer).unwrap_or_default().into()
}
