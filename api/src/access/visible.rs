//! What a caller may see of lists that span projects.

use terarchitect_worker_api::ProjectId;
use uuid::Uuid;

/// The projects whose contents a caller may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visible {
    /// Every project.
    All,
    /// These alone.
    Only(Vec<ProjectId>),
}

impl Visible {
    /// As queries take it: `null` for every project. Sorted, so that callers who see the same are known to do.
    #[must_use]
    pub fn ids(&self) -> Option<Vec<Uuid>> {
        match self {
            Self::All => None,
            Self::Only(projects) => {
                let mut ids: Vec<_> = projects.iter().map(|id| id.0).collect();
                ids.sort_unstable();
                Some(ids)
            }
        }
    }

    /// Whether a project is among them.
    #[must_use]
    pub fn contains(&self, project: ProjectId) -> bool {
        match self {
            Self::All => true,
            Self::Only(projects) => projects.contains(&project),
        }
    }
}
