//! Checks at GitHub: check runs, commit statuses, and the logs of Actions.

use super::{GitHub, PER_PAGE, read};
use crate::ForgeError;
use crate::http::{Call, last, segment};
use crate::types::{Check, CheckState, NewStatus};
use reqwest::StatusCode;
use serde_json::{Value, json};

const CHECKS: &str = "the checks";
const STATUS: &str = "the status";
const LOG: &str = "the log";
/// The longest description of a status, in characters.
const MAX_DESCRIPTION_CHARS: usize = 140;

impl GitHub {
    pub(super) async fn checks_of(&self, sha: &str) -> Result<Vec<Check>, ForgeError> {
        let at = |rest: &str| {
            let path = self.at(&format!("commits/{}/{rest}", segment(sha)));
            Call::get(path).query("per_page", PER_PAGE).about(CHECKS)
        };
        let runs = self.http.pages(&at("check-runs").query("filter", "latest"), Some("check_runs")).await?;
        let statuses = self.http.pages(&at("status"), Some("statuses")).await?;
        let of_statuses = statuses.iter().filter_map(|status| of_status(status, "state"));
        Ok(runs.iter().filter_map(of_run).chain(of_statuses).collect())
    }

    pub(super) async fn log_tail(&self, check: &Check, bytes: usize) -> Result<Option<String>, ForgeError> {
        let Some(job) = &check.log else { return Ok(None) };
        let path = self.at(&format!("actions/jobs/{}/logs", segment(job)));
        let reply = self.http.send(&Call::get(path).about(LOG)).await?;
        if reply.status.is_success() {
            return Ok(Some(last(&reply.text, bytes).to_owned()));
        }
        if reply.status.is_redirection()
            && let Some(url) = reply.header("location").and_then(|address| address.parse().ok())
        {
            // Logs are stored elsewhere, at an address that is a permission in itself.
            return self.http.tail_elsewhere(url, bytes).await.map(Some);
        }
        // Check runs of other programs have no job, and old logs are deleted.
        if matches!(reply.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Ok(None);
        }
        Err(self.http.refusal(LOG, &reply))
    }

    pub(super) async fn post_status(&self, sha: &str, status: &NewStatus) -> Result<(), ForgeError> {
        let state = match status.state {
            CheckState::Pending => "pending",
            CheckState::Success | CheckState::Neutral => "success",
            CheckState::Failure => "failure",
        };
        let description: String = status.description.chars().take(MAX_DESCRIPTION_CHARS).collect();
        let mut body = json!({"context": status.context, "state": state, "description": description});
        if let Some(url) = &status.url {
            body["target_url"] = json!(url);
        }
        // The last one of a context counts, so a repeat is harmless.
        let call = Call::post(self.at(&format!("statuses/{}", segment(sha))), body).about(STATUS);
        self.http.ok(&call).await.map(drop)
    }
}

fn of_run(run: &Value) -> Option<Check> {
    let state = match (run["status"].as_str(), run["conclusion"].as_str()) {
        (_, Some("success")) => CheckState::Success,
        (_, Some("neutral" | "skipped" | "stale" | "cancelled")) => CheckState::Neutral,
        // It waits for a person.
        (_, Some("action_required")) => CheckState::Pending,
        (_, Some(_)) => CheckState::Failure,
        (_, None) => CheckState::Pending,
    };
    let output = &run["output"];
    let summary: Vec<String> = ["title", "summary"].iter().filter_map(|key| read::some_text(&output[*key])).collect();
    let mut check = Check::new(read::id(&run["id"]), run["name"].as_str()?, state);
    check.url = read::some_text(&run["html_url"]).or_else(|| read::some_text(&run["details_url"]));
    check.summary = (!summary.is_empty()).then(|| summary.join("\n\n"));
    // A job of Actions has the id of its check run.
    check.log = (run["app"]["slug"] == "github-actions").then(|| read::id(&run["id"]));
    Some(check)
}

/// A commit status, whose state is in the field `state`.
pub(crate) fn of_status(status: &Value, field: &str) -> Option<Check> {
    let state = match status[field].as_str().unwrap_or_default() {
        "success" => CheckState::Success,
        "pending" => CheckState::Pending,
        "failure" | "error" => CheckState::Failure,
        // Gitea's and Forgejo's `warning` and `skipped`.
        _ => CheckState::Neutral,
    };
    let mut check = Check::new(format!("status-{}", read::id(&status["id"])), status["context"].as_str()?, state);
    check.url = read::some_text(&status["target_url"]);
    check.summary = read::some_text(&status["description"]);
    Some(check)
}
