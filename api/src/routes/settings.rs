//! Settings of the application. Secrets go in and never come out.

use crate::db;
use crate::db::settings::StoredSetting;
use crate::domain::settings::{self, Change, Readiness};
use crate::http::error::ApiResult;
use crate::http::extract::Json;
use crate::state::App;
use axum::Json as Answer;
use axum::extract::State;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashSet};
use terarchitect_worker_api::ErrorBody;

/// All settings: secrets as booleans that say whether they are set, the rest as text or null.
#[utoipa::path(get, path = "/api/settings", tag = "settings", security(("bearer" = [])),
    responses((status = 200, description = "Secrets as booleans, the rest as text or null", body = Object)))]
pub async fn get_settings(State(app): State<App>) -> ApiResult<Answer<Map<String, Value>>> {
    let mut conn = app.pool.acquire().await?;
    Ok(Answer(shown(db::settings::list(&mut conn).await?)))
}

fn shown(stored: Vec<StoredSetting>) -> Map<String, Value> {
    let mut answer: Map<String, Value> = settings::names()
        .map(|name| (name.to_owned(), if settings::is_secret(name) { Value::Bool(false) } else { Value::Null }))
        .collect();
    for setting in stored {
        let value = match setting.value {
            Some(value) if !settings::is_secret(&setting.key) => Value::String(value),
            _ => Value::Bool(true),
        };
        answer.insert(setting.key, value);
    }
    answer
}

/// Changes settings, all of them or, if one is not acceptable, none. An empty text clears; `null` changes nothing.
#[utoipa::path(put, path = "/api/settings", tag = "settings", security(("bearer" = [])), request_body = Object,
    responses((status = 200, description = "All settings, as GET shows them", body = Object),
        (status = 400, body = ErrorBody)))]
pub async fn update_settings(
    State(app): State<App>,
    Json(body): Json<BTreeMap<String, Value>>,
) -> ApiResult<Answer<Map<String, Value>>> {
    let changes = settings::parse_changes(body)?;
    let mut tx = app.pool.begin().await?;
    // BTreeMap gives the names in order, so that two changes at once lock the rows in the same order.
    for (name, change) in &changes {
        match change {
            Change::Set(value) => db::settings::upsert(&mut tx, &stored(&app, name, value)).await?,
            Change::Clear => db::settings::delete(&mut tx, name).await?,
        }
    }
    let all = db::settings::list(&mut tx).await?;
    tx.commit().await?;
    // Other processes hear of it; this one must not answer by old settings until it does.
    app.queue.signals.settings_changed();
    tracing::info!(settings = ?changes.keys().collect::<Vec<_>>(), "changed settings");
    Ok(Answer(shown(all)))
}

fn stored(app: &App, name: &str, value: &str) -> StoredSetting {
    if settings::is_secret(name) {
        let sealed = Some(app.sealer.seal(name, value));
        return StoredSetting {
            key: name.to_owned(),
            value: None,
            sealed,
            key_id: Some(app.sealer.key_id().to_owned()),
        };
    }
    StoredSetting { key: name.to_owned(), value: Some(value.to_owned()), sealed: None, key_id: None }
}

/// Whether a ticket can be worked on with these settings, and what is missing.
#[utoipa::path(get, path = "/api/settings/check", tag = "settings", security(("bearer" = [])),
    responses((status = 200, body = Readiness)))]
pub async fn check_settings(State(app): State<App>) -> ApiResult<Answer<Readiness>> {
    let mut conn = app.pool.acquire().await?;
    let stored: HashSet<String> = db::settings::list(&mut conn).await?.into_iter().map(|setting| setting.key).collect();
    let from_environment = |name: &str| name == settings::WORKER_API_KEY && app.config.worker_key.is_some();
    Ok(Answer(settings::readiness(|name| stored.contains(name) || from_environment(name))))
}
