//! Check runs, statuses and logs at GitHub.

use super::super::model::{Check, CheckState, Refusal};
use super::super::reply::Reply;
use super::super::server::Context;
use super::shapes::{Shapes, time};
use super::{invalid, page};
use serde_json::{Value, json};

/// A check run of GitHub's own Actions.
pub(super) fn run(shapes: &Shapes<'_>, at: usize, base: &str, check: &Check) -> Value {
    let repo = &shapes.state.repos[at];
    let (status, conclusion) = match check.state {
        CheckState::Pending => ("in_progress", None),
        CheckState::Success => ("completed", Some("success")),
        CheckState::Failure => ("completed", Some("failure")),
        CheckState::Skipped => ("completed", Some("skipped")),
    };
    let (api, posted) = (format!("{base}/api/v3/repos/{}/{}", repo.owner, repo.name), time(check.created_at));
    let page = format!("{base}/{}/{}/actions/runs/{}/job/{}", repo.owner, repo.name, check.id, check.id);
    let of_head = repo.pulls.iter().filter(|pull| pull.head_sha == check.sha && pull.is_open());
    let short = json!({"id": repo.id, "url": api, "name": repo.name});
    let pulls: Vec<Value> = of_head
        .map(|pull| {
            json!({
                "id": pull.id, "number": pull.number, "url": format!("{api}/pulls/{}", pull.number),
                "head": {"ref": pull.head, "sha": pull.head_sha, "repo": short},
                "base": {"ref": pull.base, "sha": shapes.state.base_sha(at, pull), "repo": short},
            })
        })
        .collect();
    json!({
        "id": check.id, "head_sha": check.sha, "node_id": format!("CR_{}", check.id), "external_id": "",
        "url": format!("{api}/check-runs/{}", check.id), "html_url": page, "details_url": page, "status": status,
        "conclusion": conclusion, "started_at": posted, "completed_at": conclusion.map(|_| posted.clone()),
        "name": check.name, "check_suite": {"id": check.id}, "pull_requests": pulls,
        "output": {
            "title": null, "summary": null, "text": null, "annotations_count": 0,
            "annotations_url": format!("{api}/check-runs/{}/annotations", check.id),
        },
        "app": {
            "id": 15368, "slug": "github-actions", "node_id": "A_1", "owner": shapes.account(0), "name": "GitHub Actions",
            "description": "", "external_url": "https://help.github.com/en/actions",
            "html_url": "https://github.com/apps/github-actions", "created_at": "2018-07-30T09:30:17Z",
            "updated_at": "2018-07-30T09:30:17Z", "permissions": {"checks": "write"}, "events": [],
        },
    })
}

pub(super) fn runs(context: &Context<'_>, at: usize, name: &str) -> Result<Reply, Refusal> {
    let sha = context.state.commit_of(at, name)?;
    let shapes = Shapes::new(context.state, &context.links);
    let checks = context.state.checks_of(at, &sha).into_iter().filter(|check| check.log.is_some());
    let all: Vec<Value> = checks.map(|check| run(&shapes, at, &context.links.base, check)).collect();
    let (runs, link) = page(context, &all);
    let reply = Reply::json(200, &json!({"total_count": all.len(), "check_runs": runs}));
    Ok(match link {
        Some(link) => reply.with("link", link),
        None => reply,
    })
}

/// The word for a status.
pub(super) fn word(state: CheckState) -> &'static str {
    match state {
        CheckState::Pending => "pending",
        CheckState::Success | CheckState::Skipped => "success",
        CheckState::Failure => "failure",
    }
}

fn short(api: &str, check: &Check) -> Value {
    json!({
        "url": format!("{api}/statuses/{}", check.sha), "avatar_url": null, "id": check.id,
        "node_id": format!("SC_{}", check.id), "state": word(check.state), "description": check.description,
        "target_url": check.url, "context": check.name, "created_at": time(check.created_at),
        "updated_at": time(check.created_at),
    })
}

fn api_of(context: &Context<'_>, at: usize) -> String {
    let repo = &context.state.repos[at];
    format!("{}/api/v3/repos/{}/{}", context.links.base, repo.owner, repo.name)
}

pub(super) fn combined(context: &Context<'_>, at: usize, name: &str) -> Result<Reply, Refusal> {
    let (sha, api) = (context.state.commit_of(at, name)?, api_of(context, at));
    let of_commit = context.state.checks_of(at, &sha);
    let statuses: Vec<&Check> = of_commit.into_iter().filter(|check| check.log.is_none()).collect();
    let has = |state| statuses.iter().any(|check| check.state == state);
    // Without any, it is pending.
    let state = if has(CheckState::Failure) {
        "failure"
    } else if statuses.is_empty() || has(CheckState::Pending) {
        "pending"
    } else {
        "success"
    };
    let (shown, link) = page(context, &statuses.iter().map(|check| short(&api, check)).collect::<Vec<_>>());
    let body = json!({
        "state": state, "statuses": shown, "sha": sha, "total_count": statuses.len(),
        "repository": Shapes::new(context.state, &context.links).repository(at),
        "commit_url": format!("{api}/commits/{sha}"), "url": format!("{api}/commits/{sha}/status"),
    });
    let reply = Reply::json(200, &body);
    Ok(match link {
        Some(link) => reply.with("link", link),
        None => reply,
    })
}

pub(super) fn status(context: &mut Context<'_>, at: usize, sha: &str) -> Result<Reply, Refusal> {
    let call = context.call;
    let wrong = |field: &str| {
        Ok(invalid(
            &json!({"resource": "Status", "field": field, "code": "custom", "message": format!("{field} is not valid")}),
        ))
    };
    let state = match call.text("state").as_str() {
        "pending" => CheckState::Pending,
        "success" => CheckState::Success,
        "failure" | "error" => CheckState::Failure,
        _ => return wrong("state"),
    };
    if call.text("description").chars().count() > 140 {
        return wrong("description");
    }
    let name = call.some("context").unwrap_or_else(|| "default".to_owned());
    let (description, url, author) = (call.text("description"), call.some("target_url"), context.who);
    let check = Check { sha: sha.to_owned(), name, state, description, url, author, ..Check::default() };
    match context.state.check(at, check) {
        Ok(check) => {
            let mut body = short(&api_of(context, at), &check);
            body["creator"] = Shapes::new(context.state, &context.links).account(context.who);
            Ok(Reply::json(201, &body))
        }
        Err(Refusal::NotFound) => Ok(super::unprocessable(&format!("No commit found for SHA: {sha}"))),
        Err(refusal) => Err(refusal),
    }
}

/// Logs are at another host, at an address that is a permission in itself.
pub(super) fn log(context: &Context<'_>, at: usize, job: u64) -> Result<Reply, Refusal> {
    let checks = &context.state.repos[at].checks;
    checks.iter().find(|check| check.id == job && check.log.is_some()).ok_or(Refusal::NotFound)?;
    Ok(Reply::empty(302).with("location", format!("{}/logs/{job}?sig=a-permission-in-itself", context.links.storage)))
}
