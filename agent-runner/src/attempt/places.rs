//! The directories of an attempt.

use super::AttemptError;
use crate::agent::users::{self, RunAs};
use crate::git;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Where an attempt works. Dropping it removes what is temporary.
pub(super) struct Places {
    /// The workspace.
    pub(super) workdir: PathBuf,
    /// The runner's own git directory, where the agent can't reach it.
    pub(super) git_dir: PathBuf,
    /// The agent's home, conversations and logs.
    pub(super) state_dir: PathBuf,
    _temporary: Vec<TempDir>,
}

impl Places {
    /// Creates the directories; those of the agent belong to `user`, where there is one. Without `workspace` the agent
    /// works in a temporary directory too.
    pub(super) fn make(workspace: Option<&Path>, user: Option<&RunAs>) -> Result<Self, AttemptError> {
        let private = temporary("terarchitect-git-")?;
        let state = temporary("terarchitect-agent-")?;
        let (git_dir, state_dir) = (private.path().join("repository.git"), state.path().to_owned());
        let mut all = vec![private, state];
        let workdir = match workspace {
            Some(dir) => {
                git::require_empty(dir)?;
                dir.canonicalize().map_err(io("could not use the workspace"))?
            }
            None => {
                let dir = temporary("terarchitect-work-")?;
                let path = dir.path().to_owned();
                all.push(dir);
                path
            }
        };
        if let Some(user) = user {
            for dir in [&workdir, &state_dir] {
                users::hand_over(dir, user).map_err(io("could not hand a directory over to the agent's user"))?;
            }
        }
        Ok(Self { workdir, git_dir, state_dir, _temporary: all })
    }
}

/// A directory that is removed with its value.
pub(super) fn temporary(prefix: &str) -> Result<TempDir, AttemptError> {
    tempfile::Builder::new().prefix(prefix).tempdir().map_err(io("could not create a temporary directory"))
}

fn io(attempted: &str) -> impl FnOnce(std::io::Error) -> AttemptError + use<> {
    let attempted = attempted.to_owned();
    move |source| AttemptError::Io { attempted, source }
}
