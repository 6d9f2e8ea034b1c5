//! Pull requests at Gitea: list, open, edit, merge, update, and their branches.

use super::super::bare::Method;
use super::super::model::{Edit, NewPull, Pull, Refusal};
use super::super::reply::Reply;
use super::super::server::Context;
use super::shapes::Shapes;
use super::{MISSING, listed, refuse};
use serde_json::json;

/// What it says while it checks, and where a rule is not met.
const LATER: &str = "Please try again later";

/// Whether a title says that it is a draft, and the title without that word.
fn draft_in(title: &str) -> (bool, String) {
    for word in ["wip:", "[wip]"] {
        if title.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)) {
            return (true, title[word.len()..].trim().to_owned());
        }
    }
    (false, title.to_owned())
}

fn shown(context: &Context<'_>, at: usize, pull: &Pull, status: u16) -> Reply {
    Reply::json(status, &Shapes::new(context.state, &context.links).pull(at, pull, context.who))
}

/// A filter by head is not known, and is ignored.
pub(super) fn list(context: &Context<'_>, at: usize) -> Reply {
    let (call, shapes) = (context.call, Shapes::new(context.state, &context.links));
    let state = Some(call.asks("state")).filter(|state| !state.is_empty()).unwrap_or("open");
    let is_of = |pull: &&Pull| state == "all" || pull.state == state;
    let mut pulls: Vec<&Pull> = context.state.repos[at].pulls.iter().filter(is_of).collect();
    match call.asks("sort") {
        "recentupdate" => pulls.sort_by_key(|pull| std::cmp::Reverse(pull.updated_at)),
        "oldest" => {}
        _ => pulls.reverse(),
    }
    listed(context, &pulls.into_iter().map(|pull| shapes.pull(at, pull, context.who)).collect::<Vec<_>>())
}

pub(super) fn open(context: &mut Context<'_>, at: usize) -> Result<Reply, Refusal> {
    let call = context.call;
    let (draft, title) = draft_in(&call.text("title"));
    let head = call.text("head");
    let (fork_owner, head) = match head.split_once(':') {
        Some((owner, branch)) => (Some(owner.to_owned()), branch.to_owned()),
        None => (None, head),
    };
    let new = NewPull { head, fork_owner, base: call.text("base"), title, body: call.text("body"), draft };
    if new.head == new.base && new.fork_owner.is_none() {
        return Ok(refuse(context, 422, "There are no changes between the head and the base"));
    }
    match context.state.open_pull(at, context.who, new) {
        Ok(pull) => Ok(shown(context, at, &pull, 201)),
        Err(Refusal::Exists(number)) => {
            let words = format!("pull request already exists for these targets [index: {number}]");
            Ok(refuse(context, 409, &words))
        }
        Err(refusal) => Err(refusal),
    }
}

pub(super) fn show(context: &mut Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let pull = context.state.pull(at, number)?.clone();
    let reply = shown(context, at, &pull, 200);
    context.state.checking = context.state.checking.saturating_sub(1);
    Ok(reply)
}

/// Success has the status 201.
pub(super) fn edit(context: &mut Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let call = context.call;
    let title = call.some("title").map(|title| draft_in(&title));
    let edit = Edit {
        draft: title.as_ref().map(|(draft, _)| *draft),
        title: title.map(|(_, title)| title),
        body: call.some("body"),
        open: call.some("state").map(|state| state == "open"),
    };
    match context.state.edit(at, context.who, number, edit) {
        Ok(pull) => Ok(shown(context, at, &pull, 201)),
        Err(Refusal::NotOpen) => {
            Ok(refuse(context, 412, "cannot change state of this pull request, it was already merged"))
        }
        Err(refusal) => Err(refusal),
    }
}

pub(super) fn is_merged(context: &Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let merged = context.state.pull(at, number)?.is_merged();
    Ok(Reply::empty(if merged { 204 } else { 404 }))
}

