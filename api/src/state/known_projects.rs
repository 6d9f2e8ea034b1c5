//! Which projects are known to exist, so that claims for one that does not can be refused at next to no cost.

use crate::changes::Database;
use crate::db;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use terarchitect_worker_api::ProjectId;

/// The most projects that are remembered.
const MAX_KNOWN: usize = 10_000;

/// Projects that existed when they were last checked. A project that is deleted stays here until the next check, so
/// this only says whether a check may wait.
#[derive(Debug, Default)]
pub struct KnownProjects {
    known: Mutex<HashSet<ProjectId>>,
}

impl KnownProjects {
    /// Whether at least one of these projects existed at an earlier check.
    #[must_use]
    pub fn has_seen(&self, projects: &[ProjectId]) -> bool {
        let known = self.lock();
        projects.iter().any(|project| known.contains(project))
    }

    /// Whether at least one of these projects exists now.
    ///
    /// # Errors
    /// When the database is not available.
    pub async fn check(&self, database: &Database, projects: &[ProjectId]) -> sqlx::Result<bool> {
        let mut conn = database.read().await?;
        let exists = db::projects::any_exists(&mut conn, projects).await?;
        let mut known = self.lock();
        if known.len() > MAX_KNOWN {
            known.clear();
        }
        if !exists {
            known.retain(|project| !projects.contains(project));
        } else if let [project] = projects {
            // Of several it is not known which of them exists.
            known.insert(*project);
        }
        Ok(exists)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<ProjectId>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
