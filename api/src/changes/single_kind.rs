//! Follows the event log for events of one kind, for a request that waits for something to happen.

use super::Database;
use super::batch::Live;
use crate::domain::live::event::EventKind;
use tokio::sync::broadcast::error::RecvError;

/// Follows what is published from now on.
#[derive(Debug)]
pub struct Following(Live);

impl Database {
    /// Follows the event log from now on.
    ///
    /// # Errors
    /// When the database is not available.
    pub async fn follow(&self) -> sqlx::Result<Following> {
        Ok(Following(self.hub().subscribe().await?.0))
    }
}

impl Following {
    /// Returns when an event of this kind was published, or may have been: then look.
    pub async fn next_of(&mut self, kind: EventKind) {
        loop {
            match self.0.recv().await {
                Ok(batch) if batch.events.iter().any(|(event, _)| event.kind == kind) => return,
                Ok(_) => {}
                // It fell behind, so that the event may have been among those it missed.
                Err(RecvError::Lagged(_)) => return,
                // The process ends, and with it every request.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}
