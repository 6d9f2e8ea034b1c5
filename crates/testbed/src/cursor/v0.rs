//! v0: one agent is one piece of work, with a webhook.

use super::model::{CloudAgent, Model, new_run};
use super::server::{Call, Reply};
use axum::http::Method;
use serde_json::{Value, json};

/// A call, and what it changes.
pub(super) fn respond(model: &mut Model, call: &Call, is_known: bool) -> Reply {
    if !is_known {
        return refuse(401, "Invalid API key");
    }
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    match (&call.method, path.as_slice()) {
        (&Method::POST, ["agents"]) => launch(model, call),
        (&Method::GET, ["agents"]) => {
            let (page, next) = model.page(call.asks("limit"), call.asks("cursor"));
            Reply::new(200, json!({"agents": page.iter().map(shown).collect::<Vec<_>>(), "nextCursor": next}))
        }
        (&Method::GET, ["me"]) => Reply::new(
            200,
            json!({"apiKeyName": "testbed", "createdAt": "2026-01-15T10:30:00Z", "userEmail": "dev@example.com"}),
        ),
        (&Method::GET, ["models"]) => Reply::new(200, json!({"models": ["composer-2", "gpt-5.3-codex-high"]})),
        (&Method::GET, ["repositories"]) => {
            model.lists_of_repositories += 1;
            if model.lists_of_repositories > 1 {
                return Reply { retry_after: Some(60), ..refuse(429, "Too many requests") };
            }
            let one = json!({"owner": "org", "name": "repo", "repository": "github.com/org/repo"});
            Reply::new(200, json!({"repositories": [one]}))
        }
        (method, ["agents", id, rest @ ..]) => one_agent(model, call, method, id, rest),
        _ => refuse(404, "Not found"),
    }
}

fn one_agent(model: &mut Model, call: &Call, method: &Method, id: &str, rest: &[&str]) -> Reply {
    let Some(agent) = model.agent(id) else { return refuse(404, "Agent not found") };
    match (method, rest) {
        (&Method::GET, []) => Reply::new(200, shown(agent)),
        (&Method::DELETE, []) => {
            model.agents.retain(|agent| agent.id != id);
            Reply::new(200, json!({"id": id}))
        }
        (&Method::GET, ["conversation"]) => Reply::new(200, json!({"id": id, "messages": messages(agent)})),
        (&Method::POST, ["followup"]) => {
            let Some(prompt) = call.prompt() else { return refuse(400, "prompt.text is required") };
            model.prompt(id, &prompt);
            Reply::new(200, json!({"id": id}))
        }
        (&Method::POST, ["stop"]) if agent.is_busy() => {
            model.set_status(id, "FINISHED");
            Reply::new(200, json!({"id": id}))
        }
        (&Method::POST, ["stop"]) => refuse(400, "The agent is not running"),
        _ => refuse(404, "Not found"),
    }
}

fn launch(model: &mut Model, call: &Call) -> Reply {
    let (body, source, target) = (&call.body, &call.body["source"], &call.body["target"]);
    let Some(prompt) = call.prompt() else { return refuse(400, "prompt.text is required") };
    let Some(repository) = source["repository"].as_str() else { return refuse(400, "source.repository is required") };
    for name in body.as_object().into_iter().flat_map(|body| body.keys()) {
        if !["prompt", "model", "source", "target", "webhook"].contains(&name.as_str()) {
            return refuse(400, &format!("Unrecognized key: {name}"));
        }
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (webhook, webhook_secret) = (text(&body["webhook"]["url"]), text(&body["webhook"]["secret"]));
    if webhook.as_ref().is_some_and(|url| url.len() > 2048) {
        return refuse(400, "webhook.url is too long");
    }
    if webhook_secret.as_ref().is_some_and(|secret| !(32..=256).contains(&secret.len())) {
        return refuse(400, "webhook.secret must have 32 to 256 characters");
    }
    let id = format!("bc_{}", uuid::Uuid::new_v4().simple());
    let agent = CloudAgent {
        branch: text(&target["branchName"]).unwrap_or_else(|| format!("cursor/task-{}", &id[3..7])),
        id,
        name: prompt.lines().next().unwrap_or_default().to_owned(),
        repository: repository.to_owned(),
        start: text(&source["ref"]),
        opens_pull: target["autoCreatePr"] == true,
        model: text(&body["model"]),
        webhook,
        webhook_secret,
        runs: vec![new_run(&prompt)],
        created_at: chrono::Utc::now(),
    };
    let reply = Reply::new(201, shown(&agent));
    model.agents.push(agent);
    reply
}

/// An agent as v0 shows it.
fn shown(agent: &CloudAgent) -> Value {
    let run = agent.latest();
    let mut shown = json!({
        "id": agent.id,
        "name": agent.name,
        "status": run.status,
        // Seen in the wild: without a scheme.
        "source": {"repository": agent.repository.split("://").last(), "ref": agent.start},
        "target": {"branchName": agent.branch, "url": format!("https://cursor.com/agents?id={}", agent.id),
            "autoCreatePr": agent.opens_pull},
        "createdAt": agent.created_at,
    });
    if let Some(pull) = &run.pull {
        shown["target"]["prUrl"] = json!(pull);
    }
    if let Some(summary) = &run.summary {
        shown["summary"] = json!(summary);
    }
    shown
}

fn messages(agent: &CloudAgent) -> Vec<Value> {
    let said = agent.runs.iter().flat_map(|run| {
        let asked = json!({"id": format!("{}-0", run.id), "type": "user_message", "text": run.prompt});
        let said = run.summary.as_ref();
        let said = said.map(|text| json!({"id": format!("{}-1", run.id), "type": "assistant_message", "text": text}));
        [Some(asked), said]
    });
    said.flatten().collect()
}

fn refuse(status: u16, message: &str) -> Reply {
    Reply::new(status, json!({"error": message}))
}
