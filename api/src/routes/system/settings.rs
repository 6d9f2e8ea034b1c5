//! Settings of the application. Secrets go in and never come out.

use crate::access::Caller;
use crate::actions;
use crate::db;
use crate::db::system::settings::StoredSetting;
use crate::domain::system::settings::{self, Readiness};
use crate::http::error::ApiResult;
use crate::http::extract::JsonBody;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashSet};

/// All settings: secrets as booleans that say whether they are set, the rest as text or null.
#[utoipa::path(get, path = "/api/settings", tag = "settings", security(("bearer" = []), ("session" = [])),
    responses((status = 200, description = "Secrets as booleans, the rest as text or null", body = Object)))]
pub async fn get_settings(State(app): State<App>) -> ApiResult<Json<Map<String, Value>>> {
    let mut conn = app.database.read().await?;
    Ok(Json(shown(db::system::settings::list(&mut conn).await?)))
}

fn shown(stored: Vec<StoredSetting>) -> Map<String, Value> {
    let mut all: Map<String, Value> = settings::names()
        .map(|name| (name.to_owned(), if settings::is_secret(name) { Value::Bool(false) } else { Value::Null }))
        .collect();
    for setting in stored {
        let value = match setting.value {
            Some(value) if !settings::is_secret(&setting.key) => Value::String(value),
            _ => Value::Bool(true),
        };
        all.insert(setting.key, value);
    }
    all
}

/// Changes settings: all of them, or none if one is not valid. An empty text clears a setting; `null` leaves it as it
/// is.
#[utoipa::path(put, path = "/api/settings", tag = "settings", security(("bearer" = []), ("session" = [])), request_body = Object,
    responses((status = 200, description = "All settings, as GET shows them", body = Object)))]
pub async fn update_settings(
    State(app): State<App>,
    caller: Caller,
    JsonBody(body): JsonBody<BTreeMap<String, Value>>,
) -> ApiResult<Json<Map<String, Value>>> {
    let (database, actor) = (&app.database, caller.actor());
    let all = actions::system::settings::update_settings(database, &actor, &app.sealer, body).await?;
    // Other processes are notified; this one must not use old settings until its own notification arrives.
    app.queue.signals.settings_changed();
    Ok(Json(shown(all)))
}

/// Whether a ticket can be worked on with these settings, and what is missing.
#[utoipa::path(get, path = "/api/settings/check", tag = "settings", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = Readiness)))]
pub async fn check_settings(State(app): State<App>) -> ApiResult<Json<Readiness>> {
    let mut conn = app.database.read().await?;
    let stored = db::system::settings::list(&mut conn).await?;
    let mode = stored.iter().find(|setting| setting.key == "WORKER_MODE").and_then(|setting| setting.value.clone());
    let stored: HashSet<String> = stored.into_iter().map(|setting| setting.key).collect();
    let from_environment = |name: &str| name == settings::WORKER_API_KEY && app.config.worker_key.is_some();
    Ok(Json(settings::readiness(mode.as_deref(), |name| stored.contains(name) || from_environment(name))))
}