/// Success has no body; a conflict has two JSON texts, none of which has a message.
pub(super) fn merge(context: &mut Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let call = context.call;
    let style = call.text("Do");
    let method = match style.as_str() {
        "merge" => Method::Merge,
        "squash" => Method::Squash,
        "rebase" | "rebase-merge" => Method::Rebase,
        "fast-forward-only" => Method::FastForward,
        _ => return Ok(refuse(context, 422, "[Do]: In(merge,rebase,rebase-merge,squash,fast-forward-only)")),
    };
    let expected = call.some("head_commit_id");
    match context.state.merge(at, context.who, number, method, expected.as_deref()) {
        Ok(_) => {
            if call.body["delete_branch_after_merge"] == true {
                let head = context.state.pull(at, number)?.head.clone();
                context.state.delete_branch(at, context.who, &head)?;
            }
            Ok(Reply::empty(200))
        }
        Err(Refusal::HeadMoved) => Ok(refuse(context, 409, "head out of date")),
        Err(Refusal::Draft) => Ok(refuse(context, 405, "Work in progress PRs cannot be merged")),
        Err(Refusal::NotOpen) => Ok(refuse(context, 405, "The PR is already merged")),
        Err(Refusal::Forbidden) => Ok(refuse(context, 405, "User not allowed to merge PR")),
        Err(Refusal::Checking | Refusal::Rule(_)) => {
            context.state.checking = context.state.checking.saturating_sub(1);
            Ok(refuse(context, 405, LATER))
        }
        Err(Refusal::Conflict(said)) => {
            let first = json!({"Style": style, "StdOut": said, "StdErr": "", "Err": {}});
            let second = json!({"message": "", "url": format!("{}/api/swagger", context.links.base)});
            let mut reply = Reply::json(409, &first);
            reply.text.push_str(&second.to_string());
            Ok(reply)
        }
        Err(refusal) => Err(refusal),
    }
}

pub(super) fn update(context: &mut Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let method = if context.call.asks("style") == "rebase" { Method::Rebase } else { Method::Merge };
    match context.state.update(at, context.who, number, method, None) {
        Ok(()) => Ok(Reply::empty(200)),
        Err(Refusal::Conflict(_)) => Ok(refuse(context, 409, "merge failed because of conflict")),
        Err(Refusal::UpToDate) => Ok(refuse(context, 500, &format!("HeadBranch of PR {number} is up to date"))),
        Err(refusal) => Err(refusal),
    }
}

pub(super) fn branch(context: &Context<'_>, at: usize, name: &str) -> Result<Reply, Refusal> {
    let sha = context.state.bare(at).branches().get(name).cloned().ok_or(Refusal::NotFound)?;
    let person = json!({"name": "Forge", "email": "forge@localhost", "username": ""});
    let commit = json!({
        "id": sha, "message": context.state.bare(at).subject(&sha), "author": person, "committer": person, "verification": null,
        "url": format!("{}/commit/{sha}", Shapes::new(context.state, &context.links).page(at)), "added": null,
        "removed": null, "modified": null, "timestamp": super::shapes::time(context.state.now()),
    });
    Ok(Reply::json(
        200,
        &json!({
            "name": name, "commit": commit, "protected": false, "required_approvals": 0, "enable_status_check": false,
            "status_check_contexts": [], "user_can_push": true, "user_can_merge": true,
            "effective_branch_protection_name": "",
        }),
    ))
}

pub(super) fn delete_branch(context: &mut Context<'_>, at: usize, branch: &str) -> Result<Reply, Refusal> {
    match context.state.delete_branch(at, context.who, branch) {
        Ok(()) => Ok(Reply::empty(204)),
        Err(Refusal::NotFound) => Ok(refuse(context, 404, MISSING)),
        Err(Refusal::Forbidden) => Ok(refuse(context, 403, "can not delete default or pull request target branch")),
        Err(refusal) => Err(refusal),
    }
}
