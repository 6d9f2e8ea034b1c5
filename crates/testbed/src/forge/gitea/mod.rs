//! Gitea's and Forgejo's face, as a real Gitea answered and as Forgejo's published schema says. It looks like GitHub's, and
//! differs in many small ways.

mod checks;
mod events;
mod hooks;
mod people;
mod pulls;
mod shapes;
mod talk;

pub(super) use events::payloads;

use super::model::{On, Refusal};
use super::reply::{Paging, Reply};
use super::server::Context;
use axum::http::Method;
use serde_json::{Value, json};

/// How a reply in a thread is posted, which differs from version to version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replies {
    /// As Gitea from 1.27 on has it.
    #[default]
    Own,
    /// As Forgejo has it: a comment that is added to a review.
    OfReview,
    /// As older versions have it: another review at the same line.
    None,
}

/// What is not there.
const MISSING: &str = "The target couldn't be found.";

pub(super) fn respond(context: &mut Context<'_>) -> Reply {
    let call = context.call;
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    if call.method == Method::GET && path == ["version"] {
        return Reply::json(200, &json!({"version": "1.27.0"}));
    }
    if call.who.is_none() {
        let given = call.headers.contains_key("authorization");
        return refuse(context, 401, if given { "user does not exist [uid: 0, name: ]" } else { "token is required" });
    }
    match path.as_slice() {
        ["user"] if call.method == Method::GET => people::own(context),
        ["repos", owner, name, rest @ ..] => {
            let Some(at) = context.state.repo_at(owner, name) else { return refuse(context, 404, MISSING) };
            let someone = context.state.accounts[1].id;
            context.state.notice(at, someone);
            let reply = in_repository(context, at, rest);
            reply.unwrap_or_else(|refusal| refused(context, &refusal))
        }
        _ => no_route(),
    }
}

fn in_repository(context: &mut Context<'_>, at: usize, rest: &[&str]) -> Result<Reply, Refusal> {
    let (method, replies) = (context.call.method.as_str().to_owned(), context.state.replies);
    match (method.as_str(), rest) {
        ("GET", []) => Ok(people::repository(context, at)),
        ("GET", ["collaborators", login, "permission"]) => people::permission(context, login),
        ("GET", ["assignees"]) => Ok(people::assignees(context)),
        ("GET", ["pulls"]) => Ok(pulls::list(context, at)),
        ("POST", ["pulls"]) => pulls::open(context, at),
        ("GET", ["pulls", number]) => pulls::show(context, at, id(number)?),
        ("PATCH", ["pulls", number]) => pulls::edit(context, at, id(number)?),
        ("GET", ["pulls", number, "merge"]) => pulls::is_merged(context, at, id(number)?),
        ("POST", ["pulls", number, "merge"]) => pulls::merge(context, at, id(number)?),
        ("POST", ["pulls", number, "update"]) => pulls::update(context, at, id(number)?),
        ("GET", ["branches", branch @ ..]) => pulls::branch(context, at, &branch.join("/")),
        ("DELETE", ["branches", branch @ ..]) => pulls::delete_branch(context, at, &branch.join("/")),
        ("GET", ["pulls", number, "reviews"]) => talk::reviews(context, at, id(number)?),
        ("POST", ["pulls", number, "reviews"]) => talk::review(context, at, id(number)?),
        ("GET", ["pulls", number, "reviews", review, "comments"]) => {
            talk::comments_of(context, at, id(number)?, id(review)?)
        }
        ("POST", ["pulls", number, "reviews", review, "comments"]) if replies == Replies::OfReview => {
            talk::add_to_review(context, at, id(number)?, id(review)?)
        }
        ("POST", ["pulls", number, "comments", comment, "replies"]) if replies == Replies::Own => {
            talk::reply(context, at, id(number)?, id(comment)?)
        }
        ("POST", ["issues", number, "reactions"]) => talk::react(context, at, On::Number(id(number)?)),
        ("POST", ["issues", "comments", comment, "reactions"]) => talk::react(context, at, On::Comment(id(comment)?)),
        ("GET", ["issues"]) => Ok(talk::issues(context, at)),
        ("POST", ["issues"]) => talk::open_issue(context, at),
        ("GET", ["issues", number]) => talk::issue(context, at, id(number)?),
        ("GET", ["issues", number, "comments"]) => talk::comments(context, at, id(number)?),
        ("POST", ["issues", number, "comments"]) => talk::comment(context, at, id(number)?),
        ("GET", ["commits", name, "status"]) => checks::combined(context, at, name),
        ("POST", ["statuses", sha]) => checks::post(context, at, sha),
        ("GET", ["hooks"]) => hooks::list(context, at),
        ("POST", ["hooks"]) => hooks::put(context, at, None),
        ("PATCH", ["hooks", hook]) => hooks::put(context, at, Some(id(hook)?)),
        _ => Ok(no_route()),
    }
}

/// A number in a path.
fn id(text: &str) -> Result<u64, Refusal> {
    text.parse().map_err(|_| Refusal::NotFound)
}

/// A page; there is no entity tag, and there are no limits.
fn listed(context: &Context<'_>, items: &[Value]) -> Reply {
    let call = context.call;
    let paging = Paging::new(call.asks("page"), call.asks("limit"), 30, 50, items.len());
    let mut query: Vec<String> =
        call.query.iter().filter(|(key, _)| *key != "page").map(|(k, v)| format!("{k}={v}")).collect();
    query.sort();
    let query: String = query.iter().map(|pair| format!("{pair}&")).collect();
    let at = format!("{}/api/v1/{}?{query}", context.links.base, call.path.join("/"));
    let reply = Reply::json(200, &Value::Array(paging.of(items))).with("x-total-count", paging.total);
    match paging.link(&at) {
        Some(link) => reply.with("link", link),
        None => reply,
    }
}

fn refuse(context: &Context<'_>, status: u16, message: &str) -> Reply {
    let mut body = json!({"message": message, "url": format!("{}/api/swagger", context.links.base)});
    if status == 404 {
        body["errors"] = json!([]);
    }
    Reply::json(status, &body)
}

/// What a call gets that this version does not have.
fn no_route() -> Reply {
    Reply::text(404, "404 page not found\n")
}

/// Gitea's words for a refusal that no call has words of its own for.
fn refused(context: &Context<'_>, refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::NotFound | Refusal::NoHead | Refusal::NoBase => refuse(context, 404, MISSING),
        Refusal::Forbidden => refuse(context, 403, "user should have a permission to write to a branch"),
        Refusal::NoTitle => refuse(context, 422, "[Title]: Required"),
        Refusal::Empty => refuse(context, 422, "[Body]: Required"),
        Refusal::OwnReview => refuse(context, 422, "approve your own pull is not allowed"),
        other => refuse(context, 422, &format!("{other:?}")),
    }
}
