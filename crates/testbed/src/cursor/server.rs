//! What arrives: the key is looked at, troubles and holds come first, then the version responds.

use super::model::Model;
use super::webhooks::Webhooks;
use super::{v0, v1};
use crate::forge::{OnCall, Trouble};
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The most of a body that is read, in bytes.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

pub(super) struct Shared {
    pub(super) key: String,
    pub(super) model: Mutex<Model>,
    pub(super) calls: Mutex<Vec<String>>,
    pub(super) troubles: Mutex<Vec<OnCall>>,
    pub(super) holds: Mutex<Vec<Gate>>,
    pub(super) webhooks: Webhooks,
    /// Is told after each call.
    pub(super) changed: watch::Sender<()>,
}

/// When a call is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before anything is done.
    Before,
    /// When it is done, before the response is sent.
    After,
}

/// A call that is held; dropping this lets it go on.
#[derive(Debug)]
pub struct Hold {
    arrived: watch::Receiver<bool>,
    _go: watch::Sender<bool>,
}

/// The other side of a hold.
pub(super) struct Gate {
    method: &'static str,
    ends: &'static str,
    when: When,
    arrived: watch::Sender<bool>,
    go: watch::Receiver<bool>,
}

impl Hold {
    pub(super) fn new(method: &'static str, ends: &'static str, when: When) -> (Self, Gate) {
        let (arrived, has_arrived) = watch::channel(false);
        let (go, may_go) = watch::channel(false);
        (Self { arrived: has_arrived, _go: go }, Gate { method, ends, when, arrived, go: may_go })
    }

    /// Waits until a call is held.
    pub async fn arrived(&mut self) {
        // The other side ends with the call, after it arrived.
        let _ = self.arrived.wait_for(|arrived| *arrived).await;
    }

    /// Waits until the client of the held call has disconnected, so that it is never done.
    pub async fn gone(&mut self) {
        while self.arrived.changed().await.is_ok() {}
    }
}

impl Gate {
    async fn wait(mut self) {
        self.arrived.send_replace(true);
        // An error says that the hold was dropped.
        let _ = self.go.wait_for(|go| *go).await;
    }
}

impl Shared {
    fn gate(&self, method: &Method, path: &str, when: When) -> Option<Gate> {
        let mut holds = lock(&self.holds);
        let at =
            holds.iter().position(|gate| gate.when == when && gate.method == method && path.ends_with(gate.ends))?;
        Some(holds.remove(at))
    }

    fn trouble(&self, method: &Method, path: &str) -> Option<Trouble> {
        let mut troubles = lock(&self.troubles);
        let is_meant = |on: &&mut OnCall| on.times > 0 && on.method == method && path.ends_with(on.ends);
        let on = troubles.iter_mut().find(is_meant)?;
        on.times -= 1;
        Some(on.what)
    }
}

/// A call.
pub(super) struct Call {
    pub(super) method: Method,
    /// The path below the version, segment by segment.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Value,
}

impl Call {
    /// A parameter of the address; empty where there is none.
    pub(super) fn asks(&self, name: &str) -> &str {
        self.query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The prompt's text, unless it is empty.
    pub(super) fn prompt(&self) -> Option<String> {
        self.body["prompt"]["text"].as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned)
    }
}

/// What a version responds with.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Value,
    /// The seconds that it asks to wait.
    pub(super) retry_after: Option<u32>,
}

impl Reply {
    pub(super) fn new(status: u16, body: Value) -> Self {
        Self { status, body, retry_after: None }
    }
}

/// A mutex whose holder can't have panicked while it changed what is inside.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) async fn dispatch(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let (method, path) = (parts.method, parts.uri.path().to_owned());
    let whole = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    lock(&shared.calls).push(format!("{method} {whole}"));
    let body = to_bytes(body, MAX_BODY_BYTES).await.unwrap_or_default();
    let trouble = shared.trouble(&method, &path);
    if let Some(Trouble::Answer(answer)) = trouble {
        return answer.response();
    }
    if let Some(gate) = shared.gate(&method, &path, When::Before) {
        gate.wait().await;
    }
    let mut segments = path.trim_matches('/').split('/').map(str::to_owned);
    let version = segments.next().unwrap_or_default();
    let call = Call {
        method: method.clone(),
        path: segments.collect(),
        query: pairs(parts.uri.query().unwrap_or_default()),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let is_known = is_of(&parts.headers, &shared.key);
    let reply = {
        let mut model = lock(&shared.model);
        match version.as_str() {
            "v0" => v0::respond(&mut model, &call, is_known),
            "v1" => v1::respond(&mut model, &call, is_known),
            _ => Reply::new(404, Value::Null),
        }
    };
    shared.changed.send_replace(());
    if let Some(gate) = shared.gate(&method, &path, When::After) {
        gate.wait().await;
    }
    match trouble {
        Some(Trouble::Lost) => lost(&reply),
        Some(Trouble::DoneBut(answer)) => answer.response(),
        _ => response(&reply),
    }
}

fn response(reply: &Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, [("content-type", "application/json")], reply.body.to_string()).into_response();
    if let Some(seconds) = reply.retry_after {
        response.headers_mut().insert("retry-after", seconds.into());
        response.headers_mut().insert("x-ratelimit-remaining", 0.into());
    }
    response
}

/// The connection breaks in the middle of the response.
fn lost(reply: &Reply) -> Response {
    let text = reply.body.to_string();
    let half = text[..text.floor_char_boundary(text.len() / 2)].to_owned();
    let parts = [Ok(half), Err(std::io::Error::other("the connection is lost"))];
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Body::from_stream(futures::stream::iter(parts))).into_response()
}

/// Whether the request carries this key: as a user without a password, or as a bearer.
fn is_of(headers: &HeaderMap, key: &str) -> bool {
    let value = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    match value.split_once(' ') {
        Some(("Bearer", token)) => token == key,
        Some(("Basic", encoded)) => STANDARD.decode(encoded).is_ok_and(|pair| pair == format!("{key}:").as_bytes()),
        _ => false,
    }
}

/// The parameters of an address. Those of these calls have no signs that are encoded.
fn pairs(query: &str) -> Vec<(String, String)> {
    query.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}
