//! Repositories of the catalogue: each is a project.

use crate::domain::refusal::Refusal;
use crate::domain::{present, text};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// The branch that work begins on where nothing else is said.
pub const DEFAULT_BRANCH: &str = "main";

/// What a repository of the catalogue has beside its project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoFields {
    /// Who works on its orders that name no agent.
    pub agent_id: Option<Uuid>,
    /// The branch that work begins on.
    pub default_branch: String,
    /// Whether its agents send their events here.
    pub hooks_installed: bool,
}

impl Default for RepoFields {
    fn default() -> Self {
        Self { agent_id: None, default_branch: DEFAULT_BRANCH.to_owned(), hooks_installed: false }
    }
}

/// A new repository, or changes to one; absent fields stay as they are.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = RepoBody)]
pub struct RepoChanges {
    /// The repository's address; required for a new one.
    pub repo_url: Option<String>,
    /// What people call its project; made of the address if absent.
    pub name: Option<String>,
    /// Who works on its orders that name no agent.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Uuid>)]
    pub agent_id: Option<Option<Uuid>>,
    /// The branch that work begins on; `main` if absent.
    pub default_branch: Option<String>,
    /// Whether its agents send their events here.
    pub hooks_installed: Option<bool>,
}

impl RepoChanges {
    /// The fields after these changes.
    ///
    /// # Errors
    /// When a field is not valid.
    pub fn over(&self, now: RepoFields) -> Result<RepoFields, Refusal> {
        Ok(RepoFields {
            agent_id: self.agent_id.unwrap_or(now.agent_id),
            default_branch: self.default_branch.as_deref().map_or(Ok(now.default_branch), branch)?,
            hooks_installed: self.hooks_installed.unwrap_or(now.hooks_installed),
        })
    }
}

/// The name of a branch, as Git would take it.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn branch(name: &str) -> Result<String, Refusal> {
    let name = text::title("branch", name)?;
    let wrong = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c);
    if name.contains(wrong) || name.contains("..") || name.starts_with(['-', '/']) || name.ends_with(['/', '.']) {
        return Err(Refusal::invalid(format!("'{name}' is not a name that Git allows for a branch.")));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_what_git_takes() {
        for good in ["main", "feature/a-1", "release-2.0"] {
            assert_eq!(branch(good).unwrap(), good);
        }
        for bad in ["", "a b", "a..b", "-a", "/a", "a/", "a~1", "a:b", "a\\b"] {
            assert!(branch(bad).is_err(), "{bad}");
        }
    }
}
