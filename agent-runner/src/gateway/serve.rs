//! Takes a call from a program in this container, and passes it on.

use super::door::Door;
use super::doors::{Doors, Underway};
use super::failure::ModelFailure;
use super::upstream::{Begun, Failed, ask};
use super::wire::{Call, Meter, refusal};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderName,
    HeaderValue, PROXY_AUTHORIZATION, RETRY_AFTER, TE, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures::stream;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use terarchitect_outbound::{Retry, endpoint, retry};
use tokio::time::{Instant, timeout};

/// The headers in which programs send a key, Anthropic's and Google's beside the usual one.
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

/// What is between two programs alone, and what is not for a model's server.
const NOT_PASSED_ON: [HeaderName; 13] = [
    ACCEPT_ENCODING,
    AUTHORIZATION,
    CONNECTION,
    CONTENT_LENGTH,
    COOKIE,
    HOST,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    X_API_KEY,
    X_GOOG_API_KEY,
    HeaderName::from_static("keep-alive"),
];

/// The form in which a program sends its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyForm {
    Bearer,
    Header,
    Google,
}

pub(super) async fn pass(
    State(doors): State<Arc<Doors>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().trim_start_matches('/');
    let (name, path) = path.split_once('/').unwrap_or((path, ""));
    let Some(door) = doors.find(name) else {
        return plain(StatusCode::NOT_FOUND, "There is no model at this path.");
    };
    let Some(form) = key_form(door, &headers, uri.query()) else {
        return plain(StatusCode::UNAUTHORIZED, "The key is not the one that this attempt gave to its agent.");
    };
    let Some(call) = Call::find(method == Method::POST, path) else {
        return plain(StatusCode::NOT_FOUND, "Only calls of a model are passed on: nothing else is at this address.");
    };
    if let Some(trouble) = door.refuses(Instant::now()) {
        return refused(&call, trouble.kind, &trouble.message);
    }
    // Agents ask other models for titles and the like, at prices that no person chose.
    if call.is_asked
        && let Some(model) = asked_model(&call, &body).filter(|model| !door.allows(model))
    {
        let message = format!("only the attempt's own model may be asked, not {model}");
        return refused(&call, ModelFailure::Refused, &message);
    }
    let underway = match call.is_asked.then(|| doors.let_out(door)).transpose() {
        Ok(underway) => underway,
        Err(limit) => return refused(&call, ModelFailure::Budget, &format!("{}.", limit.used_up())),
    };
    let body = counted_body(&call, body);
    let asked = retry(Retry::For(door.of.patience), async || {
        let asked =
            ask(request(door, &call, &method, uri.query(), form, &headers, body.clone()), door.of.silence).await;
        if asked.is_err() {
            door.tried();
        }
        asked
    });
    match asked.await {
        Ok(begun) => passed_on(door, &call, begun, underway),
        Err(failed) => {
            // What costs nothing says nothing about the model: not every server counts tokens, or lists what it has.
            if call.is_asked {
                door.failed(failed.kind(), &failed.to_string(), Instant::now());
            }
            failure(door, &call, failed)
        }
    }
}

fn key_form(door: &Door, headers: &HeaderMap, query: Option<&str>) -> Option<KeyForm> {
    let given = |name: &HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    if given(&X_API_KEY).is_some_and(|key| door.opens_for(key)) {
        return Some(KeyForm::Header);
    }
    if given(&X_GOOG_API_KEY).is_some_and(|key| door.opens_for(key)) {
        return Some(KeyForm::Google);
    }
    let bearer = given(&AUTHORIZATION).and_then(|text| text.strip_prefix(b"Bearer "));
    if bearer.is_some_and(|key| door.opens_for(key)) {
        return Some(KeyForm::Bearer);
    }
    let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.any(|(name, key)| name == "key" && door.opens_for(key.as_bytes())).then_some(KeyForm::Google)
}

/// The model that a call asks; none where that can't be read.
fn asked_model(call: &Call, body: &Bytes) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Asked {
        model: String,
    }
    call.model.clone().or_else(|| serde_json::from_slice::<Asked>(body).ok().map(|asked| asked.model))
}

/// A chat's server counts a streamed answer only if it is asked to.
fn counted_body(call: &Call, body: Bytes) -> Bytes {
    if call.path != "chat/completions" {
        return body;
    }
    let Ok(mut asked) = serde_json::from_slice::<Value>(&body) else { return body };
    if asked["stream"] != Value::Bool(true) || !asked["stream_options"]["include_usage"].is_null() {
        return body;
    }
    if !asked["stream_options"].is_object() {
        asked["stream_options"] = json!({});
    }
    asked["stream_options"]["include_usage"] = Value::Bool(true);
    asked.to_string().into()
}

