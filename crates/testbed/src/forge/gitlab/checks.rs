//! Statuses and jobs at GitLab, in one list; jobs have a trace.

use super::super::model::{Check, CheckState, Refusal};
use super::super::reply::Reply;
use super::super::server::Context;
use super::shapes::{Shapes, time};
use super::{listed, refuse};
use serde_json::{Value, json};

/// The word for a status.
pub(super) fn word(state: CheckState) -> &'static str {
    match state {
        CheckState::Pending => "pending",
        CheckState::Success => "success",
        CheckState::Failure => "failed",
        CheckState::Skipped => "skipped",
    }
}

fn shape(context: &Context<'_>, at: usize, check: &Check) -> Value {
    let shapes = Shapes::new(context.state, &context.links);
    let page = format!("{}/-/jobs/{}", shapes.page(at), check.id);
    let ended = (check.state != CheckState::Pending).then(|| time(check.created_at));
    json!({
        "id": check.id, "sha": check.sha, "ref": null, "status": word(check.state), "name": check.name,
        "target_url": if check.log.is_some() { Some(page) } else { check.url.clone() },
        "description": Some(&check.description).filter(|text| !text.is_empty()), "created_at": time(check.created_at),
        "started_at": null, "finished_at": ended, "allow_failure": false, "coverage": null, "pipeline_id": check.id,
        "author": shapes.account(check.author),
    })
}

pub(super) fn list(context: &Context<'_>, at: usize, sha: &str) -> Result<Reply, Refusal> {
    let Ok(sha) = context.state.commit_of(at, sha) else { return Ok(refuse(404, "404 Commit Not Found")) };
    let checks = context.state.checks_of(at, &sha);
    Ok(listed(context, &checks.into_iter().map(|check| shape(context, at, check)).collect::<Vec<_>>()))
}

pub(super) fn post(context: &mut Context<'_>, at: usize, sha: &str) -> Result<Reply, Refusal> {
    let call = context.call;
    let (state, event) = match call.text("state").as_str() {
        "pending" => (CheckState::Pending, "enqueue"),
        "running" => (CheckState::Pending, "run"),
        "success" => (CheckState::Success, "succeed"),
        "failed" => (CheckState::Failure, "drop"),
        "canceled" | "skipped" => (CheckState::Skipped, "skip"),
        _ => return Ok(Reply::json(400, &json!({"error": "state does not have a valid value"}))),
    };
    if call.text("description").chars().count() > 255 {
        return Ok(Reply::json(400, &json!({"message": {"description": ["is too long (maximum is 255 characters)"]}})));
    }
    let name = call.some("name").or_else(|| call.some("context")).unwrap_or_else(|| "default".to_owned());
    let known = context.state.checks_of(at, sha).into_iter().any(|check| check.name == name && check.state == state);
    if known {
        let said = format!(
            "Cannot transition status via :{event} from :{} (Reason(s): Status cannot transition via \"{event}\")",
            word(state)
        );
        return Ok(refuse(400, &said));
    }
    let (description, url, author) = (call.text("description"), call.some("target_url"), context.who);
    let check = Check { sha: sha.to_owned(), name, state, description, url, author, ..Check::default() };
    match context.state.check(at, check) {
        Ok(check) => Ok(Reply::json(201, &shape(context, at, &check))),
        Err(Refusal::NotFound) => Ok(refuse(404, "404 Commit Not Found")),
        Err(refusal) => Err(refusal),
    }
}

pub(super) fn trace(context: &Context<'_>, at: usize, job: u64) -> Result<Reply, Refusal> {
    let check = context.state.repos[at].checks.iter().find(|check| check.id == job).ok_or(Refusal::NotFound)?;
    Ok(Reply::text(200, check.log.as_ref().ok_or(Refusal::NotFound)?))
}
