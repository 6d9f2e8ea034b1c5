//! Checks at GitLab: jobs of pipelines and statuses of others, in one list.

use super::{GitLab, read};
use crate::ForgeError;
use crate::http::{Call, last, segment};
use crate::types::{Check, CheckState, NewStatus};
use reqwest::StatusCode;
use serde_json::{Value, json};

const STATUS: &str = "the status";
const LOG: &str = "the log";
/// The longest description of a status, in characters.
const MAX_DESCRIPTION_CHARS: usize = 255;

impl GitLab {
    pub(super) async fn checks_of(&self, sha: &str) -> Result<Vec<Check>, ForgeError> {
        let path = self.at(&format!("repository/commits/{}/statuses", segment(sha)));
        Ok(self.list(path, "the checks").await?.iter().filter_map(check).collect())
    }

    pub(super) async fn log_tail(&self, check: &Check, bytes: usize) -> Result<Option<String>, ForgeError> {
        let Some(job) = &check.log else { return Ok(None) };
        let path = self.at(&format!("jobs/{}/trace", segment(job)));
        let reply = self.http.send(&Call::get(path).about(LOG)).await?;
        match reply.status {
            status if status.is_success() => Ok(Some(last(&reply.text, bytes).to_owned())),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.http.refusal(LOG, &reply)),
        }
    }

    pub(super) async fn post_status(&self, sha: &str, status: &NewStatus) -> Result<(), ForgeError> {
        let state = match status.state {
            CheckState::Pending => "pending",
            CheckState::Success => "success",
            CheckState::Failure => "failed",
            CheckState::Neutral => "skipped",
        };
        let description: String = status.description.chars().take(MAX_DESCRIPTION_CHARS).collect();
        let mut body = json!({"name": status.context, "state": state, "description": description});
        if let Some(url) = &status.url {
            body["target_url"] = json!(url);
        }
        let call = Call::post(self.at(&format!("statuses/{}", segment(sha))), body).about(STATUS);
        let reply = self.http.send(&call).await?;
        // The same state once more is refused.
        if reply.status.is_success() || self.http.words(&reply).contains("Cannot transition status") {
            return Ok(());
        }
        Err(self.http.refusal(STATUS, &reply))
    }
}

fn check(status: &Value) -> Option<Check> {
    let state = match status["status"].as_str().unwrap_or_default() {
        "success" => CheckState::Success,
        "failed" if status["allow_failure"] == true => CheckState::Neutral,
        "failed" => CheckState::Failure,
        "skipped" | "manual" | "canceled" | "canceling" => CheckState::Neutral,
        _ => CheckState::Pending,
    };
    let mut check = Check::new(read::id(&status["id"]), status["name"].as_str()?, state);
    check.url = read::some_text(&status["target_url"]);
    check.summary = read::some_text(&status["description"]);
    // A job of GitLab's own has a page, and its id is the status's; those of others have no log.
    let is_job = check.url.as_deref().is_some_and(|url| url.contains("/-/jobs/"));
    check.log = is_job.then(|| read::id(&status["id"]));
    Some(check)
}
