//! Checks at Gitea: commit statuses. It has no check runs.

use super::{Gitea, PER_PAGE};
use crate::ForgeError;
use crate::github::checks::of_status;
use crate::http::{Call, segment};
use crate::types::{Check, CheckState, NewStatus};
use serde_json::json;

impl Gitea {
    pub(super) async fn checks_of(&self, sha: &str) -> Result<Vec<Check>, ForgeError> {
        let path = self.at(&format!("commits/{}/status", segment(sha)));
        let call = Call::get(path).query("limit", PER_PAGE).about("the checks");
        let statuses = self.http.pages(&call, Some("statuses")).await?;
        Ok(statuses.iter().filter_map(|status| of_status(status, "status")).collect())
    }

    pub(super) async fn post_status(&self, sha: &str, status: &NewStatus) -> Result<(), ForgeError> {
        // A state that it does not know is stored all the same, so only its oldest ones are sent.
        let state = match status.state {
            CheckState::Pending => "pending",
            CheckState::Success | CheckState::Neutral => "success",
            CheckState::Failure => "failure",
        };
        let mut body = json!({"context": status.context, "state": state, "description": status.description});
        if let Some(url) = &status.url {
            body["target_url"] = json!(url);
        }
        // The last one of a context counts, so a repeat is harmless.
        let call = Call::post(self.at(&format!("statuses/{}", segment(sha))), body).about("the status");
        self.http.ok(&call).await.map(drop)
    }
}
