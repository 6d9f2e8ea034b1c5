//! A stand-in for an API: it answers what a test tells it to, and every other address as an older API does.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

pub(crate) const ID: &str = "ab000000-0000-4000-8000-000000000001";
pub(crate) const OTHER: &str = "cd000000-0000-4000-8000-000000000002";

/// A call as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) what: String,
    pub(crate) body: Value,
    pub(crate) headers: HeaderMap,
}

#[derive(Default)]
struct Shared {
    answers: Mutex<HashMap<String, Vec<(u16, Value)>>>,
    events: Mutex<Vec<String>>,
    calls: Mutex<Vec<Call>>,
    cookie: Mutex<Option<String>>,
}

pub(crate) struct StandIn {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

impl StandIn {
    pub(crate) async fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let api = Self { url, shared };
        api.on("GET /health", 200, json!({"status": "ok"}));
        api.on("GET /ready", 200, json!({"status": "ok"}));
        api.on("GET /api/projects", 200, json!([{"id": ID, "name": "Hello"}]));
        api
    }

    /// Returns this for a call. Several responses to the same call are returned one after the other; the last one stays.
    pub(crate) fn on(&self, what: &str, status: u16, body: Value) {
        self.shared.answers.lock().unwrap().entry(what.to_owned()).or_default().push((status, body));
    }

    /// What the stream of events sends before it waits.
    pub(crate) fn event(&self, kind: &str) {
        let mut events = self.shared.events.lock().unwrap();
        let seq = events.len() + 1;
        let event = json!({"seq": seq, "kind": kind, "ticket_id": ID, "data": {}});
        events.push(format!("id: p{seq}\ndata: {event}\n\n"));
    }

    pub(crate) fn cookie(&self, cookie: &str) {
        *self.shared.cookie.lock().unwrap() = Some(cookie.to_owned());
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().unwrap().clone()
    }

    pub(crate) fn called(&self, what: &str) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.what == what).collect()
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let what = format!("{method} {}", uri.path());
    let body = serde_json::from_slice(&body).unwrap_or_default();
    shared.calls.lock().unwrap().push(Call { what: what.clone(), body, headers: headers.clone() });
    if what == "GET /api/events" {
        return events(&shared, &headers);
    }
    let mut answers = shared.answers.lock().unwrap();
    let Some(list) = answers.get_mut(&what) else {
        let older =
            json!({"error": "There is no endpoint at this path.", "code": "no_such_address", "request_id": "r-1"});
        return (StatusCode::NOT_FOUND, axum::Json(older)).into_response();
    };
    let (status, body) = if list.len() > 1 { list.remove(0) } else { list[0].clone() };
    let mut response = (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response();
    if let Some(cookie) = shared.cookie.lock().unwrap().clone() {
        response.headers_mut().insert(header::SET_COOKIE, cookie.parse().unwrap());
    }
    response
}

fn events(shared: &Shared, headers: &HeaderMap) -> Response {
    if headers[header::ACCEPT] == "application/json" {
        return axum::Json(json!({"events": [], "next": "p0", "more": false})).into_response();
    }
    let sent: Vec<_> = shared.events.lock().unwrap().iter().cloned().map(Ok::<_, Infallible>).collect();
    let stream = futures::stream::iter(sent).chain(futures::stream::pending());
    Body::from_stream(stream).into_response()
}
