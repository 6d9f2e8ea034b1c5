//! What every route and task shares: the database, the secret key, the configuration, the queue.

mod forge_signals;
mod known_projects;
mod lists;
mod presence;
mod shared_settings;

pub use forge_signals::ForgeSignals;
pub use known_projects::KnownProjects;
pub use lists::Lists;
pub use presence::Presence;
pub use shared_settings::HotSettings;

use crate::actions::cloud::Cloud;
use crate::actions::forges::ask::AskForge;
use crate::actions::forges::review::Reviews;
use crate::actions::forges::watch::ReadForge;
use crate::actions::system::settings::open;
use crate::changes::{Database, Hub};
use crate::config::Limits;
use crate::db;
use crate::embedded_postgres::PrivateDatabase;
use crate::embeddings::EmbeddingService;
use crate::forges::Forges;
use crate::job_tokens::JobTokens;
use crate::metrics::Metrics;
use crate::oidc::{OidcConfig, Provider};
use crate::origins::AllowedOrigins;
use crate::passwords::Passwords;
use crate::queue::Queue;
use crate::sealing::{Sealer, SealingError};
use secrecy::SecretString;
use shared_settings::SharedSettings;
use sqlx::PgPool;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio_util::sync::CancellationToken;
use url::Url;

/// What every route and task shares.
#[derive(Clone, Debug)]
pub struct App {
    /// The database.
    pub database: Database,
    /// Seals and opens secret settings.
    pub sealer: Arc<Sealer>,
    /// Makes and reads job tokens.
    pub job_tokens: Arc<JobTokens>,
    /// What the process was started with.
    pub config: Arc<AppConfig>,
    /// Claims and completes jobs.
    pub queue: Arc<Queue>,
    /// Which coordinators have sent heartbeats.
    pub presence: Arc<Presence>,
    /// Which projects are known to exist.
    pub known_projects: Arc<KnownProjects>,
    /// The lists that every open page loads.
    pub lists: Arc<Lists>,
    /// Signals between the tasks that work on what forges deliver.
    pub forge_signals: Arc<ForgeSignals>,
    /// What the process counts.
    pub metrics: Arc<Metrics>,
    /// Hashes passwords.
    pub passwords: Passwords,
    /// Where people sign in without a password here.
    pub provider: Option<Arc<Provider>>,
    /// Cancelled when the process stops: streams end then.
    pub stop: CancellationToken,
    /// Asks forges, and comments there.
    pub ask_forge: Arc<dyn AskForge>,
    /// Reads what is at forges; none: what happens there is learnt from webhooks alone, as in some tests.
    pub read_forge: Option<Arc<dyn ReadForge>>,
    /// Pull requests for the people who review them here.
    pub reviews: Arc<Reviews>,
    settings: Arc<SharedSettings>,
    any_people: Arc<AtomicBool>,
}

/// What the process was started with, as far as routes care.
#[derive(Clone, Debug, Default)]
pub struct AppConfig {
    /// The key for the application's endpoints.
    pub api_key: Option<SecretString>,
    /// The key for the worker endpoints, if the settings hold none.
    pub worker_key: Option<SecretString>,
    /// The front ends elsewhere that may call.
    pub origins: AllowedOrigins,
    /// The REST API of the forge; none: GitHub's.
    pub forge_api: Option<Url>,
    /// The address that people open, if it is not that of the API itself.
    pub public_url: Option<Url>,
    /// Where people sign in without a password here.
    pub oidc: Option<OidcConfig>,
    /// Times and sizes.
    pub limits: Limits,
    /// Cursor's cloud; none: what is to run there waits.
    pub cloud: Option<Cloud>,
    /// The secrets that Cursor's webhook may be signed with.
    pub cursor_secrets: Vec<SecretString>,
    /// Asks forges in the place of the real ones, for tests.
    pub ask_forge: Option<Arc<dyn AskForge>>,
    /// Reads what is at forges in the place of the real ones, for tests.
    pub read_forge: Option<Arc<dyn ReadForge>>,
    /// The private Postgres, where the API runs one.
    pub private_database: Option<Arc<PrivateDatabase>>,
}

