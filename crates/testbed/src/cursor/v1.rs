//! v1: an agent lasts, and has runs. It has no webhooks.

use super::model::{CloudAgent, Model, Run, new_run};
use super::server::{Call, Reply};
use axum::http::Method;
use serde_json::{Value, json};

/// A call, and what it changes.
pub(super) fn respond(model: &mut Model, call: &Call, is_known: bool) -> Reply {
    if !is_known {
        return refuse(401, "unauthorized", "Invalid API key");
    }
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    match (&call.method, path.as_slice()) {
        (&Method::POST, ["agents"]) => launch(model, call),
        (&Method::GET, ["agents"]) => {
            let (page, next) = model.page(call.asks("limit"), call.asks("cursor"));
            Reply::new(200, json!({"items": page.iter().map(shown).collect::<Vec<_>>(), "nextCursor": next}))
        }
        (&Method::GET, ["me"]) => {
            Reply::new(200, json!({"apiKeyName": "testbed", "createdAt": "2026-01-15T10:30:00Z", "userEmail": null}))
        }
        (&Method::GET, ["models"]) => {
            Reply::new(200, json!({"items": [{"id": "composer-2", "displayName": "Composer 2"}]}))
        }
        (&Method::GET, ["repositories"]) => {
            model.lists_of_repositories += 1;
            if model.lists_of_repositories > 1 {
                return Reply { retry_after: Some(60), ..refuse(429, "rate_limit_exceeded", "Too many requests") };
            }
            Reply::new(200, json!({"items": [{"url": "https://github.com/org/repo"}]}))
        }
        (method, ["agents", id, rest @ ..]) => one_agent(model, call, method, id, rest),
        _ => refuse(404, "not_found", "Not found"),
    }
}

fn one_agent(model: &mut Model, call: &Call, method: &Method, id: &str, rest: &[&str]) -> Reply {
    let Some(agent) = model.agent(id) else { return refuse(404, "agent_not_found", "Agent not found") };
    match (method, rest) {
        (&Method::GET, []) => Reply::new(200, shown(agent)),
        (&Method::DELETE, []) => {
            model.agents.retain(|agent| agent.id != id);
            Reply::new(200, json!({"id": id}))
        }
        (&Method::GET, ["runs"]) => {
            let items: Vec<Value> = agent.runs.iter().rev().map(|run| shown_run(agent, run)).collect();
            Reply::new(200, json!({"items": items}))
        }
        (&Method::POST, ["runs"]) if agent.is_busy() => refuse(409, "agent_busy", "The agent has an active run"),
        (&Method::POST, ["runs"]) => {
            let Some(prompt) = call.prompt() else { return refuse(400, "validation_error", "prompt.text is required") };
            model.prompt(id, &prompt);
            let Some(agent) = model.agent(id) else { return refuse(404, "agent_not_found", "Agent not found") };
            Reply::new(201, json!({"run": shown_run(agent, agent.latest())}))
        }
        (method, ["runs", run, rest @ ..]) => {
            let Some(run) = agent.runs.iter().find(|known| known.id == *run) else {
                return refuse(404, "run_not_found", "Run not found");
            };
            match (method, rest) {
                (&Method::GET, []) => Reply::new(200, shown_run(agent, run)),
                (&Method::POST, ["cancel"]) if agent.is_busy() => {
                    model.set_status(id, "CANCELLED");
                    Reply::new(200, json!({"id": id}))
                }
                (&Method::POST, ["cancel"]) => refuse(409, "run_not_cancellable", "The run has ended"),
                _ => refuse(404, "not_found", "Not found"),
            }
        }
        _ => refuse(404, "not_found", "Not found"),
    }
}

fn launch(model: &mut Model, call: &Call) -> Reply {
    let body = &call.body;
    let wrong = |message: &str| refuse(400, "validation_error", message);
    let Some(prompt) = call.prompt() else { return wrong("prompt.text is required") };
    let Some(repository) = body["repos"][0]["url"].as_str() else { return wrong("repos[0].url is required") };
    let id = match body["agentId"].as_str() {
        Some(id) => {
            if id.strip_prefix("bc-").is_none_or(|id| uuid::Uuid::parse_str(id).is_err()) {
                return wrong("agentId must be bc-<uuid>");
            }
            if !body["envVars"].is_null() {
                return wrong("agentId can't be used with envVars");
            }
            id.to_owned()
        }
        None => format!("bc-{}", uuid::Uuid::new_v4()),
    };
    if model.agent(&id).is_some() {
        return refuse(409, "agent_id_conflict", "An agent with this id exists");
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let start = text(&body["repos"][0]["startingRef"]);
    let own = format!("cursor/task-{}", &id[3..7]);
    let agent = CloudAgent {
        id,
        name: text(&body["name"]).unwrap_or_default(),
        repository: repository.to_owned(),
        branch: start.clone().filter(|_| body["workOnCurrentBranch"] == true).unwrap_or(own),
        start,
        opens_pull: body["autoCreatePR"] == true,
        model: text(&body["model"]["id"]),
        webhook: None,
        webhook_secret: None,
        runs: vec![new_run(&prompt)],
        created_at: chrono::Utc::now(),
    };
    let reply = Reply::new(201, json!({"agent": shown(&agent), "run": shown_run(&agent, agent.latest())}));
    model.agents.push(agent);
    reply
}

/// An agent as v1 shows it: its status says only whether it could take a prompt.
fn shown(agent: &CloudAgent) -> Value {
    json!({
        "id": agent.id,
        "name": agent.name,
        "status": if agent.is_busy() { "ACTIVE" } else { "IDLE" },
        "url": format!("https://cursor.com/agents/{}", agent.id),
        "repos": [{"url": agent.repository, "startingRef": agent.start}],
        "latestRunId": agent.latest().id,
        "createdAt": agent.created_at,
    })
}

fn shown_run(agent: &CloudAgent, run: &Run) -> Value {
    let mut shown = json!({"id": run.id, "agentId": agent.id, "status": run.status, "createdAt": agent.created_at});
    if let Some(summary) = &run.summary {
        shown["result"] = json!(summary);
    }
    if run.pushed {
        let mut branch = json!({"repoUrl": agent.repository, "branch": agent.branch});
        if let Some(pull) = &run.pull {
            branch["prUrl"] = json!(pull);
        }
        shown["git"] = json!({"branches": [branch]});
    }
    shown
}

fn refuse(status: u16, code: &str, message: &str) -> Reply {
    Reply::new(status, json!({"error": {"code": code, "message": message}}))
}
