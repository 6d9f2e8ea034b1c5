//! Webhooks at GitLab.

use super::{GitLab, read};
use crate::ForgeError;
use crate::http::Call;
use crate::types::{Hook, HookEvent};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

const HOOK: &str = "the webhook";
/// What a secret starts with that signs what is sent.
const SIGNS: &str = "whsec_";

impl GitLab {
    pub(super) async fn list_hooks(&self) -> Result<Vec<Hook>, ForgeError> {
        Ok(self.list(self.at("hooks"), HOOK).await?.iter().filter_map(hook).collect())
    }

    pub(super) async fn put_hook(
        &self,
        url: &str,
        secret: &SecretString,
        events: &[HookEvent],
    ) -> Result<Hook, ForgeError> {
        let secret = secret.expose_secret();
        let mut body = json!({"url": url, "enable_ssl_verification": true});
        body[if secret.starts_with(SIGNS) { "signing_token" } else { "token" }] = json!(secret);
        // What is not named stays, or has a default of its own.
        for flag in HookEvent::ALL.into_iter().flat_map(flags) {
            body[*flag] = json!(events.iter().any(|event| flags(*event).contains(flag)));
        }
        let call = match self.list_hooks().await?.into_iter().find(|hook| hook.url == url) {
            Some(there) => Call::put(self.at(&format!("hooks/{}", there.id)), body),
            None => Call::post(self.at("hooks"), body),
        };
        hook(&self.http.ok(&call.about(HOOK)).await?.json()).ok_or_else(|| self.http.odd(HOOK))
    }
}

fn flags(event: HookEvent) -> &'static [&'static str] {
    match event {
        HookEvent::Pull => &["merge_requests_events"],
        // An approval is an event of the merge request.
        HookEvent::Review => &["merge_requests_events", "note_events"],
        HookEvent::Comment => &["note_events"],
        HookEvent::Check => &["pipeline_events", "job_events"],
        HookEvent::Push => &["push_events"],
        HookEvent::Issue => &["issues_events"],
        HookEvent::Deployment => &["deployment_events"],
    }
}

fn hook(hook: &Value) -> Option<Hook> {
    let sends = |event: &HookEvent| flags(*event).iter().all(|flag| hook[*flag] == true);
    Some(Hook {
        id: hook["id"].as_i64()?.to_string(),
        url: read::text(&hook["url"]),
        // It is switched off after many failures.
        active: hook["alert_status"].as_str().is_none_or(|status| status == "executable"),
        events: HookEvent::ALL.into_iter().filter(sends).collect(),
    })
}
