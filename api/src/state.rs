//! What every route shares: the database, the secret key, the configuration, the queue.

use crate::config::Limits;
use crate::db;
use crate::http::error::ApiResult;
use crate::job_tokens::JobTokens;
use crate::metrics::Metrics;
use crate::presence::Presence;
use crate::queue::{Queue, QueueTasks};
use crate::sealing::{Sealer, SealingError};
use crate::shared_settings::{self, HotSettings, SharedSettings};
use secrecy::SecretString;
use sqlx::PgPool;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What every route shares.
#[derive(Clone, Debug)]
pub struct App {
    /// The database.
    pub pool: PgPool,
    /// Seals and opens secret settings.
    pub sealer: Arc<Sealer>,
    /// Makes and reads job tokens.
    pub job_tokens: Arc<JobTokens>,
    /// What the process was started with.
    pub config: Arc<AppConfig>,
    /// Claims and completes jobs.
    pub queue: Arc<Queue>,
    /// Which coordinators were heard of.
    pub presence: Arc<Presence>,
    /// What the process counts.
    pub metrics: Arc<Metrics>,
    settings: Arc<SharedSettings>,
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
        let metrics = Arc::new(Metrics::default());
        Self {
            queue: Arc::new(Queue::new(pool.clone(), &config.limits, metrics.clone())),
            job_tokens: Arc::new(JobTokens::new(&sealer)),
            sealer: Arc::new(sealer),
            config: Arc::new(config),
            presence: Arc::default(),
            settings: Arc::default(),
            metrics,
            pool,
        }
    }

    /// Starts what runs beside the requests, until `stop`.
    pub fn start_queue(&self, stop: &CancellationToken) -> QueueTasks {
        let (presence, pool, until) = (self.presence.clone(), self.pool.clone(), stop.clone());
        let tasks = self.queue.start(self.config.limits, stop);
        tasks.also(async move { presence.keep(&pool, until).await });
        tasks
    }

    /// The settings that nearly every request needs.
    ///
    /// # Errors
    /// When the database does not answer, or a stored secret can't be opened.
    pub async fn hot_settings(&self) -> ApiResult<Arc<HotSettings>> {
        self.settings.get(&self.pool, &self.sealer, &self.queue.signals).await
    }

    /// The key that guards the worker endpoints: from the settings, else from the environment.
    ///
    /// # Errors
    /// When the database does not answer, or the stored key can't be opened.
    pub async fn worker_key(&self) -> ApiResult<Option<SecretString>> {
        let hot = self.hot_settings().await?;
        Ok(hot.worker_key.clone().or_else(|| self.config.worker_key.clone()))
    }

    /// The value of a stored setting.
    ///
    /// # Errors
    /// When it was sealed with another key, or is damaged.
    pub fn open(&self, stored: &db::settings::StoredSetting) -> Result<SecretString, SealingError> {
        shared_settings::open(&self.sealer, stored)
    }
}
