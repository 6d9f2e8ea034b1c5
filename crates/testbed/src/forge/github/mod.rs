//! GitHub's face, also that of Enterprise Server. Statuses and bodies: its published schema; what it refuses and how: its
//! manual.

mod checks;
mod events;
mod graphql;
mod hooks;
mod people;
mod pulls;
mod shapes;
mod talk;

pub(super) use events::payloads;

use super::model::{Mergeability, Refusal};
use super::reply::{Paging, Reply};
use super::server::Context;
use axum::http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::atomic::Ordering;

/// What each response reports of a classic token.
const SCOPES: (&str, &str) = ("x-oauth-scopes", "repo");
/// The calls that an account has in an hour.
const HOURLY: u64 = 5_000;
const DOCS: &str = "https://docs.github.com/rest";

pub(super) fn respond(context: &mut Context<'_>) -> Reply {
    let reply = route(context);
    finish(context, reply)
}

fn route(context: &mut Context<'_>) -> Reply {
    let call = context.call;
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    if call.method == Method::GET && path == ["meta"] {
        return Reply::json(200, &json!({"verifiable_password_authentication": false, "installed_version": "3.19.0"}));
    }
    if call.who.is_none() {
        let words =
            if call.headers.contains_key("authorization") { "Bad credentials" } else { "Requires authentication" };
        return refuse(401, words);
    }
    match path.as_slice() {
        ["user"] if call.method == Method::GET => people::own(context),
        ["graphql"] | ["api", "graphql"] if call.method == Method::POST => graphql::respond(context),
        ["repos", owner, name, rest @ ..] => {
            let Some(at) = context.state.repo_at(owner, name) else { return not_found() };
            let someone = context.state.accounts[1].id;
            context.state.notice(at, someone);
            in_repository(context, at, rest).unwrap_or_else(|refusal| refused(&refusal))
        }
        _ => not_found(),
    }
}

fn in_repository(context: &mut Context<'_>, at: usize, rest: &[&str]) -> Result<Reply, Refusal> {
    let method = context.call.method.as_str().to_owned();
    match (method.as_str(), rest) {
        ("GET", []) => Ok(people::repository(context, at)),
        ("GET", ["collaborators", login, "permission"]) => people::permission(context, login),
        ("GET", ["pulls"]) => Ok(pulls::list(context, at)),
        ("POST", ["pulls"]) => pulls::open(context, at),
        ("GET", ["pulls", number]) => pulls::show(context, at, id(number)?),
        ("PATCH", ["pulls", number]) => pulls::edit(context, at, id(number)?),
        ("PUT", ["pulls", number, "merge"]) => pulls::merge(context, at, id(number)?),
        ("PUT", ["pulls", number, "update-branch"]) => pulls::update(context, at, id(number)?),
        ("DELETE", ["git", "refs", "heads", branch @ ..]) => pulls::delete_branch(context, at, &branch.join("/")),
        ("GET", ["pulls", number, "reviews"]) => talk::reviews(context, at, id(number)?),
        ("POST", ["pulls", number, "reviews"]) => talk::review(context, at, id(number)?),
        ("GET", ["pulls", number, "comments"]) => talk::line_comments(context, at, id(number)?),
        ("POST", ["pulls", number, "comments"]) => talk::line_comment(context, at, id(number)?),
        ("POST", ["pulls", number, "comments", top, "replies"]) => talk::reply(context, at, id(number)?, id(top)?),
        ("POST", ["pulls", "comments", comment, "reactions"] | ["issues", "comments", comment, "reactions"]) => {
            talk::react(context, at, super::model::On::Comment(id(comment)?))
        }
        ("POST", ["issues", number, "reactions"]) => talk::react(context, at, super::model::On::Number(id(number)?)),
        ("GET", ["issues"]) => Ok(talk::issues(context, at)),
        ("POST", ["issues"]) => talk::open_issue(context, at),
        ("GET", ["issues", number]) => talk::issue(context, at, id(number)?),
        ("GET", ["issues", number, "comments"]) => talk::comments(context, at, id(number)?),
        ("POST", ["issues", number, "comments"]) => talk::comment(context, at, id(number)?),
        ("GET", ["commits", name, "check-runs"]) => checks::runs(context, at, name),
        ("GET", ["commits", name, "status"]) => checks::combined(context, at, name),
        ("POST", ["statuses", sha]) => checks::status(context, at, sha),
        ("GET", ["actions", "jobs", job, "logs"]) => checks::log(context, at, id(job)?),
        ("GET", ["hooks"]) => hooks::list(context, at),
        ("POST", ["hooks"]) => hooks::put(context, at, None),
        ("PATCH", ["hooks", hook]) => hooks::put(context, at, Some(id(hook)?)),
        _ => Err(Refusal::NotFound),
    }
}

