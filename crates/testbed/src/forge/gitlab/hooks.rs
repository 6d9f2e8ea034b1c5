//! Webhooks at GitLab, for maintainers. What they send are flags.

use super::super::model::{Hook, Permission, Refusal};
use super::super::reply::Reply;
use super::super::server::Context;
use super::listed;
use super::shapes::time;
use serde_json::{Value, json};

/// The flags of what a webhook sends.
const FLAGS: &[&str] = &[
    "push_events",
    "tag_push_events",
    "merge_requests_events",
    "note_events",
    "issues_events",
    "job_events",
    "pipeline_events",
    "deployment_events",
    "releases_events",
];

fn shape(context: &Context<'_>, at: usize, hook: &Hook) -> Value {
    let mut shape = json!({
        "id": hook.id, "url": hook.url, "project_id": context.state.repos[at].id, "created_at": time(hook.created_at),
        "enable_ssl_verification": true, "alert_status": if hook.active { "executable" } else { "disabled" },
        "disabled_until": null, "url_variables": [], "push_events_branch_filter": "",
    });
    for flag in FLAGS {
        shape[*flag] = hook.events.iter().any(|event| event == flag || event == "*").into();
    }
    shape
}

fn may(context: &Context<'_>) -> Result<(), Refusal> {
    let may = context.state.who(context.who).permission >= Permission::Admin;
    if may { Ok(()) } else { Err(Refusal::Forbidden) }
}

pub(super) fn list(context: &Context<'_>, at: usize) -> Result<Reply, Refusal> {
    may(context)?;
    let hooks = &context.state.repos[at].hooks;
    Ok(listed(context, &hooks.iter().map(|hook| shape(context, at, hook)).collect::<Vec<_>>()))
}

pub(super) fn put(context: &mut Context<'_>, at: usize, id: Option<u64>) -> Result<Reply, Refusal> {
    may(context)?;
    let call = context.call;
    let known = id.and_then(|id| context.state.repos[at].hooks.iter().find(|hook| hook.id == id).cloned());
    if id.is_some() && known.is_none() {
        return Err(Refusal::NotFound);
    }
    let known = known.unwrap_or_else(|| Hook { events: vec!["push_events".into()], ..Hook::default() });
    let is_on =
        |flag: &str| call.body[flag].as_bool().unwrap_or_else(|| known.events.iter().any(|event| event == flag));
    let events = FLAGS.iter().filter(|flag| is_on(flag)).map(|flag| (*flag).to_owned()).collect();
    let url = call.some("url").unwrap_or(known.url);
    if url.is_empty() {
        return Ok(Reply::json(400, &json!({"error": "url is missing"})));
    }
    // What signs is never replaced by what is sent along.
    let secret = call.some("signing_token").or_else(|| call.some("token")).unwrap_or(known.secret);
    let hook = context.state.put_hook(at, id, Hook { url, secret, events, active: true, ..Hook::default() })?;
    Ok(Reply::json(if id.is_some() { 200 } else { 201 }, &shape(context, at, &hook)))
}
