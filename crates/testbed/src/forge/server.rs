//! What arrives: git, REST calls in the forge's dialect, pages for people. Faults come first; webhooks are made of what a
//! call has done.

use super::faults::{Answer, Faults, Trouble};
use super::model::{Account, State};
use super::reply::Reply;
use super::webhooks::Webhooks;
use super::{Dialect, git, gitea, github, gitlab, page};
use axum::body::Body;
use axum::extract::{Request, State as Given};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

/// The most calls and answers that are kept.
const MAX_KEPT: usize = 4_000;

pub(super) struct Shared {
    pub(super) root: PathBuf,
    pub(super) dialect: Dialect,
    pub(super) address: Mutex<Option<SocketAddr>>,
    /// Where logs of jobs are, at another address than the API.
    pub(super) storage: Mutex<Option<SocketAddr>>,
    /// The `authorization` headers of git's requests, as they came.
    pub(super) offered: Mutex<Vec<String>>,
    /// The REST calls, as `METHOD /path?query`.
    pub(super) calls: Mutex<Vec<String>>,
    /// What the REST calls were answered with, but for faults.
    pub(super) exchanges: Mutex<Vec<Exchange>>,
    pub(super) state: Mutex<State>,
    pub(super) faults: Mutex<Faults>,
    /// Where REST calls are redirected to.
    pub(super) elsewhere: Mutex<Option<String>>,
    /// How many calls have counted against the rate limit.
    pub(super) counted: AtomicU64,
    pub(super) webhooks: Webhooks,
}

/// A REST call and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The call's method.
    pub method: String,
    /// Its path, as it came.
    pub path: String,
    /// The answer's status.
    pub status: u16,
    /// Its body.
    pub body: String,
}

/// A REST call.
pub(super) struct Call {
    pub(super) method: Method,
    /// The path below the API's base, segment by segment, decoded.
    pub(super) path: Vec<String>,
    pub(super) query: HashMap<String, String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
    pub(super) who: Option<Account>,
}

impl Call {
    /// A text of the body; empty where there is none.
    pub(super) fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_default().to_owned()
    }

    /// A text of the body, where there is one.
    pub(super) fn some(&self, name: &str) -> Option<String> {
        self.body[name].as_str().map(str::to_owned)
    }

    pub(super) fn asks(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }
}

/// What a dialect answers with: the state, the call, and who calls.
pub(super) struct Context<'a> {
    pub(super) state: &'a mut State,
    pub(super) call: &'a Call,
    pub(super) who: u64,
    pub(super) links: Links,
    pub(super) counted: &'a AtomicU64,
}

/// Where things are.
#[derive(Clone, Debug)]
pub(super) struct Links {
    /// The forge itself.
    pub(super) base: String,
    /// Where logs of jobs are.
    pub(super) storage: String,
}

impl Shared {
    pub(super) fn links(&self) -> Links {
        let at = |address: &Mutex<Option<SocketAddr>>| {
            lock(address).map_or_else(String::new, |address| format!("http://{address}"))
        };
        Links { base: at(&self.address), storage: at(&self.storage) }
    }

    /// Changes the state, keeps it, and sends what webhooks say about the change.
    pub(super) fn act<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = lock(&self.state);
        let done = change(&mut state);
        for event in std::mem::take(&mut state.events) {
            let hooks = &state.repos[event.at].hooks;
            if hooks.is_empty() {
                continue;
            }
            let payloads = match self.dialect {
                Dialect::GitHub => github::payloads(&state, &self.links(), &event),
                Dialect::GitLab => gitlab::payloads(&state, &self.links(), &event),
                Dialect::Gitea => gitea::payloads(&state, &self.links(), &event),
            };
            for payload in payloads {
                for hook in hooks.iter().filter(|hook| hook.active && payload.is_wanted(&hook.events)) {
                    self.webhooks.add(hook, &payload);
                }
            }
        }
        if let Err(error) = state.save() {
            tracing::error!(error = %format!("{error:#}"), "the forge's state could not be written");
        }
        done
    }
}

/// Adds to what is kept for tests: a demonstration may run for weeks.
fn keep<T>(all: &mut Vec<T>, one: T) {
    if all.len() >= MAX_KEPT {
        all.drain(..MAX_KEPT / 2);
    }
    all.push(one);
}

/// A mutex whose holder can't have panicked: nothing in this crate panics while it holds one.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

