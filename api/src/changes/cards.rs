//! The cards of tickets that changed, beside the event log: read once, rendered once, sent to every reader that wants them.
//! So a page that shows a board need not fetch a card for each event.
//!
//! They have no position. A reader that lost some connects again, and reads its board again.

use super::Database;
use super::batch::Live;
use crate::domain::live::event::EventKind;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use terarchitect_worker_api::{ProjectId, TicketId};
use tokio::sync::{Notify, broadcast};
use tokio::time::Instant;

/// What changes within this time is read together: as fast as a person can follow.
const GATHER: Duration = Duration::from_millis(400);
/// How many batches a reader may fall behind before it is cut off.
const BACKLOG: usize = 16;

/// A card as it is sent.
#[derive(Clone, Debug)]
pub struct CardText {
    /// Its project.
    pub project_id: ProjectId,
    /// Its ticket.
    pub ticket_id: TicketId,
    /// The Server-Sent Event.
    pub text: Bytes,
}

impl CardText {
    /// Renders a card that was written as JSON.
    #[must_use]
    pub fn new(project_id: ProjectId, ticket_id: TicketId, json: &str) -> Self {
        Self { project_id, ticket_id, text: format!("event: card\ndata: {json}\n\n").into() }
    }
}

pub(super) type LiveCards = broadcast::Receiver<Arc<Vec<CardText>>>;

/// Where readers follow the cards.
#[derive(Debug)]
pub struct Cards {
    batches: broadcast::Sender<Arc<Vec<CardText>>>,
    /// The first reader has come.
    wanted: Notify,
}

impl Default for Cards {
    fn default() -> Self {
        Self { batches: broadcast::Sender::new(BACKLOG), wanted: Notify::new() }
    }
}

impl Cards {
    pub(super) fn subscribe(&self) -> LiveCards {
        let live = self.batches.subscribe();
        self.wanted.notify_one();
        live
    }

    /// How many readers follow.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.batches.receiver_count()
    }

    /// Waits until there is a reader.
    pub async fn wanted(&self) {
        while self.readers() == 0 {
            self.wanted.notified().await;
        }
    }

    /// Sends cards to every reader.
    pub fn send(&self, cards: Vec<CardText>) {
        if !cards.is_empty() {
            // Fails only where the last reader has just left.
            let _ = self.batches.send(Arc::new(cards));
        }
    }
}

/// What events of a short time were about.
#[derive(Debug, Default)]
pub struct Touched {
    /// The tickets.
    pub tickets: BTreeSet<TicketId>,
    /// Whether something changed that decides why other tickets wait: slots, limits, hosts.
    pub queue: bool,
}

/// Follows the event log for the tickets that it is about.
#[derive(Debug)]
pub struct TouchedTickets(Live);

impl TouchedTickets {
    /// Begins to follow.
    ///
    /// # Errors
    /// When the database is not available.
    pub async fn follow(database: &Database) -> sqlx::Result<Self> {
        Ok(Self(database.hub().subscribe().await?.0))
    }

    /// What the next events are about; none when this reader has fallen behind, and must begin again.
    pub async fn next(&mut self) -> Option<Touched> {
        let mut touched = Touched::default();
        touched.add(self.0.recv().await.ok()?.as_ref());
        let end = Instant::now() + GATHER;
        while let Ok(more) = tokio::time::timeout_at(end, self.0.recv()).await {
            touched.add(more.ok()?.as_ref());
        }
        Some(touched)
    }
}

impl Touched {
    fn add(&mut self, batch: &super::batch::Batch) {
        for (event, _) in &batch.events {
            self.tickets.extend(event.ticket_id.map(TicketId));
            self.queue |= decides_why_others_wait(event.kind);
        }
    }
}

fn decides_why_others_wait(kind: EventKind) -> bool {
    let family = kind.as_str().split('.').next().unwrap_or_default();
    matches!(family, "job" | "attempt" | "coordinator" | "fleet") || kind == EventKind::ProjectChanged
}
