//! The few settings that nearly every request needs, kept in memory for as long as every change of them is heard of.

use crate::db;
use crate::domain::settings;
use crate::http::error::{ApiError, ApiResult};
use crate::queue::Signals;
use crate::sealing::{Sealer, SealingError};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use std::sync::{Arc, Mutex, PoisonError};

/// The settings that nearly every request needs.
#[derive(Clone, Debug, Default)]
pub struct HotSettings {
    /// The key that guards the worker endpoints, where the settings hold one.
    pub worker_key: Option<SecretString>,
    /// How many agents a coordinator runs at once.
    pub max_concurrent_agents: Option<u32>,
}

/// [`HotSettings`], kept while every change of them is heard of and read at every use otherwise.
#[derive(Debug, Default)]
pub struct SharedSettings {
    kept: Mutex<Option<(u64, Arc<HotSettings>)>>,
}

impl SharedSettings {
    /// The settings as they are now.
    ///
    /// # Errors
    /// When the database does not answer, or a stored secret can't be opened.
    pub async fn get(&self, pool: &PgPool, sealer: &Sealer, signals: &Signals) -> ApiResult<Arc<HotSettings>> {
        // Named before the settings are read: a change in between makes what is kept then out of date at once.
        let version = signals.settings_version();
        if let Some((kept, settings)) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).as_ref()
            && Some(*kept) == version
        {
            return Ok(settings.clone());
        }
        let settings = Arc::new(read(pool, sealer).await?);
        if let Some(version) = version {
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some((version, settings.clone()));
        }
        Ok(settings)
    }
}

async fn read(pool: &PgPool, sealer: &Sealer) -> ApiResult<HotSettings> {
    let mut conn = pool.acquire().await?;
    let mut hot = HotSettings::default();
    for stored in db::settings::list(&mut conn).await? {
        let value = || open(sealer, &stored).map_err(ApiError::internal);
        match stored.key.as_str() {
            settings::WORKER_API_KEY => hot.worker_key = Some(value()?),
            settings::MAX_CONCURRENT_AGENTS => hot.max_concurrent_agents = value()?.expose_secret().parse().ok(),
            _ => {}
        }
    }
    Ok(hot)
}

/// The value of a stored setting.
///
/// # Errors
/// When it was sealed with another key, or is damaged.
pub fn open(sealer: &Sealer, stored: &db::settings::StoredSetting) -> Result<SecretString, SealingError> {
    match (&stored.value, &stored.sealed, &stored.key_id) {
        (Some(value), _, _) => Ok(value.clone().into()),
        (None, Some(sealed), Some(key_id)) => sealer.open(&stored.key, key_id, sealed),
        _ => Err(SealingError::Damaged { setting: stored.key.clone() }),
    }
}
