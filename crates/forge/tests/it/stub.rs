//! A server that says what a test tells it, request by request, and keeps what it was asked.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use url::Url;

/// What a request is answered with.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    lost: bool,
}

/// A response with JSON.
pub(crate) fn json(status: u16, body: Value) -> Answer {
    text(status, &body.to_string())
}

/// A response with any text.
pub(crate) fn text(status: u16, body: &str) -> Answer {
    Answer { status, headers: Vec::new(), body: body.to_owned(), lost: false }
}

/// The connection breaks in the middle of the response, when the forge has done what it was asked.
pub(crate) fn lost() -> Answer {
    Answer { status: 201, headers: Vec::new(), body: String::new(), lost: true }
}

impl Answer {
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let body = if self.lost {
            let parts = [Ok("{"), Err(std::io::Error::other("the connection is lost"))];
            Body::from_stream(futures::stream::iter(parts))
        } else {
            Body::from(self.body)
        };
        let mut response = (StatusCode::from_u16(self.status).unwrap(), body).into_response();
        for (name, value) in self.headers {
            response.headers_mut().append(name, value.parse().unwrap());
        }
        response
    }
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// `METHOD /path`.
    pub(crate) call: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

#[derive(Default)]
struct Shared {
    answers: Mutex<HashMap<String, VecDeque<Answer>>>,
    seen: Mutex<Vec<Seen>>,
}

/// A running server; it stops with the test.
pub(crate) struct Stub {
    pub(crate) address: String,
    shared: Arc<Shared>,
}

impl Stub {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let router = Router::new().fallback(respond).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    /// What `METHOD /path` is answered with, in turn; the last answer stays.
    pub(crate) fn on(&self, call: &str, answers: impl IntoIterator<Item = Answer>) -> &Self {
        self.shared.answers.lock().unwrap().insert(call.to_owned(), answers.into_iter().collect());
        self
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        format!("{}{path}", self.address).parse().unwrap()
    }

    /// The requests to `METHOD /path`.
    pub(crate) fn seen(&self, call: &str) -> Vec<Seen> {
        self.all().into_iter().filter(|seen| seen.call == call).collect()
    }

    /// The body of the only request to `METHOD /path`.
    pub(crate) fn body(&self, call: &str) -> Value {
        let seen = self.seen(call);
        assert_eq!(seen.len(), 1, "{call}: {:?}", self.all());
        seen[0].body.clone()
    }

    pub(crate) fn all(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }
}

async fn respond(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1024 * 1024).await.unwrap();
    let call = format!("{} {}", parts.method, parts.uri.path());
    shared.seen.lock().unwrap().push(Seen {
        call: call.clone(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    });
    let mut answers = shared.answers.lock().unwrap();
    let Some(answers) = answers.get_mut(&call) else { return text(404, "404 page not found\n").into_response() };
    let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
    answer.unwrap().into_response()
}
