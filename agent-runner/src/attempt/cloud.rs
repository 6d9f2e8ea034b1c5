//! An agent that works in a cloud: it starts from the remote's branch, and its changes come from there.

use super::hooks::Hooks;
use super::{Attempt, AttemptError};
use crate::agent::{self, Agent, CursorOptions};
use crate::config::{ConfigError, CursorConfig};
use crate::git::{Committed, GitError, RemoteUrl, Workspace};
use std::sync::{Arc, Mutex, PoisonError};

/// The agent in Cursor's cloud.
pub(super) fn agent(attempt: &Attempt, cursor: &CursorConfig) -> Result<Box<dyn Agent>, AttemptError> {
    let remote = RemoteUrl::parse(&attempt.agent.repo_url)?;
    if !remote.is_http() {
        let text = "WORKER_MODE=cursor works on repositories at forges alone, and this job's is on this machine; set \
                    WORKER_MODE to opencode for it";
        return Err(ConfigError::one(text).into());
    }
    Ok(agent::in_cursors_cloud(CursorOptions {
        api: cursor.api.clone(),
        key: cursor.key.clone(),
        version: cursor.version,
        model: cursor.model.clone(),
        repository: remote.as_str().to_owned(),
        branch: attempt.branch(),
        job: attempt.config.job,
        turn_timeout: attempt.agent.turn_timeout,
        look: cursor.look,
        progress: Arc::new(attempt.live.clone()),
    })?)
}

/// Takes over what the agent has pushed to this branch of the remote, if that is anything.
pub(super) async fn take_over(
    attempt: &Attempt,
    workspace: Workspace,
    from: &str,
) -> (Option<Workspace>, Result<Option<Committed>, AttemptError>) {
    let workspace = Arc::new(Mutex::new(workspace));
    let take_once = || {
        let (workspace, from, cancel) = (workspace.clone(), from.to_owned(), attempt.cancel.clone());
        // A task before this one that panicked left nothing half done that this one does not do again.
        let taking = tokio::task::spawn_blocking(move || {
            workspace.lock().unwrap_or_else(PoisonError::into_inner).take_over(&from, &cancel)
        });
        async move {
            let taken: Result<Option<Committed>, GitError> = taking
                .await
                .map_err(|error| AttemptError::Internal(format!("the task that fetches failed: {error}")))?;
            Ok(taken?)
        }
    };
    let taken = attempt.patiently(false, take_once).await;
    let workspace = Arc::into_inner(workspace).map(|lock| lock.into_inner().unwrap_or_else(PoisonError::into_inner));
    (workspace, taken)
}

impl Attempt {
    /// The ticket's branch.
    pub(super) fn branch(&self) -> String {
        format!("ticket-{}", self.config.ticket)
    }

    /// An agent elsewhere does not see a merge that is not committed: work goes on without the base's changes.
    pub(super) fn leave_conflicts(&self, files: &[String], hooks: &mut Hooks<'_>) -> Result<(), AttemptError> {
        let text = format!(
            "An agent in a cloud can't be given the conflicts in {}; work goes on without the base's changes, and the pull \
             request will show the conflicts",
            files.join(", ")
        );
        self.reporter.log("conflict", &text, None);
        hooks.give_up_merge()
    }
}
