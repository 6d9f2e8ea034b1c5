//! An agent that works elsewhere starts from the remote's branch, and its changes are commits that it has pushed.

use super::remote::Connection;
use super::{Committed, GitError, Workspace, commit, fetch, fetched};
use git2::{Oid, Reference};
use tokio_util::sync::CancellationToken;

/// Everything that is new is fetched: the branch goes on from what is here, so that is little.
const WHOLE: i32 = 0;

impl Workspace {
    /// Pushes the branch even where there is nothing to show yet, and returns whether there was anything to push.
    ///
    /// # Errors
    /// See [`GitError`].
    pub fn publish(&mut self, cancel: &CancellationToken) -> Result<bool, GitError> {
        let head = self.head()?;
        if self.pushed == Some(head) {
            return Ok(false);
        }
        Connection { request: &self.request, cancel }.push(&self.repo, &self.request.branch, self.replaces)?;
        self.pushed = Some(head);
        self.replaces = None;
        self.restored = None;
        self.clear_shelf();
        Ok(true)
    }

    /// Takes over what the remote's branch `from` has beyond this one, into the workspace too. Returns none if that is
    /// nothing, or there is no such branch.
    ///
    /// # Errors
    /// See [`GitError`].
    pub fn take_over(&mut self, from: &str, cancel: &CancellationToken) -> Result<Option<Committed>, GitError> {
        let connection = Connection { request: &self.request, cancel };
        if !Reference::is_valid_name(&format!("refs/heads/{from}")) || !connection.heads(&self.repo)?.has(from) {
            return Ok(None);
        }
        fetch(&self.repo, &connection, &[from], WHOLE)?;
        let (old, new) = (self.head()?, fetched(&self.repo, from)?);
        let taken =
            self.move_to(old, new).map_err(|source| GitError::new("could not take over the commits", source))?;
        if taken.is_some() && from == self.request.branch {
            self.pushed = Some(new);
            self.replaces = None;
        }
        Ok(taken)
    }

    fn move_to(&mut self, old: Oid, new: Oid) -> Result<Option<Committed>, git2::Error> {
        if new == old || self.repo.graph_descendant_of(old, new)? {
            return Ok(None);
        }
        // Commits that the agent has rewritten are replaced where they were pushed, and others never are.
        if !self.repo.graph_descendant_of(new, old)? {
            self.replaces = self.pushed.filter(|pushed| *pushed == old);
        }
        let started = commit::seconds_now();
        // The checkout compares with the head as it was, so that what is gone is removed.
        self.held.check_out(&self.repo, new)?;
        self.repo.reference(&format!("refs/heads/{}", self.request.branch), new, true, "taken over")?;
        self.trusted_before = started;
        self.skipped.clear();
        let (change, id) = (self.change_between(old, new)?, new.to_string());
        Ok(Some(Committed { short_id: id[..8].to_owned(), id, before: old.to_string(), change }))
    }
}
