//! Which coordinators were heard of, and what each of them should do.
//!
//! A thousand coordinators without work say every few seconds that they are there. That is remembered here and written
//! for all of them together; what decides about jobs, the leases, is written at once and is not here.

use crate::db;
use crate::http::error::ApiResult;
use crate::queue::Signals;
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use terarchitect_outbound::chain;
use terarchitect_worker_api::{Directive, HeartbeatRequest};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Between two writes of who was heard of.
const WRITE_INTERVAL: Duration = Duration::from_secs(10);
/// How long a coordinator that is not heard of is remembered here.
const FORGET_AFTER: Duration = Duration::from_secs(600);

/// Which coordinators were heard of.
#[derive(Debug, Default)]
pub struct Presence {
    known: Mutex<HashMap<String, Known>>,
}

#[derive(Debug)]
struct Known {
    beat: db::coordinators::Beat,
    directive: Directive,
    /// The state of the settings in which the directive was read.
    version: Option<u64>,
    unwritten: bool,
    heard: Instant,
}

impl Presence {
    /// Notes that a coordinator was heard of, and answers what it should do.
    ///
    /// # Errors
    /// When it is new, or directives may have changed, and the database does not answer.
    pub async fn heard(&self, pool: &PgPool, signals: &Signals, request: &HeartbeatRequest) -> ApiResult<Directive> {
        let beat = db::coordinators::Beat::from(request);
        let version = signals.settings_version();
        if version.is_some()
            && let Some(known) = self.lock().get_mut(&beat.worker_id)
            && known.version == version
        {
            known.beat = beat;
            known.unwritten = true;
            known.heard = Instant::now();
            return Ok(known.directive);
        }
        let mut conn = pool.acquire().await?;
        let directive = db::coordinators::seen(&mut conn, &[&beat]).await?.remove(&beat.worker_id).unwrap_or_default();
        let known = Known { directive, version, unwritten: false, heard: Instant::now(), beat };
        self.lock().insert(known.beat.worker_id.clone(), known);
        Ok(directive)
    }

    /// Writes what was heard, every few seconds until `stop` and once more then.
    pub async fn keep(&self, pool: &PgPool, stop: CancellationToken) {
        loop {
            let last = tokio::select! {
                () = stop.cancelled() => true,
                () = tokio::time::sleep(WRITE_INTERVAL) => false,
            };
            if let Err(error) = self.write_all(pool).await {
                tracing::warn!(error = chain(&error), "could not write which coordinators were heard of; trying again");
            }
            if last {
                return;
            }
        }
    }

    async fn write_all(&self, pool: &PgPool) -> sqlx::Result<()> {
        let beats: Vec<_> = {
            let mut known = self.lock();
            known.retain(|_, known| known.unwritten || known.heard.elapsed() < FORGET_AFTER);
            known.values().filter(|known| known.unwritten).map(|known| known.beat.clone()).collect()
        };
        if beats.is_empty() {
            return Ok(());
        }
        let mut conn = pool.acquire().await?;
        db::coordinators::seen(&mut conn, &beats.iter().collect::<Vec<_>>()).await?;
        let mut known = self.lock();
        for beat in beats {
            if let Some(known) = known.get_mut(&beat.worker_id).filter(|known| known.beat == beat) {
                known.unwritten = false;
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
