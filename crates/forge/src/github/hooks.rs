//! Webhooks at GitHub.

use super::{GitHub, read};
use crate::ForgeError;
use crate::http::Call;
use crate::types::{Hook, HookEvent};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

const HOOK: &str = "the webhook";

impl GitHub {
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
        let config = json!({"url": url, "content_type": "json", "secret": secret.expose_secret(), "insecure_ssl": "0"});
        let body = json!({"name": "web", "active": true, "events": names, "config": config});
        let call = match self.list_hooks().await?.into_iter().find(|hook| hook.url == url) {
            Some(there) => Call::patch(self.at(&format!("hooks/{}", there.id)), body),
            None => Call::post(self.at("hooks"), body),
        };
        hook(&self.http.ok(&call.about(HOOK)).await?.json()).ok_or_else(|| self.http.odd(HOOK))
    }
}

fn names(event: HookEvent) -> &'static [&'static str] {
    match event {
        HookEvent::Pull => &["pull_request"],
        HookEvent::Review => &["pull_request_review", "pull_request_review_comment", "pull_request_review_thread"],
        HookEvent::Comment => &["issue_comment"],
        HookEvent::Check => &["check_run", "check_suite", "status", "workflow_run", "workflow_job"],
        HookEvent::Push => &["push"],
        HookEvent::Issue => &["issues"],
        HookEvent::Deployment => &["deployment", "deployment_status"],
    }
}

fn hook(hook: &Value) -> Option<Hook> {
    let sent: Vec<&str> = hook["events"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let covers = |event: &HookEvent| sent.contains(&"*") || names(*event).iter().all(|name| sent.contains(name));
    Some(Hook {
        id: hook["id"].as_i64()?.to_string(),
        url: read::text(&hook["config"]["url"]),
        active: hook["active"] == true,
        events: HookEvent::ALL.into_iter().filter(covers).collect(),
    })
}
