//! v1: an agent lasts, and each piece of work is a run of it. Who launches chooses the agent's id, which a second launch
//! can't have.

use crate::http::{Call, Failure, Http, Reply};
use crate::types::{repository, text};
use crate::{Agent, CursorError, Launch, Launched, Message, Speaker, Status};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// What calls about one agent are about, as messages name it.
const AGENT: &str = "the agent";
/// The most pages of an agent's runs that are read, 100 runs each.
const MOST_PAGES: usize = 10;

pub(crate) async fn launch(http: &Http, launch: &Launch) -> Result<Launched, Failure> {
    let reply = http.send(&Call::post("v1/agents", body(launch), "the launch")).await?;
    if reply.status == StatusCode::CONFLICT && reply.code() == "agent_id_conflict" {
        let agent = agent(http, &launch.agent_id()).await?;
        return Ok(Launched { agent, found: true });
    }
    let created = created(http, &reply)?;
    let agent = read(&created["agent"], &created["run"]).ok_or_else(|| Failure::Lost(Http::odd("the launch")))?;
    Ok(Launched { agent, found: false })
}

fn created<'a>(http: &Http, reply: &'a Reply) -> Result<&'a Value, Failure> {
    if reply.status.is_success() { Ok(&reply.json) } else { Err(Failure::Undone(http.refusal("the launch", reply))) }
}

fn body(launch: &Launch) -> Value {
    let mut body = json!({
        "agentId": launch.agent_id(),
        "name": launch.branch,
        "prompt": {"text": launch.prompt},
        "repos": [{"url": launch.repository, "startingRef": launch.start}],
        "workOnCurrentBranch": launch.on_start,
        "autoCreatePR": launch.open_pull,
    });
    if let Some(model) = &launch.model {
        body["model"] = json!({"id": model});
    }
    body
}

/// An agent with its latest run.
pub(crate) async fn agent(http: &Http, id: &str) -> Result<Agent, CursorError> {
    let found = http.ok(&Call::get(format!("v1/agents/{id}"), AGENT)).await?;
    let run = match text(&found["latestRunId"]) {
        Some(run) => http.ok(&Call::get(format!("v1/agents/{id}/runs/{run}"), "the agent's run")).await?,
        None => Value::Null,
    };
    read(&found, &run).ok_or_else(|| Http::odd(AGENT))
}

/// An agent and its run as one. Cursor tells which branches a run has pushed.
fn read(agent: &Value, run: &Value) -> Option<Agent> {
    let branch = run["git"]["branches"].as_array().and_then(|branches| branches.last()).unwrap_or(&Value::Null);
    Some(Agent {
        id: text(&agent["id"])?,
        status: Status::parse(run["status"].as_str().unwrap_or("CREATING")),
        url: text(&agent["url"]),
        branch: text(&branch["branch"]),
        pull: text(&branch["prUrl"]),
        summary: text(&run["result"]),
        run: text(&run["id"]),
    })
}

/// Starts another run, unless the latest is another one than `before`.
pub(crate) async fn follow_up_once(http: &Http, id: &str, prompt: &str, before: Option<&str>) -> Result<(), Failure> {
    if agent(http, id).await?.run.as_deref() == before {
        let body = json!({"prompt": {"text": prompt}});
        http.ok(&Call::post(format!("v1/agents/{id}/runs"), body, "the follow-up")).await?;
    }
    Ok(())
}

/// What the agent said at the end of each run, the oldest first.
pub(crate) async fn conversation(http: &Http, id: &str) -> Result<Vec<Message>, CursorError> {
    let runs = runs(http, id).await?;
    let said = runs.iter().rev().filter_map(|run| {
        let (id, text) = (text(&run["id"])?, text(&run["result"])?);
        Some(Message { id, from: Speaker::Assistant, text })
    });
    Ok(said.collect())
}

/// How many runs an agent has.
pub(crate) async fn prompts(http: &Http, id: &str) -> Result<usize, CursorError> {
    Ok(runs(http, id).await?.len())
}

/// The agent's runs, the newest first.
async fn runs(http: &Http, id: &str) -> Result<Vec<Value>, CursorError> {
    let what = "the agent's runs";
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..MOST_PAGES {
        let mut call = Call::get(format!("v1/agents/{id}/runs"), what).query("limit", 100);
        if let Some(cursor) = &cursor {
            call = call.query("cursor", cursor);
        }
        let page = http.ok(&call).await?;
        all.extend(page["items"].as_array().ok_or_else(|| Http::odd(what))?.iter().cloned());
        cursor = text(&page["nextCursor"]);
        if cursor.is_none() {
            break;
        }
    }
    Ok(all)
}

pub(crate) async fn stop(http: &Http, id: &str) -> Result<(), CursorError> {
    let found = agent(http, id).await?;
    let Some(run) = found.run.filter(|_| !found.status.is_over()) else { return Ok(()) };
    let call = Call::post(format!("v1/agents/{id}/runs/{run}/cancel"), json!({}), "the agent's run").repeatable();
    match http.ok(&call).await {
        Ok(_) => Ok(()),
        // It ended in the moment before.
        Err(Failure::Undone(CursorError::Refused { .. })) if agent(http, id).await?.status.is_over() => Ok(()),
        Err(failure) => Err(failure.into()),
    }
}

pub(crate) async fn delete(http: &Http, id: &str) -> Result<(), CursorError> {
    http.ok(&Call::delete(format!("v1/agents/{id}"), AGENT)).await?;
    Ok(())
}

pub(crate) async fn models(http: &Http) -> Result<Vec<String>, CursorError> {
    let what = "the list of models";
    let found = http.ok(&Call::get("v1/models", what)).await?;
    let all = found["items"].as_array().ok_or_else(|| Http::odd(what))?;
    Ok(all.iter().filter_map(|model| text(&model["id"])).collect())
}

pub(crate) async fn repositories(http: &Http) -> Result<Vec<String>, CursorError> {
    let what = "the list of repositories";
    let found = http.ok(&Call::get("v1/repositories", what)).await?;
    let all = found["items"].as_array().ok_or_else(|| Http::odd(what))?;
    Ok(all.iter().filter_map(|one| repository(&one["url"])).collect())
}