pub(super) async fn dispatch(Given(shared): Given<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path().trim_matches('/').to_owned();
    let segments: Vec<&str> = path.split('/').collect();
    let api: Option<&[&str]> = match (shared.dialect, segments.as_slice()) {
        (
            Dialect::GitHub,
            ["api", "v3", rest @ ..] | rest @ (["user" | "repos" | "graphql" | "meta", ..] | ["api", "graphql"]),
        ) => Some(rest),
        (Dialect::GitLab, ["api", "v4", rest @ ..]) | (Dialect::Gitea, ["api", "v1", rest @ ..]) => Some(rest),
        _ => None,
    };
    if let Some(rest) = api {
        let rest = rest.iter().map(|part| decode(part)).collect();
        return rest_call(&shared, rest, request).await;
    }
    if segments[0] == "api" {
        // Another forge's API.
        return (StatusCode::NOT_FOUND, "404 page not found\n").into_response();
    }
    match segments.as_slice() {
        [owner, name, "pull" | "pulls", number] | [owner, name, "-", "merge_requests", number]
            if request.method() == Method::GET =>
        {
            page::show(&shared, owner, name, number)
        }
        _ => {
            let place = segments.iter().position(|part| part.ends_with(".git")).or(Some(1)).filter(|at| *at > 0);
            let Some((at, name)) = place.and_then(|at| Some((at, *segments.get(at)?))) else {
                return (StatusCode::NOT_FOUND, "there is nothing here").into_response();
            };
            let (owner, rest) = (segments[..at].join("/"), segments[at + 1..].join("/"));
            if rest.is_empty() {
                return (StatusCode::NOT_FOUND, "there is nothing here").into_response();
            }
            let name = name.strip_suffix(".git").unwrap_or(name).to_owned();
            git::serve(&shared, &owner, &name, &rest, request).await
        }
    }
}

async fn rest_call(shared: &Shared, path: Vec<String>, request: Request) -> Response {
    let whole = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    keep(&mut lock(&shared.calls), format!("{} {whole}", request.method()));
    let trouble = {
        let mut faults = lock(&shared.faults);
        if let Some(status) = faults.take_status() {
            let said = serde_json::json!({"message": "a fault that a test asked for"});
            return Reply::json(status.as_u16(), &said).into_response();
        }
        if let Some(answer) = Answer::take(&mut faults.rest_answer) {
            return answer;
        }
        if let Some(moved) = moved(&faults, &path, &request) {
            return moved;
        }
        faults.take_trouble(request.method().as_str(), request.uri().path())
    };
    if let Some(elsewhere) = lock(&shared.elsewhere).as_ref() {
        return (StatusCode::TEMPORARY_REDIRECT, [("location", format!("{elsewhere}{whole}"))]).into_response();
    }
    if let Some(Trouble::Answer(answer)) = trouble {
        return answer.response();
    }
    let (parts, body) = request.into_parts();
    let (method, called) = (parts.method.to_string(), parts.uri.path().to_owned());
    let body = read_body(body).await.unwrap_or_default();
    let call = Call {
        method: parts.method,
        path,
        query: parse_query(parts.uri.query().unwrap_or_default()),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        who: account_of(&lock(&shared.state), &parts.headers),
        headers: parts.headers,
    };
    let links = shared.links();
    let reply = shared.act(|state| {
        let who = call.who.as_ref().map_or(0, |who| who.id);
        let mut context = Context { state, call: &call, who, links, counted: &shared.counted };
        match shared.dialect {
            Dialect::GitHub => github::respond(&mut context),
            Dialect::GitLab => gitlab::respond(&mut context),
            Dialect::Gitea => gitea::respond(&mut context),
        }
    });
    let (status, body) = (reply.status, reply.text.clone());
    keep(&mut lock(&shared.exchanges), Exchange { method, path: called, status, body });
    match trouble {
        Some(Trouble::Lost) => reply.lost(),
        Some(Trouble::DoneBut(answer)) => answer.response(),
        _ => reply.into_response(),
    }
}

/// GitHub's old address is without the prefix that Enterprise Server has, the new one is with it.
fn moved(faults: &Faults, path: &[String], request: &Request) -> Option<Response> {
    let status = StatusCode::from_u16(faults.rest_moved?).ok()?;
    if request.uri().path().starts_with("/api/v3/") {
        return None;
    }
    let location = format!("/api/v3/{}?{}", path.join("/"), request.uri().query().unwrap_or_default());
    Some((status, [("location", location)]).into_response())
}

/// Whose token the request carries, in any of the ways that forges take.
pub(super) fn account_of(state: &State, headers: &HeaderMap) -> Option<Account> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let token = if let Some(token) = header("private-token") {
        token.to_owned()
    } else {
        let value = header("authorization")?;
        match value.split_once(' ')? {
            ("Bearer" | "bearer" | "token", token) => token.to_owned(),
            ("Basic", encoded) => {
                let decoded = STANDARD.decode(encoded).unwrap_or_default();
                String::from_utf8_lossy(&decoded).split_once(':')?.1.to_owned()
            }
            _ => return None,
        }
    };
    state.accounts.iter().find(|account| account.token == token).cloned()
}

fn parse_query(query: &str) -> HashMap<String, String> {
    query.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (decode(k), decode(v))).collect()
}

/// A part of an address without its `%` signs.
fn decode(text: &str) -> String {
    let (mut out, mut bytes) = (Vec::new(), text.bytes());
    while let Some(byte) = bytes.next() {
        let hex = |byte: Option<u8>| {
            char::from(byte.unwrap_or_default()).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
        };
        match byte {
            b'%' => match (hex(bytes.next()), hex(bytes.next())) {
                (Some(high), Some(low)) => out.push(high * 16 + low),
                _ => out.push(b'%'),
            },
            b'+' => out.push(b' '),
            byte => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

pub(super) async fn read_body(body: Body) -> Option<bytes::Bytes> {
    axum::body::to_bytes(body, 512 * 1024 * 1024).await.ok()
}
