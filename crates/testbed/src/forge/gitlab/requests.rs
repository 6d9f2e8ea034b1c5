//! Merge requests at GitLab: list, open, edit, merge, rebase, and the deletion of their branches.

use super::super::bare::Method;
use super::super::model::{Edit, NewPull, Pull, Refusal};
use super::super::reply::Reply;
use super::super::server::Context;
use super::shapes::Shapes;
use super::{listed, refuse};
use chrono::DateTime;
use serde_json::{Value, json};

/// Whether a title says that it is a draft, and the title without that word.
fn draft_in(title: &str) -> (bool, String) {
    for word in ["draft:", "[draft]", "(draft)"] {
        if title.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)) {
            return (true, title[word.len()..].trim().to_owned());
        }
    }
    (false, title.to_owned())
}

fn shown(context: &Context<'_>, at: usize, pull: &Pull, status: u16) -> Reply {
    Reply::json(status, &Shapes::new(context.state, &context.links).request(at, pull))
}

pub(super) fn list(context: &Context<'_>, at: usize) -> Reply {
    let (call, shapes) = (context.call, Shapes::new(context.state, &context.links));
    let after = DateTime::parse_from_rfc3339(call.asks("updated_after")).ok().map(|time| time.timestamp_millis());
    let is_of = |pull: &&Pull| {
        let is_state = match call.asks("state") {
            "opened" => pull.is_open(),
            "closed" => !pull.is_open() && !pull.is_merged(),
            "merged" => pull.is_merged(),
            _ => true,
        };
        let is = |asked: &str, of: &str| asked.is_empty() || asked == of;
        is_state
            && is(call.asks("source_branch"), &pull.head)
            && is(call.asks("target_branch"), &pull.base)
            && after.is_none_or(|after| pull.updated_at >= after)
    };
    let mut pulls: Vec<&Pull> = context.state.repos[at].pulls.iter().filter(is_of).collect();
    pulls.sort_by_key(|pull| if call.asks("order_by") == "updated_at" { pull.updated_at } else { pull.created_at });
    if call.asks("sort") != "asc" {
        pulls.reverse();
    }
    listed(context, &pulls.into_iter().map(|pull| shapes.request(at, pull)).collect::<Vec<_>>())
}

pub(super) fn open(context: &mut Context<'_>, at: usize) -> Result<Reply, Refusal> {
    let call = context.call;
    let (draft, title) = draft_in(&call.text("title"));
    let (head, base) = (call.text("source_branch"), call.text("target_branch"));
    let new = NewPull { head, base, title, body: call.text("description"), draft, fork_owner: None };
    let head = new.head.clone();
    let said = |status: u16, message: String| Ok(Reply::json(status, &json!({"message": [message]})));
    if new.head == new.base {
        return said(422, "You can't use same project/branch for source and target".into());
    }
    match context.state.open_pull(at, context.who, new) {
        Ok(pull) => Ok(shown(context, at, &pull, 201)),
        Err(Refusal::Exists(number)) => {
            said(409, format!("Another open merge request already exists for this source branch: !{number}"))
        }
        Err(Refusal::NoHead) => said(400, format!("Source branch \"{head}\" does not exist")),
        Err(Refusal::NoBase) => said(400, "Target branch does not exist".into()),
        Err(refusal) => Err(refusal),
    }
}

pub(super) fn show(context: &mut Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let pull = context.state.pull(at, number)?.clone();
    let mut shape = Shapes::new(context.state, &context.links).request(at, &pull);
    if context.call.asks("include_rebase_in_progress") == "true" {
        shape["rebase_in_progress"] = (context.state.rebasing > 0).into();
        context.state.rebasing = context.state.rebasing.saturating_sub(1);
    }
    context.state.checking = context.state.checking.saturating_sub(1);
    Ok(Reply::json(200, &shape))
}

pub(super) fn edit(context: &mut Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let call = context.call;
    let title = call.some("title").map(|title| draft_in(&title));
    let edit = Edit {
        draft: title.as_ref().map(|(draft, _)| *draft),
        title: title.map(|(_, title)| title),
        body: call.some("description"),
        open: call.some("state_event").map(|event| event == "reopen"),
    };
    let pull = context.state.edit(at, context.who, number, edit)?;
    Ok(shown(context, at, &pull, 200))
}

pub(super) fn merge(context: &mut Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let (call, rules) = (context.call, context.state.repos[at].rules);
    let squash = call.body["squash"] == true;
    let method = match (rules.fast_forward, squash) {
        (_, true) => Method::Squash,
        (true, false) => Method::FastForward,
        (false, false) => Method::Merge,
    };
    let head = context.state.pull(at, number)?.head_sha.clone();
    let sha = call.some("sha");
    match context.state.merge(at, context.who, number, method, sha.as_deref()) {
        Ok(_) => {
            context.state.set_squashed(at, number, squash);
            let pull = context.state.pull(at, number)?.clone();
            if call.body["should_remove_source_branch"] == true {
                context.state.delete_branch(at, context.who, &pull.head)?;
            }
            Ok(shown(context, at, &pull, 200))
        }
        Err(Refusal::HeadMoved) => Ok(refuse(409, &format!("SHA does not match HEAD of source branch: {head}"))),
        Err(Refusal::Forbidden) => Ok(refuse(401, "401 Unauthorized")),
        Err(Refusal::Conflict(_)) => Ok(refuse(422, "Branch cannot be merged")),
        Err(Refusal::Draft | Refusal::Rule(_) | Refusal::Checking | Refusal::NotOpen) => {
            context.state.checking = context.state.checking.saturating_sub(1);
            Ok(refuse(405, "405 Method Not Allowed"))
        }
        Err(refusal) => Err(refusal),
    }
}

/// It is done a moment later: the merge request says so while it is at it, and afterwards why it failed.
pub(super) fn rebase(context: &mut Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    match context.state.update(at, context.who, number, Method::Rebase, None) {
        Ok(()) | Err(Refusal::UpToDate | Refusal::Conflict(_)) => {
            context.state.rebasing = 1;
            Ok(Reply::json(202, &json!({"rebase_in_progress": true})))
        }
        Err(refusal) => Err(refusal),
    }
}

/// Each file's whole diff.
pub(super) fn diffs(context: &Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let pull = context.state.pull(at, number)?;
    let files = context.state.bare(at).files(&context.state.base_sha(at, pull), &pull.head_sha);
    let shape = |file: super::super::bare::FileDiff| {
        json!({
            "old_path": file.path, "new_path": file.path, "a_mode": "100644", "b_mode": "100644", "diff": file.diff,
            "new_file": file.is_new, "renamed_file": false, "deleted_file": file.is_deleted, "generated_file": false,
        })
    };
    Ok(listed(context, &files.into_iter().map(shape).collect::<Vec<Value>>()))
}

pub(super) fn delete_branch(context: &mut Context<'_>, at: usize, branch: &str) -> Result<Reply, Refusal> {
    match context.state.delete_branch(at, context.who, branch) {
        Ok(()) => Ok(Reply::empty(204)),
        Err(Refusal::NotFound) => Ok(refuse(404, "404 Branch Not Found")),
        Err(refusal) => Err(refusal),
    }
}
