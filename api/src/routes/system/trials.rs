//! Tests of settings and projects with real requests, and settings and projects as one document.

use crate::access::Caller;
use crate::actions::forges::watch::hooks::check_webhooks;
use crate::actions::projects::check::{ProjectCheck, check_project};
use crate::actions::system::probe::{Testable, test_settings};
use crate::actions::system::transfer::{self, Exported, Imported};
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path, ProjectPath};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Instant;
use terarchitect_worker_api::ErrorBody;
use utoipa::ToSchema;

/// What to test, and with which values.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SettingsTest {
    /// What to test.
    what: Testable,
    /// Values to use instead of the stored ones. A stored key is only used with the stored address.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    values: Option<BTreeMap<String, Value>>,
}

/// What a test found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tested {
    /// Whether it works.
    ok: bool,
    /// What was found.
    sentence: String,
    /// What the server said, or a remark.
    detail: Option<String>,
    /// How long it took, in milliseconds.
    took_ms: u64,
    /// The model that answered, as its server calls it.
    model: Option<String>,
}

/// The results of a project's checks.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectChecks {
    checks: Vec<ProjectCheck>,
}

/// The result of an import.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportResult {
    imported: Imported,
}

/// Sends a real request to a model or to the forge, with the stored settings or others, and says what came back.
#[utoipa::path(post, path = "/api/settings/test", tag = "settings", security(("bearer" = []), ("session" = [])),
    request_body = SettingsTest, responses((status = 200, body = Tested), (status = 400, body = ErrorBody)))]
pub async fn test(State(app): State<App>, JsonBody(body): JsonBody<SettingsTest>) -> ApiResult<Json<Tested>> {
    let asked = Instant::now();
    let (api, values) = (app.config.forge_api(), body.values.unwrap_or_default());
    let probed = test_settings(&app.database, &app.sealer, api, body.what, values).await?;
    let took_ms = u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Json(Tested { ok: probed.ok, sentence: probed.sentence, detail: probed.detail, took_ms, model: probed.model }))
}

/// Checks whether tickets of the project can become pull requests, and says what to do where they can't. Changes nothing.
#[utoipa::path(post, path = "/api/projects/{project_id}/check", tag = "projects", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), responses((status = 200, body = ProjectChecks), (status = 404, body = ErrorBody)))]
pub async fn check(State(app): State<App>, Path(path): Path<ProjectPath>) -> ApiResult<Json<ProjectChecks>> {
    let (api, lease) = (app.config.forge_api(), app.config.limits.lease);
    let checks = check_project(&app.database, &app.sealer, api, lease, path.project_id).await?;
    Ok(Json(ProjectChecks { checks }))
}

/// Says what of the webhooks and of the sweep is set up for a project, here and at its forge, and what is missing. Changes
/// nothing.
#[utoipa::path(post, path = "/api/projects/{project_id}/webhooks/check", tag = "projects",
    security(("bearer" = []), ("session" = [])), params(ProjectPath),
    responses((status = 200, body = ProjectChecks), (status = 404, body = ErrorBody)))]
pub async fn check_hooks(State(app): State<App>, Path(path): Path<ProjectPath>) -> ApiResult<Json<ProjectChecks>> {
    let public = app.config.public_url.as_ref();
    let checks = check_webhooks(&app.database, app.read_forge.as_deref(), public, path.project_id).await?;
    Ok(Json(ProjectChecks { checks }))
}

/// Settings without secrets, the names of the secrets that are set, and all projects without their tickets.
#[utoipa::path(get, path = "/api/settings/export", tag = "settings", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = Exported)))]
pub async fn export(State(app): State<App>) -> ApiResult<Json<Exported>> {
    Ok(Json(transfer::export(&app.database).await?))
}

/// Sets the settings of an export, and creates its projects or changes those of the same name. Secrets stay as they are.
#[utoipa::path(post, path = "/api/settings/import", tag = "settings", security(("bearer" = []), ("session" = [])),
    request_body = Exported, responses((status = 200, body = ImportResult), (status = 400, body = ErrorBody)))]
pub async fn import(
    State(app): State<App>,
    caller: Caller,
    JsonBody(document): JsonBody<Exported>,
) -> ApiResult<Json<ImportResult>> {
    let imported = transfer::import(&app.database, &caller.actor(), &app.sealer, document).await?;
    app.queue.signals.settings_changed();
    Ok(Json(ImportResult { imported }))
}