/// A number in a path.
fn id(text: &str) -> Result<u64, Refusal> {
    text.parse().map_err(|_| Refusal::NotFound)
}

/// Tags what was read; what has not changed gets 304, and everything else is counted.
fn finish(context: &Context<'_>, mut reply: Reply) -> Reply {
    if context.call.method == Method::GET && reply.status == 200 {
        let tag = format!("W/\"{}\"", hex::encode(Sha256::digest(reply.text.as_bytes())));
        let known = context.call.headers.get("if-none-match").and_then(|value| value.to_str().ok());
        if known.is_some_and(|known| known.trim_start_matches("W/") == tag.trim_start_matches("W/")) {
            reply = Reply::empty(304);
        }
        reply = reply.with("etag", tag);
    }
    let used = match reply.status {
        304 => context.counted.load(Ordering::Relaxed),
        _ => context.counted.fetch_add(1, Ordering::Relaxed) + 1,
    };
    let reset = context.state.now() / 1000 + 3_600;
    let reply = reply.with("x-ratelimit-limit", HOURLY).with("x-ratelimit-remaining", HOURLY.saturating_sub(used));
    let reply = reply.with("x-ratelimit-reset", reset).with("x-ratelimit-used", used).with(SCOPES.0, SCOPES.1);
    reply.with("x-github-request-id", format!("TEST:{used}")).with("x-github-media-type", "github.v3; format=json")
}

/// A page of a list, as the call asks for it.
fn page(context: &Context<'_>, items: &[Value]) -> (Vec<Value>, Option<String>) {
    let call = context.call;
    let paging = Paging::new(call.asks("page"), call.asks("per_page"), 30, 100, items.len());
    let mut query: Vec<String> =
        call.query.iter().filter(|(key, _)| *key != "page").map(|(k, v)| format!("{k}={v}")).collect();
    query.sort();
    let query: String = query.iter().map(|pair| format!("{pair}&")).collect();
    let at = format!("{}/api/v3/{}?{query}", context.links.base, call.path.join("/"));
    (paging.of(items), paging.link(&at))
}

fn listed(context: &Context<'_>, items: &[Value]) -> Reply {
    let (items, link) = page(context, items);
    let reply = Reply::json(200, &Value::Array(items));
    match link {
        Some(link) => reply.with("link", link),
        None => reply,
    }
}

fn refuse(status: u16, message: &str) -> Reply {
    let mut body = json!({"message": message, "documentation_url": DOCS});
    // These have no status in their bodies.
    if !matches!(status, 405 | 409 | 422) {
        body["status"] = status.to_string().into();
    }
    Reply::json(status, &body)
}

fn not_found() -> Reply {
    refuse(404, "Not Found")
}

/// 422 with a list of what is wrong.
fn invalid(error: &Value) -> Reply {
    let body = json!({"message": "Validation Failed", "errors": [error], "documentation_url": DOCS});
    Reply::json(422, &body)
}

/// 422 in one sentence.
fn unprocessable(message: &str) -> Reply {
    refuse(422, message)
}

/// GitHub's words for a refusal that no call has words of its own for.
fn refused(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::NotFound => not_found(),
        Refusal::Forbidden => refuse(403, "Resource not accessible by personal access token"),
        Refusal::NoTitle | Refusal::Empty => {
            invalid(&json!({"resource": "Issue", "field": "title", "code": "missing_field"}))
        }
        Refusal::NotInDiff => invalid(&json!({
            "resource": "PullRequestReviewComment", "field": "pull_request_review_thread.line", "code": "custom",
            "message": "pull_request_review_thread.line must be part of the diff",
        })),
        other => unprocessable(&format!("Validation Failed: {other:?}")),
    }
}

/// `mergeable` and `mergeable_state`.
fn mergeable(of: Mergeability) -> (Value, &'static str) {
    match of {
        Mergeability::Checking => (Value::Null, "unknown"),
        Mergeability::NotOpen => (Value::Null, "unknown"),
        Mergeability::Draft => (json!(true), "draft"),
        Mergeability::Conflict => (json!(false), "dirty"),
        Mergeability::Behind => (json!(true), "behind"),
        Mergeability::NotApproved | Mergeability::OpenThreads => (json!(true), "blocked"),
        Mergeability::Yes => (json!(true), "clean"),
    }
}
