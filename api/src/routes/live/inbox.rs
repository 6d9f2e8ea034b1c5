//! The inbox: what waits for a person.

use crate::access::Caller;
use crate::actions::live::inbox::{Inbox, snooze};
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path};
use crate::http::json_text::JsonText;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::{ErrorBody, TicketId};
use utoipa::{IntoParams, ToSchema};

/// Which ticket.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InboxPath {
    /// The ticket.
    #[param(value_type = uuid::Uuid)]
    ticket_id: TicketId,
}

/// For how long to put a ticket off.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
pub struct Snooze {
    /// In seconds; 0 shows it again at once.
    for_sec: f64,
}

/// Until when a ticket is put off.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Snoozed {
    /// Until then; none if it is not put off any more.
    until: Option<DateTime<Utc>>,
}

/// Everything that waits for a person: tickets that failed, pull requests that are ready, and checkpoints. A decision is one of
/// the usual calls: retry the job, move the ticket, or approve or reject the checkpoint.
#[utoipa::path(get, path = "/api/inbox", tag = "live", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = Inbox)))]
pub async fn read_inbox(State(app): State<App>, caller: Caller) -> ApiResult<JsonText> {
    let lease = app.config.limits.lease;
    Ok(JsonText(app.lists.inbox(&app.database, lease, caller.visible().ids()).await?))
}

/// Puts a ticket off: the inbox does not show it for a while.
#[utoipa::path(post, path = "/api/inbox/{ticket_id}/snooze", tag = "live", security(("bearer" = []), ("session" = [])),
    params(InboxPath), request_body = Snooze,
    responses((status = 200, body = Snoozed), (status = 404, body = ErrorBody)))]
pub async fn snooze_ticket(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<InboxPath>,
    JsonBody(body): JsonBody<Snooze>,
) -> ApiResult<Json<Snoozed>> {
    let visible = caller.visible();
    let sees = |project| visible.contains(project);
    let until = snooze(&app.database, &caller.actor(), path.ticket_id, body.for_sec, sees).await?;
    Ok(Json(Snoozed { until }))
}
