//! Webhooks at Gitea. Names of events that a version does not know are dropped in silence.

use super::Gitea;
use crate::ForgeError;
use crate::github::read;
use crate::http::Call;
use crate::types::{Hook, HookEvent};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

const HOOK: &str = "the webhook";

impl Gitea {
    pub(super) async fn list_hooks(&self) -> Result<Vec<Hook>, ForgeError> {
        Ok(self.list("hooks", HOOK).await?.iter().filter_map(hook).collect())
    }

    pub(super) async fn put_hook(
        &self,
        url: &str,
        secret: &SecretString,
        events: &[HookEvent],
    ) -> Result<Hook, ForgeError> {
        let names: Vec<&str> = events.iter().flat_map(|event| names(*event)).copied().collect();
        let config = json!({"url": url, "content_type": "json", "secret": secret.expose_secret()});
        let mut body = json!({"active": true, "events": names, "config": config});
        let call = match self.list_hooks().await?.into_iter().find(|hook| hook.url == url) {
            Some(there) => Call::patch(self.at(&format!("hooks/{}", there.id)), body),
            None => {
                body["type"] = json!("gitea");
                Call::post(self.at("hooks"), body)
            }
        };
        hook(&self.http.ok(&call.about(HOOK)).await?.json()).ok_or_else(|| self.http.odd(HOOK))
    }
}

fn names(event: HookEvent) -> &'static [&'static str] {
    match event {
        HookEvent::Pull => &["pull_request", "pull_request_sync"],
        HookEvent::Review => &[
            "pull_request_review",
            "pull_request_review_approved",
            "pull_request_review_rejected",
            "pull_request_review_comment",
        ],
        HookEvent::Comment => &["issue_comment", "pull_request_comment"],
        HookEvent::Check => &["status", "workflow_run", "workflow_job"],
        HookEvent::Push => &["push"],
        HookEvent::Issue => &["issues", "issue_label"],
        HookEvent::Deployment => &[],
    }
}

/// The name by which a webhook shows that it sends a kind of event, in every version that can send it.
fn sign(event: HookEvent) -> Option<&'static str> {
    match event {
        HookEvent::Pull => Some("pull_request"),
        HookEvent::Review => Some("pull_request_review_rejected"),
        HookEvent::Comment => Some("issue_comment"),
        HookEvent::Check => Some("status"),
        HookEvent::Push => Some("push"),
        HookEvent::Issue => Some("issues"),
        HookEvent::Deployment => None,
    }
}

fn hook(hook: &Value) -> Option<Hook> {
    let sent: Vec<&str> = hook["events"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    // The group's own name stands for all of its members at creation.
    let is_sent =
        |name: &str| sent.contains(&name) || (name.contains("_review_") && sent.contains(&"pull_request_review"));
    Some(Hook {
        id: hook["id"].as_i64()?.to_string(),
        url: read::text(&hook["config"]["url"]),
        active: hook["active"] == true,
        events: HookEvent::ALL.into_iter().filter(|event| sign(*event).is_some_and(is_sent)).collect(),
    })
}
