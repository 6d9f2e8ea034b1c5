//! What a runner calls for its ticket: the context, log entries, completion, the cancellation poll, the memory.

use super::{Shared, checkpoints, not_found, refuse};
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

/// Serves a call whose path continues like this after `/api/projects/{id}/`.
pub(super) fn respond(shared: &Shared, method: &str, rest: &[&str], body: &Value) -> Response {
    match (method, rest) {
        ("POST", ["tickets", _, "messages", "take"]) if !shared.options.plain => return take(shared, body),
        ("POST", ["tickets", _, "checkpoints"]) if !shared.options.plain => return checkpoints::open(shared, body),
        ("GET", ["tickets", _, "checkpoints", id]) if !shared.options.plain => return checkpoints::find(shared, id),
        ("POST", ["tickets", _, "hold"]) if !shared.options.plain => return checkpoints::hold(shared, body),
        ("GET", ["tickets", _, "conversation"]) if !shared.options.plain => return checkpoints::kept(shared),
        ("POST", ["tickets", _, "messages", "delivered"]) if !shared.options.plain => return deliver(shared, body),
        _ => {}
    }
    let book = shared.book.borrow();
    let body = match (method, rest) {
        ("GET", ["tickets", _, "worker-context"]) if book.context.is_null() => {
            return refuse(StatusCode::NOT_FOUND, "not_found", "There is no such ticket.");
        }
        ("GET", ["tickets", _, "worker-context"]) => book.context.clone(),
        ("GET", ["tickets", _, "cancel-requested"]) => json!({"cancel_requested": book.cancel_requested}),
        ("POST", ["tickets", _, "logs"]) => json!({"id": Uuid::new_v4(), "message": "Log added"}),
        ("POST", ["tickets", _, "complete"]) => json!({"message": "Ticket completed"}),
        ("PUT", ["tickets", _, "output"]) if !shared.options.plain => json!({"message": "Output stored"}),
        ("PUT", ["tickets", _, "usage"]) if !shared.options.plain => {
            stored_usage(if book.budget.is_null() { &book.context["budget"] } else { &book.budget })
        }
        ("PUT", ["tickets", _, "proof", "proposed"]) if !shared.options.plain => body.clone(),
        ("PUT", ["tickets", _, "diffs"]) if !shared.options.plain => stored_diff(body),
        ("POST", ["memory", "retrieve"]) => json!({"results": []}),
        ("POST", ["memory", "index"]) => json!({"message": "Indexed", "count": 1}),
        _ => return not_found(),
    };
    Json(body).into_response()
}

/// What a person wrote to the agent.
#[derive(Debug)]
pub(super) struct PersonMessage {
    id: Uuid,
    text: String,
    turn: Option<i64>,
    delivered: bool,
}

impl PersonMessage {
    pub(super) fn new(text: &str) -> Self {
        Self { id: Uuid::new_v4(), text: text.to_owned(), turn: None, delivered: false }
    }

    pub(super) fn delivered(&self) -> Option<i64> {
        self.turn.filter(|_| self.delivered)
    }
}

/// The same turn again gets the same messages, as from the real API.
fn take(shared: &Shared, body: &Value) -> Response {
    let turn = body["turn"].as_i64();
    let mut messages = Vec::new();
    shared.book.send_modify(|book| {
        if !book.messages.iter().any(|message| message.turn == turn) {
            book.messages.iter_mut().filter(|message| !message.delivered).for_each(|message| message.turn = turn);
        }
        let taken = book.messages.iter().enumerate().filter(|(_, message)| message.turn == turn);
        messages = taken
            .map(|(seq, message)| {
                json!({
                    "id": message.id, "seq": seq, "text": message.text, "author": "a person", "turn": turn,
                    "created_at": "2026-01-02T03:04:05Z",
                })
            })
            .collect();
    });
    Json(json!({ "messages": messages })).into_response()
}

fn deliver(shared: &Shared, body: &Value) -> Response {
    let turn = body["turn"].as_i64();
    shared.book.send_modify(|book| {
        let delivered = !book.forgets_deliveries;
        book.messages
            .iter_mut()
            .filter(|message| message.turn == turn)
            .for_each(|message| message.delivered = delivered);
    });
    Json(json!({"message": "Messages delivered"})).into_response()
}

fn stored_usage(budget: &Value) -> Value {
    let mut stored = json!({"message": "Usage stored"});
    if !budget.is_null() {
        stored["budget"] = budget.clone();
    }
    stored
}

fn stored_diff(body: &Value) -> Value {
    json!({
        "id": Uuid::new_v4(), "turn": body["turn"], "files": body["files"], "added": body["added"],
        "removed": body["removed"], "bytes": body["patch"].as_str().map_or(0, str::len), "truncated": body["truncated"],
        "created_at": "2026-01-02T03:04:05Z",
    })
}