fn request(
    door: &Door,
    call: &Call,
    method: &Method,
    query: Option<&str>,
    form: KeyForm,
    headers: &HeaderMap,
    body: Bytes,
) -> reqwest::RequestBuilder {
    let mut url = endpoint(&door.of.base, &call.path);
    let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).filter(|(name, _)| name != "key");
    let pairs: Vec<_> = pairs.collect();
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    let mut passed: HeaderMap = headers.clone();
    for name in NOT_PASSED_ON {
        passed.remove(name);
    }
    let request = door.http.request(method.clone(), url).headers(passed).body(body);
    match (&door.of.key, form) {
        (None, _) => request,
        (Some(key), KeyForm::Bearer) => request.bearer_auth(key.expose_secret()),
        (Some(key), KeyForm::Header) => request.header(X_API_KEY, secret_header(key.expose_secret())),
        (Some(key), KeyForm::Google) => request.header(X_GOOG_API_KEY, secret_header(key.expose_secret())),
    }
}

/// A key that is no header's value is sent as none, and then refused by the server.
fn secret_header(key: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(key).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// A response, read while it passes. What it said is noted when it ends, or when the agent leaves it.
struct Passing {
    door: Arc<Door>,
    meter: Option<Meter>,
    is_asked: bool,
    underway: Option<Underway>,
    first: Option<Bytes>,
    rest: reqwest::Response,
    silence: Duration,
}

impl Passing {
    /// The next bytes; none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, std::io::Error> {
        let next = match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => tokio::select! {
                next = timeout(self.silence, self.rest.chunk()) => match next {
                    Ok(next) => next.map_err(std::io::Error::other),
                    Err(_) => Err(std::io::Error::new(ErrorKind::TimedOut, "the model's server fell silent")),
                },
                () = self.door.closed.cancelled() => {
                    Err(std::io::Error::new(ErrorKind::ConnectionAborted, "the attempt is over"))
                }
            },
        };
        match &next {
            Ok(Some(bytes)) => {
                if let Some(meter) = &mut self.meter {
                    meter.push(bytes);
                }
            }
            Ok(None) | Err(_) => self.note(false),
        }
        next.map(|bytes| bytes.map(|bytes| self.door.without_key(bytes)))
    }

    fn note(&mut self, was_left: bool) {
        if let Some(meter) = self.meter.take() {
            self.underway = None;
            self.door.answered(meter.end(), self.is_asked, was_left, Instant::now());
        }
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        self.note(true);
    }
}

fn passed_on(door: &Arc<Door>, call: &Call, begun: Begun, underway: Option<Underway>) -> Response {
    let passing = Passing {
        door: door.clone(),
        meter: Some(Meter::new(begun.is_stream)),
        is_asked: call.is_asked,
        underway,
        first: Some(begun.first),
        rest: begun.rest,
        silence: door.of.silence,
    };
    let body = stream::try_unfold(passing, async |mut passing| {
        Ok::<_, std::io::Error>(passing.next().await?.map(|bytes| (bytes, passing)))
    });
    with_type(begun.status, begun.content_type, Body::from_stream(body))
}

fn failure(door: &Door, call: &Call, failed: Failed) -> Response {
    match failed {
        Failed::Refused { status, content_type, body, .. } => {
            with_type(status, content_type, Body::from(door.without_key(body)))
        }
        // A client that decides about retries itself has to know that it may retry, and when.
        failed if door.leaves_retries() => {
            let kind = failed.kind();
            let (status, message, wait) = match failed {
                Failed::MayPass { status, message, retry_after, .. } => {
                    (status.unwrap_or(StatusCode::BAD_GATEWAY), message, retry_after)
                }
                Failed::Foreign { .. } => (StatusCode::NOT_FOUND, failed.to_string(), None),
                failed => (StatusCode::GATEWAY_TIMEOUT, failed.to_string(), None),
            };
            let mut response = (status, axum::Json(refusal(call.wire, kind, &door.masked(&message)))).into_response();
            if let Some(wait) = wait {
                response.headers_mut().insert(RETRY_AFTER, wait.as_secs().into());
            }
            response
        }
        failed => {
            let message = format!("{}: {failed}", shown(door));
            refused(call, failed.kind(), &door.masked(&message))
        }
    }
}

fn shown(door: &Door) -> String {
    crate::probe::shown(&door.of.base)
}

fn refused(call: &Call, kind: ModelFailure, message: &str) -> Response {
    (StatusCode::BAD_REQUEST, axum::Json(refusal(call.wire, kind, message))).into_response()
}

fn with_type(status: StatusCode, content_type: Option<String>, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if let Some(value) = content_type.and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}

fn plain(status: StatusCode, sentence: &'static str) -> Response {
    (status, axum::Json(json!({ "error": { "message": sentence, "type": "invalid_request_error" } }))).into_response()
}
