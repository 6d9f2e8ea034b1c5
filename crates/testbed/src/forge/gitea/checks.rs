//! Statuses of commits at Gitea: items have `status` in place of `state`, and any word is taken.

use super::super::model::{Check, CheckState, Refusal};
use super::super::reply::Reply;
use super::super::server::Context;
use super::shapes::{Shapes, time};
use serde_json::{Value, json};

/// The word for a status.
pub(super) fn word(state: CheckState) -> &'static str {
    match state {
        CheckState::Pending => "pending",
        CheckState::Success => "success",
        CheckState::Failure => "failure",
        CheckState::Skipped => "skipped",
    }
}

fn shape(context: &Context<'_>, at: usize, check: &Check) -> Value {
    let shapes = Shapes::new(context.state, &context.links);
    let page = format!("{}/actions/runs/{}", shapes.page(at), check.id);
    json!({
        "id": check.id, "status": word(check.state), "context": check.name, "description": check.description,
        "target_url": if check.log.is_some() { page } else { check.url.clone().unwrap_or_default() },
        "url": format!("{}/statuses/{}", shapes.api(at), check.sha), "creator": shapes.account(check.author),
        "created_at": time(check.created_at), "updated_at": time(check.created_at),
    })
}

/// The worst of all; without any it is empty.
pub(super) fn combined(context: &Context<'_>, at: usize, name: &str) -> Result<Reply, Refusal> {
    let sha = context.state.commit_of(at, name)?;
    let checks = context.state.checks_of(at, &sha);
    let has = |state| checks.iter().any(|check| check.state == state);
    let worst = [CheckState::Failure, CheckState::Pending, CheckState::Skipped, CheckState::Success];
    let state = worst.into_iter().find(|state| has(*state)).map_or("", word);
    let shapes = Shapes::new(context.state, &context.links);
    let items: Vec<Value> = checks.iter().map(|check| shape(context, at, check)).collect();
    let mut body = json!({
        "state": state, "sha": sha, "total_count": items.len(), "repository": shapes.repository(at, context.who),
        "commit_url": format!("{}/commits/{sha}", shapes.api(at)), "url": format!("{}/commits/{sha}/status", shapes.api(at)),
    });
    let page = super::listed(context, &items);
    body["statuses"] = serde_json::from_str(&page.text).unwrap_or_default();
    let mut reply = Reply::json(200, &body);
    reply.headers.extend(page.headers.into_iter().filter(|(name, _)| *name != "content-type"));
    Ok(reply)
}

pub(super) fn post(context: &mut Context<'_>, at: usize, sha: &str) -> Result<Reply, Refusal> {
    let call = context.call;
    let state = match call.text("state").as_str() {
        "pending" => CheckState::Pending,
        "failure" | "error" => CheckState::Failure,
        "skipped" => CheckState::Skipped,
        _ => CheckState::Success,
    };
    let name = call.some("context").unwrap_or_else(|| "default".to_owned());
    let (description, url, author) = (call.text("description"), call.some("target_url"), context.who);
    let check = Check { sha: sha.to_owned(), name, state, description, url, author, ..Check::default() };
    let check = context.state.check(at, check)?;
    Ok(Reply::json(201, &shape(context, at, &check)))
}
