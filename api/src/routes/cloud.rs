//! What Cursor sends. The signature over the raw body is the only guard, and nothing is parsed before it is checked.

use crate::actions::cloud::receive::{Received, receive, require_genuine};
use crate::domain::work_orders::OrderStatus;
use crate::http::error::ApiResult;
use crate::http::extract::read_body;
use crate::state::App;
use axum::Json;
use axum::extract::{Request, State};
use http::HeaderMap;
use serde::Serialize;
use sha2::{Digest, Sha256};
use terarchitect_worker_api::{ErrorBody, TicketId};
use utoipa::ToSchema;

/// The largest body, in bytes: a summary is all that can be long in it.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
/// The longest id that is kept, in characters.
const MAX_ID_CHARS: usize = 200;

/// What became of a delivery.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookResult {
    /// Always true.
    ok: bool,
    /// The work order that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    work_order_id: Option<TicketId>,
    /// How the order stands, or is about to.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<OrderStatus>,
    /// It says nothing that matters here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ignored: bool,
}

/// Receives a webhook of Cursor: how an agent's work ended. The signature is checked over the raw body, then the delivery is
/// stored. A repeated one gets the same response. One about an agent whose launch is not noted yet gets 404, and counts once it is.
#[utoipa::path(post, path = "/api/v1/webhook/cursor", tag = "webhooks", request_body = serde_json::Value,
    responses((status = 200, body = WebhookResult), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub async fn from_cursor(State(app): State<App>, request: Request) -> ApiResult<Json<WebhookResult>> {
    let headers = request.headers().clone();
    let signature = text(&headers, "x-webhook-signature");
    if signature.is_none() {
        require_genuine(&[], None, &[])?;
    }
    let body = read_body(request, &()).await?;
    require_genuine(&app.config.cursor_secrets, signature, &body)?;
    let id = text(&headers, "x-webhook-id").map(|id| id.chars().take(MAX_ID_CHARS).collect());
    let id: String = id.unwrap_or_else(|| hex::encode(Sha256::digest(&body)));
    let event = text(&headers, "x-webhook-event").unwrap_or("statusChange");
    let result = match receive(&app.database, &id, event, &body).await? {
        Received::Ignored => WebhookResult { ok: true, work_order_id: None, status: None, ignored: true },
        Received::Order(order, status) => {
            app.forge_signals.notify_cloud();
            WebhookResult { ok: true, work_order_id: Some(order), status: Some(status), ignored: false }
        }
    };
    Ok(Json(result))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).filter(|text| !text.is_empty())
}
