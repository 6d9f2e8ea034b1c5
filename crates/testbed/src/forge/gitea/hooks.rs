//! Webhooks at Gitea, for those who may change settings. Names of events that it does not know are dropped in silence.

use super::super::model::{Hook, Permission, Refusal};
use super::super::reply::Reply;
use super::super::server::Context;
use super::shapes::time;
use super::{listed, refuse};
use serde_json::{Value, json};

const KNOWN: &[&str] = &[
    "create",
    "delete",
    "fork",
    "push",
    "issues",
    "issue_assign",
    "issue_label",
    "issue_comment",
    "pull_request",
    "pull_request_label",
    "pull_request_comment",
    "pull_request_review_approved",
    "pull_request_review_rejected",
    "pull_request_review_comment",
    "pull_request_sync",
    "release",
    "status",
    "workflow_run",
    "workflow_job",
];

fn shape(hook: &Hook) -> Value {
    json!({
        "id": hook.id, "type": "gitea", "branch_filter": "*", "active": hook.active, "events": hook.events,
        "config": {"content_type": "json", "url": hook.url}, "authorization_header": "", "created_at": time(hook.created_at),
        "updated_at": time(hook.created_at),
    })
}

fn may(context: &Context<'_>) -> Result<(), Reply> {
    let may = context.state.who(context.who).permission >= Permission::Admin;
    if may {
        Ok(())
    } else {
        Err(refuse(context, 403, "user should be an owner or a collaborator with admin write of a repository"))
    }
}

pub(super) fn list(context: &Context<'_>, at: usize) -> Result<Reply, Refusal> {
    if let Err(reply) = may(context) {
        return Ok(reply);
    }
    let hooks = &context.state.repos[at].hooks;
    Ok(listed(context, &hooks.iter().map(shape).collect::<Vec<_>>()))
}

pub(super) fn put(context: &mut Context<'_>, at: usize, id: Option<u64>) -> Result<Reply, Refusal> {
    if let Err(reply) = may(context) {
        return Ok(reply);
    }
    let call = context.call;
    let known = id.and_then(|id| context.state.repos[at].hooks.iter().find(|hook| hook.id == id).cloned());
    if id.is_some() && known.is_none() {
        return Err(Refusal::NotFound);
    }
    if id.is_none() && call.text("type").is_empty() {
        return Ok(refuse(context, 422, "[Type]: Required"));
    }
    let known = known.unwrap_or_default();
    let config = &call.body["config"];
    let url = config["url"].as_str().map_or(known.url, str::to_owned);
    if url.is_empty() {
        return Ok(refuse(context, 422, "Missing config option: url"));
    }
    let secret = config["secret"].as_str().map_or(known.secret, str::to_owned);
    // The group's name stands for all of its members.
    let named = call.body["events"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let all = named.flat_map(|name| match name {
        "pull_request_review" => {
            KNOWN.iter().copied().filter(|known| known.starts_with("pull_request_review_")).collect()
        }
        name => vec![name],
    });
    let mut events: Vec<String> = all.filter(|name| KNOWN.contains(name)).map(str::to_owned).collect();
    events.sort();
    events.dedup();
    let active = call.body["active"].as_bool().unwrap_or(known.active);
    let hook = context.state.put_hook(at, id, Hook { url, secret, events, active, ..Hook::default() })?;
    Ok(Reply::json(if id.is_some() { 200 } else { 201 }, &shape(&hook)))
}