impl AppConfig {
    /// The REST API of the forge.
    #[must_use]
    pub fn forge_api(&self) -> Url {
        let github = || Url::parse("https://api.github.com").expect("a constant address parses");
        self.forge_api.clone().unwrap_or_else(github)
    }

    /// Whether people come from other machines, through a proxy or directly.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.public_url.as_ref().is_some_and(|url| match url.host() {
            Some(url::Host::Domain(name)) => name != "localhost" && !name.ends_with(".localhost"),
            Some(url::Host::Ipv4(ip)) => !ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => !ip.is_loopback(),
            None => false,
        })
    }

    /// Whether browsers may send cookies over TLS alone.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
    }
}

/// Why a shared setting is not available.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The database failed.
    #[error("could not read the settings")]
    Database(#[from] sqlx::Error),
    /// A stored secret could not be opened.
    #[error("could not open a stored setting")]
    Sealing(#[from] SealingError),
}

impl App {
    /// Puts an app together; it ends with `stop`.
    #[must_use]
    pub fn new(pool: PgPool, sealer: Sealer, config: AppConfig, stop: CancellationToken) -> Self {
        let metrics = Arc::new(Metrics::default());
        let database = Database::new(pool.clone(), Arc::new(Hub::new(pool)), metrics.clone());
        let (job_tokens, sealer) = (Arc::new(JobTokens::new(&sealer)), Arc::new(sealer));
        let forges = Arc::new(Forges::new(database.clone(), sealer.clone(), config.forge_api.clone()));
        let real = config.ask_forge.is_none().then(|| forges.clone() as Arc<dyn ReadForge>);
        let read_forge = config.read_forge.clone().or(real);
        let ask_forge = config.ask_forge.clone().unwrap_or_else(|| forges.clone());
        let reviews = Arc::new(Reviews::new(database.clone(), forges));
        Self {
            queue: Arc::new(Queue::new(database.clone(), &config.limits, metrics.clone())),
            job_tokens,
            sealer,
            presence: Arc::default(),
            known_projects: Arc::default(),
            lists: Arc::default(),
            forge_signals: Arc::default(),
            settings: Arc::default(),
            any_people: Arc::default(),
            passwords: Passwords::default(),
            provider: config.oidc.clone().map(|oidc| Arc::new(Provider::new(oidc))),
            ask_forge,
            read_forge,
            reviews,
            config: Arc::new(config),
            metrics,
            stop,
            database,
        }
    }

    /// The settings that nearly every request needs.
    ///
    /// # Errors
    /// When the database is not available, or a stored secret cannot be opened.
    pub async fn hot_settings(&self) -> Result<Arc<HotSettings>, SettingsError> {
        self.settings.get(&self.database, &self.sealer, &self.queue.signals).await
    }

    /// The key that guards the worker endpoints: from the settings, else from the environment.
    ///
    /// # Errors
    /// When the database is not available, or the stored key cannot be opened.
    pub async fn worker_key(&self) -> Result<Option<SecretString>, SettingsError> {
        let hot = self.hot_settings().await?;
        Ok(hot.worker_key.clone().or_else(|| self.config.worker_key.clone()))
    }

    /// Where embeddings come from, if that is set.
    ///
    /// # Errors
    /// When the settings can't be read.
    pub async fn embeddings(&self) -> Result<Option<EmbeddingService>, SettingsError> {
        Ok(self.hot_settings().await?.embeddings.clone())
    }

    /// Whether anyone can sign in. Someone always can once anyone could, since the last admin stays.
    ///
    /// # Errors
    /// When the database is not available.
    pub async fn any_people(&self) -> sqlx::Result<bool> {
        if self.any_people.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let any = db::people::any(&mut *self.database.read().await?).await?;
        self.any_people.store(any, Ordering::Relaxed);
        Ok(any)
    }

    /// The value of a stored setting.
    ///
    /// # Errors
    /// When it was sealed with another key, or is damaged.
    pub fn open(&self, stored: &db::system::settings::StoredSetting) -> Result<SecretString, SealingError> {
        open(&self.sealer, stored)
    }
}
