//! The agents and their runs, which both versions show.

use chrono::{DateTime, Utc};

/// An agent. One of v0 is an agent of v1 with its prompts as runs.
#[derive(Clone, Debug)]
pub struct CloudAgent {
    /// `bc_…` (v0) or `bc-<uuid>` (v1).
    pub id: String,
    /// What lists call it.
    pub name: String,
    /// The repository, as it was given.
    pub repository: String,
    /// The branch, tag or commit that it started from.
    pub start: Option<String>,
    /// The branch of its work.
    pub branch: String,
    /// Whether it opens a pull request by itself.
    pub opens_pull: bool,
    /// The model that was asked for.
    pub model: Option<String>,
    /// The address of its webhook.
    pub webhook: Option<String>,
    /// What the webhook signs with.
    pub webhook_secret: Option<String>,
    /// Its prompts and what came of them, the oldest first.
    pub runs: Vec<Run>,
    /// When it was launched.
    pub created_at: DateTime<Utc>,
}

/// One prompt, and what came of it.
#[derive(Clone, Debug)]
pub struct Run {
    /// `run-<uuid>`.
    pub id: String,
    /// What was asked.
    pub prompt: String,
    /// `CREATING`, `RUNNING`, or how it ended.
    pub status: String,
    /// What the agent said at the end.
    pub summary: Option<String>,
    /// Its pull request.
    pub pull: Option<String>,
    /// Whether it has pushed its branch.
    pub pushed: bool,
}

/// How an agent's work ends.
#[derive(Clone, Debug)]
pub struct End {
    /// `FINISHED`, `ERROR` or `EXPIRED`.
    pub status: &'static str,
    /// What it says about it.
    pub summary: Option<String>,
    /// The address of its pull request.
    pub pull: Option<String>,
}

impl End {
    /// It has done its work, and opened this pull request.
    #[must_use]
    pub fn finished(summary: &str, pull: Option<&str>) -> Self {
        Self { status: "FINISHED", summary: Some(summary.to_owned()), pull: pull.map(str::to_owned) }
    }

    /// It failed.
    #[must_use]
    pub fn error(summary: &str) -> Self {
        Self { status: "ERROR", summary: Some(summary.to_owned()), pull: None }
    }

    /// Cursor ended it.
    #[must_use]
    pub fn expired() -> Self {
        Self { status: "EXPIRED", summary: None, pull: None }
    }
}

impl CloudAgent {
    /// Its latest run.
    ///
    /// # Panics
    /// Never: an agent is launched with one.
    #[must_use]
    pub fn latest(&self) -> &Run {
        self.runs.last().expect("an agent is launched with a run")
    }

    /// Whether it works at this moment.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self.latest().status.as_str(), "CREATING" | "RUNNING")
    }
}

/// What the cloud knows.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) agents: Vec<CloudAgent>,
    /// How often repositories were listed, which is limited.
    pub(super) lists_of_repositories: u32,
}

impl Model {
    pub(super) fn agent(&self, id: &str) -> Option<&CloudAgent> {
        self.agents.iter().find(|agent| agent.id == id)
    }

    fn latest(&mut self, id: &str) -> Option<&mut Run> {
        self.agents.iter_mut().find(|agent| agent.id == id)?.runs.last_mut()
    }

    pub(super) fn set_status(&mut self, id: &str, status: &str) {
        if let Some(run) = self.latest(id) {
            status.clone_into(&mut run.status);
        }
    }

    pub(super) fn end(&mut self, id: &str, end: &End) {
        if let Some(run) = self.latest(id) {
            end.status.clone_into(&mut run.status);
            run.summary.clone_from(&end.summary);
            run.pull.clone_from(&end.pull);
            run.pushed = end.status == "FINISHED";
        }
    }

    /// A new run of an agent; false if there is none.
    pub(super) fn prompt(&mut self, id: &str, prompt: &str) -> bool {
        let Some(agent) = self.agents.iter_mut().find(|agent| agent.id == id) else { return false };
        agent.runs.push(new_run(prompt));
        true
    }

    /// A page of the agents, the newest first: how many, and after which one. The second is where the next page begins.
    pub(super) fn page(&self, limit: &str, after: &str) -> (Vec<CloudAgent>, Option<String>) {
        let limit = limit.parse().unwrap_or(20).clamp(1, 100);
        let mut newest = self.agents.iter().rev().skip_while(|agent| !after.is_empty() && agent.id != after);
        if !after.is_empty() {
            newest.next();
        }
        let page: Vec<CloudAgent> = newest.by_ref().take(limit).cloned().collect();
        let next = newest.next().and(page.last()).map(|last| last.id.clone());
        (page, next)
    }
}

/// A run that has just been asked for.
pub(super) fn new_run(prompt: &str) -> Run {
    Run {
        id: format!("run-{}", uuid::Uuid::new_v4()),
        prompt: prompt.to_owned(),
        status: "CREATING".to_owned(),
        summary: None,
        pull: None,
        pushed: false,
    }
}
