//! GitLab's face. There is no published schema of it: its manual, and what the project's own facts say.

mod checks;
mod events;
mod hooks;
mod project;
mod requests;
mod shapes;
mod talk;

pub(super) use events::payloads;

use super::model::Refusal;
use super::reply::{Paging, Reply};
use super::server::Context;
use axum::http::Method;
use serde_json::{Value, json};

pub(super) fn respond(context: &mut Context<'_>) -> Reply {
    let call = context.call;
    if call.who.is_none() {
        return refuse(401, "401 Unauthorized");
    }
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["version"] => Reply::json(200, &json!({"version": "19.1.0", "revision": "1a2b3c4", "enterprise": false})),
        ["user"] if call.method == Method::GET => project::own(context),
        ["users"] if call.method == Method::GET => project::users(context),
        ["projects", id, rest @ ..] => {
            let Some(at) = project::find(context, id) else { return refuse(404, "404 Project Not Found") };
            let someone = context.state.accounts[1].id;
            context.state.notice(at, someone);
            let rest: Vec<String> = rest.iter().map(|part| (*part).to_owned()).collect();
            let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
            in_project(context, at, &rest).unwrap_or_else(|refusal| refused(&refusal))
        }
        _ => no_route(),
    }
}

fn in_project(context: &mut Context<'_>, at: usize, rest: &[&str]) -> Result<Reply, Refusal> {
    let method = context.call.method.as_str().to_owned();
    match (method.as_str(), rest) {
        ("GET", []) => Ok(project::show(context, at)),
        ("GET", ["members", "all", user]) => project::member(context, id(user)?),
        ("GET", ["merge_requests"]) => Ok(requests::list(context, at)),
        ("POST", ["merge_requests"]) => requests::open(context, at),
        ("GET", ["merge_requests", number]) => requests::show(context, at, id(number)?),
        ("PUT", ["merge_requests", number]) => requests::edit(context, at, id(number)?),
        ("PUT", ["merge_requests", number, "merge"]) => requests::merge(context, at, id(number)?),
        ("PUT", ["merge_requests", number, "rebase"]) => requests::rebase(context, at, id(number)?),
        ("GET", ["merge_requests", number, "diffs"]) => requests::diffs(context, at, id(number)?),
        ("DELETE", ["repository", "branches", branch]) => requests::delete_branch(context, at, branch),
        ("GET", ["merge_requests", number, "approvals"]) => talk::approvals(context, at, id(number)?, 200),
        ("GET", ["merge_requests", number, "reviewers"]) => talk::reviewers(context, at, id(number)?),
        ("POST", ["merge_requests", number, "approve"]) => talk::approve(context, at, id(number)?),
        ("GET", ["merge_requests", number, "discussions"]) => talk::discussions(context, at, id(number)?),
        ("POST", ["merge_requests", number, "discussions"]) => talk::discuss(context, at, id(number)?),
        ("GET", ["merge_requests", number, "discussions", of]) => talk::discussion(context, at, id(number)?, of),
        ("PUT", ["merge_requests", number, "discussions", of]) => talk::resolve(context, at, id(number)?, of),
        ("POST", ["merge_requests", number, "discussions", of, "notes"]) => talk::reply(context, at, id(number)?, of),
        ("GET", ["merge_requests" | "issues", number, "notes"]) => talk::notes(context, at, id(number)?),
        ("POST", ["merge_requests" | "issues", number, "notes"]) => talk::note(context, at, id(number)?),
        ("POST", ["merge_requests" | "issues", number, "award_emoji"]) => {
            talk::award(context, at, super::model::On::Number(id(number)?))
        }
        ("POST", ["merge_requests" | "issues", _, "notes", note, "award_emoji"]) => {
            talk::award(context, at, super::model::On::Comment(id(note)?))
        }
        ("GET", ["issues"]) => Ok(talk::issues(context, at)),
        ("POST", ["issues"]) => talk::open_issue(context, at),
        ("GET", ["issues", number]) => talk::issue(context, at, id(number)?),
        ("GET", ["repository", "commits", sha, "statuses"]) => checks::list(context, at, sha),
        ("POST", ["statuses", sha]) => checks::post(context, at, sha),
        ("GET", ["jobs", job, "trace"]) => checks::trace(context, at, id(job)?),
        ("GET", ["hooks"]) => hooks::list(context, at),
        ("POST", ["hooks"]) => hooks::put(context, at, None),
        ("PUT", ["hooks", hook]) => hooks::put(context, at, Some(id(hook)?)),
        _ => Ok(no_route()),
    }
}

/// A number in a path.
fn id(text: &str) -> Result<u64, Refusal> {
    text.parse().map_err(|_| Refusal::NotFound)
}

fn listed(context: &Context<'_>, items: &[Value]) -> Reply {
    let call = context.call;
    let paging = Paging::new(call.asks("page"), call.asks("per_page"), 20, 100, items.len());
    let mut query: Vec<String> =
        call.query.iter().filter(|(key, _)| *key != "page").map(|(k, v)| format!("{k}={v}")).collect();
    query.sort();
    let query: String = query.iter().map(|pair| format!("{pair}&")).collect();
    let path: Vec<String> = call.path.iter().map(|part| part.replace('/', "%2F")).collect();
    let at = format!("{}/api/v4/{}?{query}", context.links.base, path.join("/"));
    let reply = Reply::json(200, &Value::Array(paging.of(items)));
    let reply = reply.with("x-page", paging.page).with("x-per-page", paging.per_page).with("x-total", paging.total);
    let reply = reply.with("x-total-pages", paging.last());
    let reply = reply.with("x-next-page", paging.next().map_or_else(String::new, |page| page.to_string()));
    match paging.link(&at) {
        Some(link) => reply.with("link", link),
        None => reply,
    }
}

fn refuse(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({"message": message}))
}

/// What a call gets that GitLab does not have.
fn no_route() -> Reply {
    Reply::json(404, &json!({"error": "404 Not Found"}))
}

/// GitLab's words for a refusal that no call has words of its own for.
fn refused(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::NotFound => refuse(404, "404 Not found"),
        Refusal::Forbidden => refuse(403, "403 Forbidden"),
        Refusal::OwnReview | Refusal::Again => refuse(401, "401 Unauthorized"),
        Refusal::HeadMoved => refuse(409, "SHA does not match HEAD of source branch"),
        Refusal::Empty => Reply::json(400, &json!({"error": "body is missing, body is empty"})),
        Refusal::NoTitle => Reply::json(400, &json!({"error": "title is missing"})),
        Refusal::NotInDiff => Reply::json(
            400,
            &json!({"message": "400 Bad request - Note {:line_code=>[\"can't be blank\", \"must be a valid line code\"]}"}),
        ),
        other => refuse(422, &format!("422 Unprocessable entity: {other:?}")),
    }
}
