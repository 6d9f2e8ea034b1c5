//! What a runner calls for its ticket: the context, log entries, completion, the cancellation poll, the memory.

use super::{Shared, not_found, refuse};
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;

/// Serves a call whose path continues like this after `/api/projects/{id}/`.
pub(super) fn respond(shared: &Shared, method: &str, rest: &[&str]) -> Response {
    let book = shared.book.borrow();
    let body = match (method, rest) {
        ("GET", ["tickets", _, "worker-context"]) if book.context.is_null() => {
            return refuse(StatusCode::NOT_FOUND, "not_found", "There is no such ticket.");
        }
        ("GET", ["tickets", _, "worker-context"]) => book.context.clone(),
        ("GET", ["tickets", _, "cancel-requested"]) => json!({"cancel_requested": book.cancel_requested}),
        ("POST", ["tickets", _, "logs"]) => json!({"id": Uuid::new_v4(), "message": "Log added"}),
        ("POST", ["tickets", _, "complete"]) => json!({"message": "Ticket completed"}),
        ("POST", ["memory", "retrieve"]) => json!({"results": []}),
        ("POST", ["memory", "index"]) => json!({"message": "Indexed", "count": 1}),
        _ => return not_found(),
    };
    Json(body).into_response()
}
