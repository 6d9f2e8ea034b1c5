//! Which tickets the events of a short time are about, for the cards that are sent beside the log.

use super::Database;
use super::batch::{Batch, Live};
use crate::domain::live::event::EventKind;
use std::collections::BTreeSet;
use std::time::Duration;
use terarchitect_worker_api::TicketId;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

/// What changes within this time is read together: as fast as a person can follow.
const GATHER: Duration = Duration::from_millis(400);

/// What events were about.
#[derive(Debug, Default)]
pub struct Touched {
    /// The tickets.
    pub tickets: BTreeSet<TicketId>,
    /// Whether someone changed what decides why other tickets wait, and wants to see that at once. What jobs do to each other,
    /// many times a second on a busy board, can wait for a moment.
    pub others: bool,
}

/// Follows the event log for the tickets that it is about.
#[derive(Debug)]
pub struct TouchedTickets(Live);

/// This reader of the log has fallen behind, and must begin again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FellBehind;

impl TouchedTickets {
    /// Begins to follow.
    ///
    /// # Errors
    /// When the database is not available.
    pub async fn follow(database: &Database) -> sqlx::Result<Self> {
        Ok(Self(database.hub().subscribe().await?.0))
    }

    /// Adds what the next events are about; returns at `until` where there are none.
    ///
    /// # Errors
    /// When events were lost.
    pub async fn next(&mut self, touched: &mut Touched, until: Instant) -> Result<(), FellBehind> {
        let Ok(first) = timeout_at(until, self.0.recv()).await else { return Ok(()) };
        touched.add(first)?;
        let end = Instant::now() + GATHER;
        while let Ok(more) = timeout_at(end, self.0.recv()).await {
            touched.add(more)?;
        }
        Ok(())
    }
}

impl Touched {
    fn add(&mut self, batch: Result<std::sync::Arc<Batch>, RecvError>) -> Result<(), FellBehind> {
        for (event, _) in &batch.map_err(|_| FellBehind)?.events {
            self.tickets.extend(event.ticket_id.map(TicketId));
            self.others |= is_a_persons(event.kind);
        }
        Ok(())
    }
}

/// Rare, and made by someone who looks at the board.
fn is_a_persons(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::ProjectChanged
            | EventKind::CoordinatorDirected
            | EventKind::CoordinatorForgotten
            | EventKind::FleetStopped
            | EventKind::FleetResumed
    )
}
