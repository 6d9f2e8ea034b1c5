//! A ticket's log as a timeline: pages by number, and single entries with their output.

use crate::db;
use crate::db::tickets::logs::{Between, TimelineEntry, WholeEntry};
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::http::error::ApiResult;
use crate::http::extract::{LogPath, Path, Query, TicketPath};
use crate::routes::tickets::require_ticket;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::ErrorBody;
use utoipa::{IntoParams, ToSchema};

const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 500;

/// Which part of the timeline.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TimelineQuery {
    /// Only entries before this number: the last of them.
    before: Option<i64>,
    /// Only entries after this number: the first of them. A reader that follows with the number of the last entry that
    /// it has seen gets every entry once: within one ticket, the order of numbers is the order of commits.
    after: Option<i64>,
    /// The maximum number of entries: 100 if unset, at most 500.
    limit: Option<i64>,
}

/// A page of a timeline.
#[derive(Debug, Serialize, ToSchema)]
pub struct Timeline {
    /// The entries by number, the oldest first.
    entries: Vec<TimelineEntry>,
    /// Whether there are entries before these.
    older: bool,
    /// Whether there are entries after these.
    newer: bool,
}

/// The ticket's timeline, without the entries' outputs: the newest page unless `before` or `after` is given.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}/timeline", tag = "tickets",
    security(("bearer" = []), ("session" = [])), params(TicketPath, TimelineQuery),
    responses((status = 200, body = Timeline), (status = 404, body = ErrorBody)))]
pub async fn get_timeline(
    State(app): State<App>,
    Path(path): Path<TicketPath>,
    Query(query): Query<TimelineQuery>,
) -> ApiResult<Json<Timeline>> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let sentence = format!("'limit' must be a number from 1 to {MAX_LIMIT}.");
        return Err(Refusal::new(ErrorCode::InvalidQuery, sentence).into());
    }
    // One state for the entries and for what lies beyond them.
    let mut tx = app.database.transaction().await?;
    db::repeatable_reads(&mut tx).await?;
    require_ticket(&mut tx, path).await?;
    let between = Between { after: query.after, before: query.before };
    let entries = db::tickets::logs::timeline(&mut tx, path.ticket_id, between, limit).await?;
    let (first, last) = match (entries.first(), entries.last()) {
        (Some(first), Some(last)) => (first.seq, last.seq),
        // Nothing is there: what lies beyond is what the bounds leave out.
        _ => match (query.after, query.before) {
            (Some(after), _) => (after.saturating_add(1), after),
            (None, Some(before)) => (before, before.saturating_sub(1)),
            (None, None) => (0, 0),
        },
    };
    let (older, newer) = db::tickets::logs::beyond(&mut tx, path.ticket_id, first, last).await?;
    Ok(Json(Timeline { entries, older, newer }))
}

/// One entry of the ticket's log, with its output.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}/logs/{log_id}", tag = "tickets",
    security(("bearer" = []), ("session" = [])), params(LogPath),
    responses((status = 200, body = WholeEntry), (status = 404, body = ErrorBody)))]
pub async fn get_log(State(app): State<App>, Path(path): Path<LogPath>) -> ApiResult<Json<WholeEntry>> {
    let mut conn = app.database.read().await?;
    require_ticket(&mut conn, TicketPath { project_id: path.project_id, ticket_id: path.ticket_id }).await?;
    let entry = db::tickets::logs::find(&mut conn, path.ticket_id, path.log_id).await?;
    Ok(Json(entry.ok_or_else(|| Refusal::not_found("log entry", path.log_id))?))
}
