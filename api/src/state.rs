//! What every route shares: the database, the secret key, the configuration, and what wakes waiting claims.

use crate::config::Limits;
use crate::db;
use crate::domain::settings;
use crate::http::error::{ApiError, ApiResult};
use crate::queue::{self, Wakeups};
use crate::sealing::{Sealer, SealingError};
use secrecy::SecretString;
use sqlx::{PgConnection, PgPool};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What every route shares.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub pool: PgPool,
    /// Seals and opens secret settings.
    pub sealer: Arc<Sealer>,
    /// What the process was started with.
    pub config: Arc<AppConfig>,
    /// Wakes claims that wait for work.
    pub wakeups: Arc<Wakeups>,
}

/// What the process was started with, as far as routes care.
#[derive(Clone, Debug, Default)]
pub struct AppConfig {
    /// Guards the application's endpoints.
    pub api_key: Option<SecretString>,
    /// Guards the worker endpoints where the settings hold no key.
    pub worker_key: Option<SecretString>,
    /// Times and sizes.
    pub limits: Limits,
}

impl App {
    /// Puts an app together.
    #[must_use]
    pub fn new(pool: PgPool, sealer: Sealer, config: AppConfig) -> Self {
        let wakeups = Arc::new(Wakeups::new(config.limits.lease));
        Self { pool, sealer: Arc::new(sealer), config: Arc::new(config), wakeups }
    }

    /// Starts what keeps the queue moving, until `stop`.
    pub fn start_queue(&self, stop: &CancellationToken) -> TaskTracker {
        let tasks = TaskTracker::new();
        let (pool, wakeups, token) = (self.pool.clone(), self.wakeups.clone(), stop.clone());
        tasks.spawn(async move { queue::listen(pool, &wakeups, token).await });
        let (pool, wakeups, token) = (self.pool.clone(), self.wakeups.clone(), stop.clone());
        let limits = self.config.limits;
        tasks.spawn(async move { queue::upkeep(pool, &wakeups, limits, token).await });
        tasks.close();
        tasks
    }

    /// The key that guards the worker endpoints: from the settings, else from the environment.
    ///
    /// # Errors
    /// When the database does not answer, or the stored key can't be opened.
    pub async fn worker_key(&self) -> ApiResult<Option<SecretString>> {
        let mut conn = self.pool.acquire().await?;
        let stored = self.setting(&mut conn, settings::WORKER_API_KEY).await?;
        Ok(stored.or_else(|| self.config.worker_key.clone()))
    }

    /// A setting's value, opened.
    ///
    /// # Errors
    /// When the database does not answer, or the value can't be opened.
    pub async fn setting(&self, conn: &mut PgConnection, name: &str) -> ApiResult<Option<SecretString>> {
        let Some(stored) = db::settings::find(conn, name).await? else { return Ok(None) };
        self.open(&stored).map(Some).map_err(ApiError::internal)
    }

    /// The value of a stored setting.
    ///
    /// # Errors
    /// When it was sealed with another key, or is damaged.
    pub fn open(&self, stored: &db::settings::StoredSetting) -> Result<SecretString, SealingError> {
        match (&stored.value, &stored.sealed, &stored.key_id) {
            (Some(value), _, _) => Ok(value.clone().into()),
            (None, Some(sealed), Some(key_id)) => self.sealer.open(&stored.key, key_id, sealed),
            _ => Err(SealingError::Damaged { setting: stored.key.clone() }),
        }
    }
}
