//! Webhooks at GitHub, for those who may change settings; others find none.

use super::super::model::{Hook, Permission, Refusal};
use super::super::reply::Reply;
use super::super::server::Context;
use super::shapes::time;
use super::{invalid, listed};
use serde_json::{Value, json};

fn shape(context: &Context<'_>, at: usize, hook: &Hook) -> Value {
    let repo = &context.state.repos[at];
    let url = format!("{}/api/v3/repos/{}/{}/hooks/{}", context.links.base, repo.owner, repo.name, hook.id);
    json!({
        "type": "Repository", "id": hook.id, "name": "web", "active": hook.active, "events": hook.events,
        "config": {"url": hook.url, "content_type": "json", "insecure_ssl": "0", "secret": "********"},
        "created_at": time(hook.created_at), "updated_at": time(hook.created_at), "url": url,
        "test_url": format!("{url}/test"), "ping_url": format!("{url}/pings"), "deliveries_url": format!("{url}/deliveries"),
        "last_response": {"code": null, "status": "unused", "message": null},
    })
}

fn may_see(context: &Context<'_>) -> Result<(), Refusal> {
    let may = context.state.who(context.who).permission >= Permission::Admin;
    if may { Ok(()) } else { Err(Refusal::NotFound) }
}

pub(super) fn list(context: &Context<'_>, at: usize) -> Result<Reply, Refusal> {
    may_see(context)?;
    let hooks = &context.state.repos[at].hooks;
    Ok(listed(context, &hooks.iter().map(|hook| shape(context, at, hook)).collect::<Vec<_>>()))
}

pub(super) fn put(context: &mut Context<'_>, at: usize, id: Option<u64>) -> Result<Reply, Refusal> {
    may_see(context)?;
    let (call, known) =
        (context.call, id.and_then(|id| context.state.repos[at].hooks.iter().find(|hook| hook.id == id)));
    let config = &call.body["config"];
    let Some(url) = config["url"].as_str() else {
        return Ok(invalid(&json!({"resource": "Hook", "field": "config", "code": "missing_field"})));
    };
    let is_other = context.state.repos[at].hooks.iter().any(|hook| hook.url == url && Some(hook.id) != id);
    if is_other {
        let message = "Hook already exists on this repository";
        return Ok(invalid(&json!({"resource": "Hook", "code": "custom", "message": message})));
    }
    let events =
        call.body["events"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let secret = config["secret"].as_str().map(str::to_owned).or_else(|| known.map(|hook| hook.secret.clone()));
    let active = call.body["active"].as_bool().unwrap_or(true);
    let hook = Hook { url: url.to_owned(), secret: secret.unwrap_or_default(), events, active, ..Hook::default() };
    let hook = context.state.put_hook(at, id, hook)?;
    Ok(Reply::json(if id.is_some() { 200 } else { 201 }, &shape(context, at, &hook)))
}
