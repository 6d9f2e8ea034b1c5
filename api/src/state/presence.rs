//! Which coordinators have sent heartbeats, and what each of them should do.
//!
//! A thousand coordinators without work send a heartbeat every few seconds. That is remembered here and written for all
//! of them together; what decides about jobs, the leases, is written at once and is not here.

use crate::changes::Database;
use crate::db;
use crate::db::worker::coordinators::{Beat, Orders};
use crate::queue::Signals;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use terarchitect_worker_api::{HeartbeatRequest, WorkerId};
use tokio::time::Instant;

/// How long a coordinator that sends no heartbeat is remembered here.
const FORGET_AFTER: Duration = Duration::from_secs(600);

/// Which coordinators have sent heartbeats.
#[derive(Debug, Default)]
pub struct Presence {
    known: Mutex<HashMap<WorkerId, Known>>,
}

#[derive(Debug)]
struct Known {
    beat: Beat,
    orders: Orders,
    /// The state of the settings in which the orders were read.
    version: Option<u64>,
    unwritten: bool,
    last_seen: Instant,
}

impl Presence {
    /// Notes a heartbeat, and returns what its coordinator should do.
    ///
    /// # Errors
    /// When it is new, or directives may have changed, and the database does not respond.
    pub async fn seen(
        &self,
        database: &Database,
        signals: &Signals,
        worker: WorkerId,
        request: &HeartbeatRequest,
    ) -> sqlx::Result<Orders> {
        let beat = Beat::new(worker, request);
        let version = signals.settings_version();
        if version.is_some()
            && let Some(known) = self.lock().get_mut(&beat.worker_id)
            && known.version == version
        {
            known.beat = beat;
            known.unwritten = true;
            known.last_seen = Instant::now();
            return Ok(known.orders);
        }
        let mut conn = database.read().await?;
        let orders =
            db::worker::coordinators::seen(&mut conn, &[&beat]).await?.remove(&beat.worker_id).unwrap_or_default();
        database.hub().committed();
        let known = Known { orders, version, unwritten: false, last_seen: Instant::now(), beat };
        self.lock().insert(known.beat.worker_id.clone(), known);
        Ok(orders)
    }

    /// Stores what is not stored yet.
    ///
    /// # Errors
    /// When the database is not available.
    pub async fn write_all(&self, database: &Database) -> sqlx::Result<()> {
        let beats: Vec<_> = {
            let mut known = self.lock();
            known.retain(|_, known| known.unwritten || known.last_seen.elapsed() < FORGET_AFTER);
            known.values().filter(|known| known.unwritten).map(|known| known.beat.clone()).collect()
        };
        if beats.is_empty() {
            return Ok(());
        }
        let mut conn = database.read().await?;
        db::worker::coordinators::seen(&mut conn, &beats.iter().collect::<Vec<_>>()).await?;
        database.hub().committed();
        let mut known = self.lock();
        for beat in beats {
            if let Some(known) = known.get_mut(&beat.worker_id).filter(|known| known.beat == beat) {
                known.unwritten = false;
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<WorkerId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
