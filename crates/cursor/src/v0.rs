//! v0: an agent is one piece of work, and can be told more once it has ended. A launch has no id of its own, so an agent
//! is found by its branch.

use crate::http::{Call, Failure, Http};
use crate::types::{repository, text};
use crate::{Account, Agent, CursorError, Launch, Launched, Message, Speaker, Status};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

/// What calls about one agent are about, as messages name it.
const AGENT: &str = "the agent";
/// The most pages of the list that are searched, 100 agents each, the newest first.
const MOST_PAGES: usize = 20;

/// Launches, unless it was done before.
pub(crate) async fn launch_once(http: &Http, launch: &Launch) -> Result<Launched, Failure> {
    if let Some(agent) = find(http, launch).await? {
        return Ok(Launched { agent, found: true });
    }
    let created = http.ok(&Call::post("v0/agents", body(launch), "the launch")).await?;
    // A success without an id may be a launch all the same, which is looked for.
    let agent = read(&created).ok_or_else(|| Failure::Lost(Http::odd("the launch")))?;
    Ok(Launched { agent, found: false })
}

fn body(launch: &Launch) -> Value {
    let mut body = json!({
        "prompt": {"text": launch.prompt},
        "source": {"repository": launch.repository, "ref": launch.start},
        "target": {"autoCreatePr": launch.open_pull, "branchName": launch.branch},
    });
    if let Some(model) = &launch.model {
        body["model"] = json!(model);
    }
    if let Some(notify) = &launch.notify {
        body["webhook"] = json!({"url": notify.url, "secret": notify.secret.expose_secret()});
    }
    body
}

/// The agent that works on the launch's branch.
pub(crate) async fn find(http: &Http, launch: &Launch) -> Result<Option<Agent>, CursorError> {
    let mut cursor: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let mut call = Call::get("v0/agents", "the list of agents").query("limit", 100);
        if let Some(cursor) = &cursor {
            call = call.query("cursor", cursor);
        }
        let page = http.ok(&call).await?;
        let agents = page["agents"].as_array().ok_or_else(|| Http::odd("the list of agents"))?;
        let is_ours = |agent: &&Value| {
            let at = repository(&agent["source"]["repository"]);
            agent["target"]["branchName"] == launch.branch.as_str()
                && at.is_none_or(|at| same_repository(&at, &launch.repository))
        };
        if let Some(agent) = agents.iter().find(is_ours) {
            return Ok(Some(read(agent).ok_or_else(|| Http::odd("the list of agents"))?));
        }
        cursor = text(&page["nextCursor"]);
        if cursor.is_none() {
            break;
        }
    }
    Ok(None)
}

/// Whether two addresses name the same repository, however they are written.
fn same_repository(one: &str, other: &str) -> bool {
    let bare = |address: &str| {
        let address = address.split_once("://").map_or(address, |(_, rest)| rest).trim_end_matches('/');
        address.strip_suffix(".git").unwrap_or(address).to_ascii_lowercase()
    };
    bare(one) == bare(other)
}

pub(crate) async fn agent(http: &Http, id: &str) -> Result<Agent, CursorError> {
    let found = http.ok(&Call::get(format!("v0/agents/{id}"), AGENT)).await?;
    read(&found).ok_or_else(|| Http::odd(AGENT))
}

fn read(agent: &Value) -> Option<Agent> {
    let target = &agent["target"];
    Some(Agent {
        id: text(&agent["id"])?,
        status: Status::parse(agent["status"].as_str().unwrap_or_default()),
        url: text(&target["url"]),
        branch: text(&target["branchName"]),
        pull: text(&target["prUrl"]),
        summary: text(&agent["summary"]),
        run: None,
    })
}

/// How often a text was said to an agent.
pub(crate) async fn times_said(http: &Http, id: &str, prompt: &str) -> Result<usize, CursorError> {
    let said = conversation(http, id).await?;
    Ok(said.iter().filter(|message| message.from == Speaker::User && message.text.trim() == prompt.trim()).count())
}

/// How often an agent was told something.
pub(crate) async fn prompts(http: &Http, id: &str) -> Result<usize, CursorError> {
    let said = conversation(http, id).await?;
    Ok(said.iter().filter(|message| message.from == Speaker::User).count())
}

/// Says more, unless it was said since it had been said `before` times.
pub(crate) async fn follow_up_once(http: &Http, id: &str, prompt: &str, before: usize) -> Result<(), Failure> {
    if times_said(http, id, prompt).await? <= before {
        let body = json!({"prompt": {"text": prompt}});
        http.ok(&Call::post(format!("v0/agents/{id}/followup"), body, "the follow-up")).await?;
    }
    Ok(())
}

pub(crate) async fn conversation(http: &Http, id: &str) -> Result<Vec<Message>, CursorError> {
    let what = "the conversation";
    let found = http.ok(&Call::get(format!("v0/agents/{id}/conversation"), what)).await?;
    let messages = found["messages"].as_array().ok_or_else(|| Http::odd(what))?;
    Ok(messages
        .iter()
        .map(|message| Message {
            id: text(&message["id"]).unwrap_or_default(),
            from: if message["type"] == "user_message" { Speaker::User } else { Speaker::Assistant },
            text: message["text"].as_str().unwrap_or_default().to_owned(),
        })
        .collect())
}

pub(crate) async fn stop(http: &Http, id: &str) -> Result<(), CursorError> {
    let call = Call::post(format!("v0/agents/{id}/stop"), json!({}), AGENT).repeatable();
    match http.ok(&call).await {
        Ok(_) => Ok(()),
        // Only one that works can be stopped.
        Err(Failure::Undone(CursorError::Refused { .. })) if agent(http, id).await?.status.is_over() => Ok(()),
        Err(failure) => Err(failure.into()),
    }
}

pub(crate) async fn delete(http: &Http, id: &str) -> Result<(), CursorError> {
    http.ok(&Call::delete(format!("v0/agents/{id}"), AGENT)).await?;
    Ok(())
}

/// Both versions tell the same about a key.
pub(crate) async fn me(http: &Http, path: &str) -> Result<Account, CursorError> {
    let found = http.ok(&Call::get(path, "the key")).await?;
    let key_name = text(&found["apiKeyName"]).ok_or_else(|| Http::odd("the key"))?;
    Ok(Account { key_name, email: text(&found["userEmail"]) })
}

pub(crate) async fn models(http: &Http) -> Result<Vec<String>, CursorError> {
    let what = "the list of models";
    let found = http.ok(&Call::get("v0/models", what)).await?;
    let models = found["models"].as_array().ok_or_else(|| Http::odd(what))?;
    Ok(models.iter().filter_map(text).collect())
}

pub(crate) async fn repositories(http: &Http) -> Result<Vec<String>, CursorError> {
    let what = "the list of repositories";
    let found = http.ok(&Call::get("v0/repositories", what)).await?;
    let all = found["repositories"].as_array().ok_or_else(|| Http::odd(what))?;
    Ok(all.iter().filter_map(|one| repository(&one["repository"])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_the_same_however_it_is_written() {
        for other in
            ["https://github.com/o/r", "https://GitHub.com/o/r.git", "github.com/o/r/", "http://github.com/o/r"]
        {
            assert!(same_repository("https://github.com/o/r", other), "{other}");
        }
        assert!(!same_repository("https://github.com/o/r", "https://github.com/o/r2"));
    }
}
