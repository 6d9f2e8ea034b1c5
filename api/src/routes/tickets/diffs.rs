//! What turns changed, as their runners stored it.

use crate::db;
use crate::domain::refusal::Refusal;
use crate::http::error::{ApiError, ApiResult};
use crate::http::extract::{DiffPath, Path, TicketPath};
use crate::routes::tickets::require_ticket;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use std::io::Read;
use terarchitect_worker_api::{DiffInfo, ErrorBody};

/// The ticket's diffs, the oldest first: one for each turn that changed something, and for each attempt the whole branch
/// against its base, without a turn.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}/diffs", tag = "tickets",
    security(("bearer" = []), ("session" = [])), params(TicketPath),
    responses((status = 200, body = Vec<DiffInfo>), (status = 404, body = ErrorBody)))]
pub async fn list_diffs(State(app): State<App>, Path(path): Path<TicketPath>) -> ApiResult<Json<Vec<DiffInfo>>> {
    let mut conn = app.database.read().await?;
    require_ticket(&mut conn, path).await?;
    Ok(Json(db::tickets::diffs::list(&mut conn, path.ticket_id).await?))
}

/// A diff's patch, as git writes it; compressed where the client accepts gzip.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}/diffs/{diff_id}", tag = "tickets",
    security(("bearer" = []), ("session" = [])), params(DiffPath),
    responses((status = 200, description = "The patch", body = String, content_type = "text/x-diff"),
        (status = 404, body = ErrorBody)))]
pub async fn get_diff(State(app): State<App>, headers: HeaderMap, Path(path): Path<DiffPath>) -> ApiResult<Response> {
    let mut conn = app.database.read().await?;
    require_ticket(&mut conn, TicketPath { project_id: path.project_id, ticket_id: path.ticket_id }).await?;
    let patch = db::tickets::diffs::patch(&mut conn, path.ticket_id, path.diff_id).await?;
    drop(conn);
    let patch = patch.ok_or_else(|| Refusal::not_found("diff", path.diff_id))?;
    let plain =
        [(CONTENT_TYPE, "text/x-diff; charset=utf-8"), (X_CONTENT_TYPE_OPTIONS, "nosniff"), (VARY, "accept-encoding")];
    if accepts_gzip(&headers) {
        return Ok((plain, [(CONTENT_ENCODING, "gzip")], patch).into_response());
    }
    let unpacking = tokio::task::spawn_blocking(move || {
        let mut text = Vec::new();
        GzDecoder::new(patch.as_slice()).read_to_end(&mut text).map(|_| text)
    });
    let text = unpacking.await.map_err(ApiError::internal)?.map_err(ApiError::internal)?;
    Ok((plain, text).into_response())
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut codings = values.flat_map(|value| value.split(','));
    codings.any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        // A weight of zero is a refusal.
        named && !parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_accept_it() {
        for (value, accepts) in
            [("gzip", true), ("br, gzip;q=0.5", true), ("*", true), ("gzip;q=0", false), ("identity", false)]
        {
            let headers = [(ACCEPT_ENCODING, value.parse().unwrap())].into_iter().collect();
            assert_eq!(accepts_gzip(&headers), accepts, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
