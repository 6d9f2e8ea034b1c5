//! The few settings that nearly every request needs, kept in memory for as long as the process is notified of every change.

use super::SettingsError;
use crate::actions::system::settings::open;
use crate::changes::Database;
use crate::db;
use crate::domain::system::settings;
use crate::embeddings::EmbeddingService;
use crate::queue::Signals;
use crate::sealing::Sealer;
use secrecy::{ExposeSecret, SecretString};
use std::sync::{Arc, Mutex, PoisonError};
use terarchitect_worker_api::Prices;

/// The settings that nearly every request needs.
#[derive(Clone, Debug, Default)]
pub struct HotSettings {
    /// The key that guards the worker endpoints, where the settings hold one.
    pub worker_key: Option<SecretString>,
    /// How many agents a coordinator runs at once.
    pub max_concurrent_agents: Option<u32>,
    /// Where embeddings come from.
    pub embeddings: Option<EmbeddingService>,
    /// What models cost.
    pub prices: Prices,
}

/// [`HotSettings`], kept while the process is notified of every change, and read at every use otherwise.
#[derive(Debug, Default)]
pub(super) struct SharedSettings {
    kept: Mutex<Option<(u64, Arc<HotSettings>)>>,
}

impl SharedSettings {
    /// The settings as they are now.
    ///
    /// # Errors
    /// When the database does not respond, or a stored secret can't be opened.
    pub(super) async fn get(
        &self,
        database: &Database,
        sealer: &Sealer,
        signals: &Signals,
    ) -> Result<Arc<HotSettings>, SettingsError> {
        // Named before the settings are read: a change in between makes what is kept then out of date at once.
        let version = signals.settings_version();
        if let Some((kept, settings)) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).as_ref()
            && Some(*kept) == version
        {
            return Ok(settings.clone());
        }
        let settings = Arc::new(read(database, sealer).await?);
        if let Some(version) = version {
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some((version, settings.clone()));
        }
        Ok(settings)
    }
}

async fn read(database: &Database, sealer: &Sealer) -> Result<HotSettings, SettingsError> {
    let mut conn = database.read().await?;
    let mut hot = HotSettings::default();
    let (mut address, mut key, mut model) = (None, None, None);
    for stored in db::system::settings::list(&mut conn).await? {
        let value = || open(sealer, &stored);
        match stored.key.as_str() {
            settings::WORKER_API_KEY => hot.worker_key = Some(value()?),
            settings::MAX_CONCURRENT_AGENTS => hot.max_concurrent_agents = value()?.expose_secret().parse().ok(),
            settings::EMBEDDING_SERVICE_URL => address = Some(value()?),
            settings::EMBEDDING_API_KEY => key = Some(value()?),
            settings::EMBEDDING_MODEL => model = Some(value()?.expose_secret().to_owned()),
            // It was checked when it was stored.
            settings::MODEL_PRICES => hot.prices = Prices::parse(value()?.expose_secret()).unwrap_or_default(),
            _ => {}
        }
    }
    hot.embeddings = address.and_then(|address| EmbeddingService::new(address.expose_secret(), key, model));
    Ok(hot)
}
