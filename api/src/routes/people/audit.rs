//! Who did what: in pages, or as a table for other programs.

use super::super::live::kinds_of;
use crate::db;
use crate::db::people::audit::{AuditFilter, AuditRow};
use crate::domain::live::event::EventKind;
use crate::domain::people::audit::{Who, csv_cell, sentence};
use crate::http::error::ApiResult;
use crate::http::extract::Query;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use terarchitect_worker_api::{ProjectId, TicketId};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 1_000;
/// The most rows of a table.
const MAX_ROWS: i64 = 100_000;

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditFormat {
    /// A page.
    Json,
    /// A table.
    Csv,
}

/// Which entries: all of them if nothing is set.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only what this actor did, such as `person:<id>`, `token:<id>` or `api-key`, or this kind of actor, such as
    /// `person`.
    actor: Option<String>,
    /// Only these kinds, separated by commas: whole words such as `ticket.moved`, or families such as `ticket`.
    kind: Option<String>,
    /// Only in this project.
    #[param(value_type = Option<Uuid>)]
    project_id: Option<ProjectId>,
    /// Only with this ticket.
    #[param(value_type = Option<Uuid>)]
    ticket_id: Option<TicketId>,
    /// From this time on.
    from: Option<DateTime<Utc>>,
    /// Before this time.
    until: Option<DateTime<Utc>>,
    /// Before this entry: the `seq` of the last one of the page before.
    before: Option<i64>,
    /// The maximum number of entries: 100 if unset, at most 1000; for a table 100000.
    limit: Option<i64>,
    /// `csv` for a table, as with `Accept: text/csv`.
    #[param(inline)]
    format: Option<AuditFormat>,
}

/// Who did something.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditActor {
    /// `person`, `token`, `api-key`, `local` or `unknown`.
    kind: String,
    /// Which person or token.
    id: Option<String>,
    /// What the person or token was called then.
    name: String,
}

/// Something that was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    /// Its place.
    seq: i64,
    /// When.
    at: DateTime<Utc>,
    /// Who.
    actor: AuditActor,
    /// What.
    kind: EventKind,
    /// In which project.
    project_id: Option<Uuid>,
    /// With which ticket.
    ticket_id: Option<Uuid>,
    /// With which job.
    job_id: Option<Uuid>,
    /// More about it.
    #[schema(value_type = Object)]
    data: Value,
    /// All of it in words.
    sentence: String,
}

/// A page of what was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditPage {
    /// The latest first.
    entries: Vec<AuditEntry>,
    /// Whether there are older ones.
    older: bool,
}

/// Who did what, the latest first: everything that people, keys and tokens changed, and who signed in or failed to.
#[utoipa::path(get, path = "/api/audit", tag = "people", security(("bearer" = []), ("session" = [])),
    params(AuditQuery),
    responses((status = 200, description = "Entries", content((AuditPage = "application/json"), (String = "text/csv")))))]
pub async fn read_audit(
    State(app): State<App>,
    headers: HeaderMap,
    Query(query): Query<AuditQuery>,
) -> ApiResult<Response> {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let csv = query.format.map_or_else(|| accept.starts_with("text/csv"), |format| format == AuditFormat::Csv);
    let limit = if csv {
        query.limit.unwrap_or(MAX_ROWS).clamp(1, MAX_ROWS)
    } else {
        query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT)
    };
    let filter = AuditFilter {
        actor: query.actor.filter(|actor| !actor.is_empty()),
        kinds: kinds_of(query.kind.as_deref())?,
        project: query.project_id,
        ticket: query.ticket_id,
        from: query.from,
        until: query.until,
        before: query.before,
    };
    let mut conn = app.database.read().await?;
    let mut rows = db::people::audit::list(&mut conn, &filter, limit + 1).await?;
    drop(conn);
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let older = rows.len() > wanted;
    rows.truncate(wanted);
    let entries = rows.into_iter().map(entry);
    if !csv {
        return Ok(Json(AuditPage { entries: entries.collect(), older }).into_response());
    }
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (CONTENT_DISPOSITION, "attachment; filename=\"terarchitect-audit.csv\""),
    ];
    Ok((headers, table(entries)).into_response())
}

fn entry(row: AuditRow) -> AuditEntry {
    let who = Who::of(&row.actor, row.actor_name);
    let sentence = sentence(&who, row.kind, &row.data);
    let actor = AuditActor { kind: who.kind, id: who.id, name: who.name };
    let AuditRow { seq, at, kind, project_id, ticket_id, job_id, data, .. } = row;
    AuditEntry { seq, at, actor, kind, project_id, ticket_id, job_id, data, sentence }
}

/// As RFC 4180 has it.
fn table(entries: impl Iterator<Item = AuditEntry>) -> String {
    let mut table =
        String::from("seq,at,actor_kind,actor_id,actor_name,kind,project_id,ticket_id,job_id,sentence,data\r\n");
    let id = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    for entry in entries {
        let cells = [
            entry.seq.to_string(),
            entry.at.to_rfc3339_opts(SecondsFormat::Millis, true),
            entry.actor.kind,
            entry.actor.id.unwrap_or_default(),
            entry.actor.name,
            entry.kind.as_str().to_owned(),
            id(entry.project_id),
            id(entry.ticket_id),
            id(entry.job_id),
            entry.sentence,
            entry.data.to_string(),
        ];
        table.push_str(&cells.map(|cell| csv_cell(&cell)).join(","));
        table.push_str("\r\n");
    }
    table
}
