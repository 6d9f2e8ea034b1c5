//! Checkpoints of a runner, the conversation that it keeps, and the hold of its job.

use super::{Shared, refuse};
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

/// A checkpoint.
#[derive(Clone, Debug)]
pub(super) struct Checkpoint {
    id: Uuid,
    status: String,
    words: Option<String>,
}

impl Checkpoint {
    pub(super) fn decide(&mut self, status: &str, words: Option<&str>) {
        if self.status == "pending" {
            status.clone_into(&mut self.status);
            self.words = words.map(str::to_owned);
        }
    }

    fn json(&self, key: &str) -> Value {
        json!({"id": self.id, "key": key, "status": self.status, "words": self.words})
    }
}

/// The same key returns the same checkpoint, as from the real API.
pub(super) fn open(shared: &Shared, body: &Value) -> Response {
    let key = body["key"].as_str().unwrap_or_default().to_owned();
    let mut opened = Value::Null;
    shared.book.send_modify(|book| {
        let new = Checkpoint { id: Uuid::new_v4(), status: "pending".to_owned(), words: None };
        opened = book.checkpoints.entry(key.clone()).or_insert(new).json(&key);
    });
    Json(opened).into_response()
}

/// Does not wait: a test that wants a decision makes it before.
pub(super) fn find(shared: &Shared, id: &str) -> Response {
    found(shared, id).map_or_else(missing, |found| Json(found).into_response())
}

fn found(shared: &Shared, id: &str) -> Option<Value> {
    let book = shared.book.borrow();
    let found = book.checkpoints.iter().find(|(_, checkpoint)| checkpoint.id.to_string() == id);
    found.map(|(key, checkpoint)| checkpoint.json(key))
}

/// Holds the job, unless it is decided.
pub(super) fn hold(shared: &Shared, body: &Value) -> Response {
    match found(shared, body["checkpoint_id"].as_str().unwrap_or_default()) {
        Some(checkpoint) => {
            Json(json!({"held": checkpoint["status"] == "pending", "checkpoint": checkpoint})).into_response()
        }
        None => missing(),
    }
}

/// Keeps a conversation.
pub(super) fn keep(shared: &Shared, query: &str, archive: &[u8]) -> Response {
    shared.book.send_modify(|book| book.conversation = Some(archive.to_vec()));
    let turn = query.split('&').find_map(|pair| pair.strip_prefix("turn=")?.parse::<i32>().ok());
    Json(json!({"attempt": 1, "turn": turn, "agent": "opencode", "bytes": archive.len()})).into_response()
}

/// The conversation that was kept.
pub(super) fn kept(shared: &Shared) -> Response {
    match &shared.book.borrow().conversation {
        Some(archive) => archive.clone().into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

fn missing() -> Response {
    refuse(StatusCode::NOT_FOUND, "not_found", "There is no such checkpoint.")
}
