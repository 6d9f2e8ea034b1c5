//! Checks of a commit: statuses, check runs and jobs of pipelines.

use serde::{Deserialize, Serialize};

/// What the contexts of Terarchitect's own statuses start with.
const OURS: &str = "terarchitect";

/// A check of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What the forge calls this result of it: another one after a re-run. A status's begins with `status-`, as it may
    /// have the number of a check run.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: CheckState,
    /// Where people read more.
    pub url: Option<String>,
    /// A sentence or more about it.
    pub summary: Option<String>,
    /// Whether Terarchitect posted it itself.
    pub ours: bool,
    /// What the forge finds its log by, where it has one.
    pub log: Option<String>,
}

impl Check {
    /// A check of this id and name, with nothing to read.
    pub(crate) fn new(id: String, name: &str, state: CheckState) -> Self {
        let ours = name.starts_with(OURS);
        Self { id, name: name.to_owned(), state, url: None, summary: None, ours, log: None }
    }
}

/// How a check stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// It waits or runs.
    Pending,
    /// It passed.
    Success,
    /// It failed.
    Failure,
    /// It was skipped, or has no verdict.
    Neutral,
}

/// A status to post on a commit.
#[derive(Clone, Debug)]
pub struct NewStatus {
    /// What it is about; a later one of the same context takes its place. Starts with `terarchitect`.
    pub context: String,
    /// How it stands.
    pub state: CheckState,
    /// A short sentence; what is longer than the forge accepts is cut.
    pub description: String,
    /// Where people read more.
    pub url: Option<String>,
}
