//! Pull requests at GitHub: list, open, edit, merge, update, and the deletion of their branches.

use super::super::bare::Method;
use super::super::model::{Edit, NewPull, Pull, Refusal};
use super::super::reply::Reply;
use super::super::server::Context;
use super::shapes::Shapes;
use super::{invalid, listed, refuse, unprocessable};
use serde_json::{Value, json};

fn shown(context: &Context<'_>, at: usize, pull: &Pull, status: u16) -> Reply {
    Reply::json(status, &Shapes::new(context.state, &context.links).pull(at, pull, true))
}

pub(super) fn list(context: &Context<'_>, at: usize) -> Reply {
    let (call, shapes) = (context.call, Shapes::new(context.state, &context.links));
    let state = Some(call.asks("state")).filter(|state| !state.is_empty()).unwrap_or("open");
    let head = call.query.get("head").map(|head| head.split_once(':').unwrap_or(("", head)));
    let is_of = |pull: &&Pull| {
        let owner = pull.fork.as_deref().and_then(|fork| fork.split('/').next()).unwrap_or(&pull.owner);
        let is_head = head.is_none_or(|(of, branch)| branch == pull.head && (of.is_empty() || of == owner));
        let base = call.asks("base");
        is_head && (state == "all" || pull.state == state) && (base.is_empty() || base == pull.base)
    };
    let mut pulls: Vec<&Pull> = context.state.repos[at].pulls.iter().filter(is_of).collect();
    let by_update = call.asks("sort") == "updated";
    pulls.sort_by_key(|pull| if by_update { pull.updated_at } else { pull.created_at });
    // Without a word, the newest come first; sorted by anything, the oldest do.
    let is_up = if by_update { call.asks("direction") != "desc" } else { call.asks("direction") == "asc" };
    if !is_up {
        pulls.reverse();
    }
    listed(context, &pulls.into_iter().map(|pull| shapes.pull(at, pull, false)).collect::<Vec<_>>())
}

pub(super) fn open(context: &mut Context<'_>, at: usize) -> Result<Reply, Refusal> {
    let call = context.call;
    let head = call.text("head");
    let (fork_owner, head) = match head.split_once(':') {
        Some((owner, branch)) => (Some(owner.to_owned()), branch.to_owned()),
        None => (None, head),
    };
    let new = NewPull {
        fork_owner,
        head: head.clone(),
        base: call.text("base"),
        title: call.text("title"),
        body: call.text("body"),
        draft: call.body["draft"] == true,
    };
    let owner = context.state.repos[at].owner.clone();
    let field = |field: &str| invalid(&json!({"resource": "PullRequest", "field": field, "code": "invalid"}));
    match context.state.open_pull(at, context.who, new) {
        Ok(pull) => Ok(shown(context, at, &pull, 201)),
        Err(Refusal::NoHead) => Ok(field("head")),
        Err(Refusal::NoBase) => Ok(field("base")),
        Err(Refusal::NoTitle) => {
            Ok(invalid(&json!({"resource": "PullRequest", "field": "title", "code": "missing_field"})))
        }
        Err(Refusal::Exists(_)) => {
            let message = format!("A pull request already exists for {owner}:{head}.");
            Ok(invalid(&json!({"resource": "PullRequest", "code": "custom", "message": message})))
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

pub(super) fn edit(context: &mut Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let call = context.call;
    // A draft is made ready by GraphQL alone; a field of that name does nothing here.
    let edit = Edit {
        title: call.some("title"),
        body: call.some("body"),
        draft: None,
        open: call.some("state").map(|state| state == "open"),
    };
    match context.state.edit(at, context.who, number, edit) {
        Ok(pull) => Ok(shown(context, at, &pull, 200)),
        Err(Refusal::NotOpen) => Ok(invalid(
            &json!({"resource": "PullRequest", "field": "state", "code": "invalid", "message": "state cannot be changed."}),
        )),
        Err(refusal) => Err(refusal),
    }
}

pub(super) fn merge(context: &mut Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let method = match context.call.asks_for("merge_method") {
        "squash" => Method::Squash,
        "rebase" => Method::Rebase,
        _ => Method::Merge,
    };
    let expected = context.call.some("sha");
    match context.state.merge(at, context.who, number, method, expected.as_deref()) {
        Ok(sha) => {
            Ok(Reply::json(200, &json!({"sha": sha, "merged": true, "message": "Pull Request successfully merged"})))
        }
        Err(Refusal::HeadMoved) => Ok(refuse(409, "Head branch was modified. Review and try the merge again.")),
        Err(Refusal::Draft) => Ok(refuse(405, "Pull Request is still a draft")),
        Err(Refusal::Rule(why)) => Ok(refuse(405, &format!("At least one rule is not met: {why}."))),
        Err(Refusal::NotOpen | Refusal::Conflict(_) | Refusal::Checking) => {
            context.state.checking = context.state.checking.saturating_sub(1);
            Ok(refuse(405, "Pull Request is not mergeable"))
        }
        Err(refusal) => Err(refusal),
    }
}

pub(super) fn update(context: &mut Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let expected = context.call.some("expected_head_sha");
    match context.state.update(at, context.who, number, Method::Merge, expected.as_deref()) {
        Ok(()) => {
            let url =
                Shapes::new(context.state, &context.links).pull(at, context.state.pull(at, number)?, false)["url"]
                    .clone();
            Ok(Reply::json(202, &json!({"message": "Updating pull request branch.", "url": url})))
        }
        Err(refusal) => not_updated(refusal).map(|message| unprocessable(&message)),
    }
}

/// GitHub's words when it does not update a branch.
pub(super) fn not_updated(refusal: Refusal) -> Result<String, Refusal> {
    Ok(match refusal {
        Refusal::UpToDate => "There are no new commits on the base branch.".to_owned(),
        Refusal::HeadMoved => "expected head sha didn’t match current head ref.".to_owned(),
        Refusal::Conflict(_) => "merge conflict between base and head".to_owned(),
        Refusal::NotOpen => "Pull request is closed".to_owned(),
        refusal => return Err(refusal),
    })
}

pub(super) fn delete_branch(context: &mut Context<'_>, at: usize, branch: &str) -> Result<Reply, Refusal> {
    match context.state.delete_branch(at, context.who, branch) {
        Ok(()) => Ok(Reply::empty(204)),
        Err(Refusal::NotFound) => Ok(unprocessable("Reference does not exist")),
        Err(refusal) => Err(refusal),
    }
}

impl super::super::server::Call {
    /// A text of the body; empty where there is none.
    fn asks_for(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_default()
    }
}

/// The place and number of a pull request by its node id.
pub(super) fn by_node_id(context: &Context<'_>, id: &Value) -> Option<(usize, u64)> {
    let id: u64 = id.as_str()?.strip_prefix("PR_")?.parse().ok()?;
    let repos = context.state.repos.iter().enumerate();
    repos
        .flat_map(|(at, repo)| repo.pulls.iter().map(move |pull| (at, pull)))
        .find(|(_, pull)| pull.id == id)
        .map(|(at, pull)| (at, pull.number))
}
