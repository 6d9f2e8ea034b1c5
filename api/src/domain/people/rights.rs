//! What a caller may do, and where: decided from roles alone.

use super::{ProjectRole, Role};
use crate::domain::refusal::{ErrorCode, Refusal};
use std::collections::BTreeMap;
use terarchitect_worker_api::ProjectId;

/// A role everywhere, and roles in single projects, which replace it there. An admin is one everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Everywhere.
    pub role: Role,
    /// In single projects.
    pub projects: BTreeMap<ProjectId, ProjectRole>,
}

impl Rights {
    /// The same role everywhere.
    #[must_use]
    pub fn everywhere(role: Role) -> Self {
        Self { role, projects: BTreeMap::new() }
    }

    /// A role in one project, and none elsewhere.
    #[must_use]
    pub fn only_in(project: ProjectId, role: ProjectRole) -> Self {
        Self { role: Role::None, projects: BTreeMap::from([(project, role)]) }
    }

    /// The role in a project.
    #[must_use]
    pub fn role_in(&self, project: ProjectId) -> Role {
        match self.projects.get(&project) {
            Some(role) if self.role != Role::Admin => (*role).into(),
            _ => self.role,
        }
    }

    /// The projects that can be seen; none: all of them.
    #[must_use]
    pub fn visible(&self) -> Option<Vec<ProjectId>> {
        (self.role == Role::None).then(|| self.projects.keys().copied().collect())
    }

    /// What is left of these where others limit them: nobody's token can do more than its owner.
    #[must_use]
    pub fn capped_at(&self, limit: &Self) -> Self {
        let role = self.role.capped_at(limit.role);
        let named = self.projects.keys().chain(limit.projects.keys());
        let capped = |project: &ProjectId| {
            let role = self.role_in(*project).capped_at(limit.role_in(*project));
            Some((
                *project,
                match role {
                    Role::None => return None,
                    Role::Viewer => ProjectRole::Viewer,
                    Role::Member | Role::Admin => ProjectRole::Member,
                },
            ))
        };
        let projects = if role == Role::Admin { BTreeMap::new() } else { named.filter_map(capped).collect() };
        Self { role, projects }
    }

    /// Refuses what needs a higher role, where no project is concerned. Reading lists needs none: they contain what the
    /// caller may see.
    ///
    /// # Errors
    /// Names the role that is needed.
    pub fn require(&self, needed: Role) -> Result<(), Refusal> {
        if needed == Role::Viewer || self.role.includes(needed) { Ok(()) } else { Err(not_allowed(needed)) }
    }

    /// Refuses what needs a higher role in this project. A project that can't be seen is one that does not exist.
    ///
    /// # Errors
    /// Names the role that is needed.
    pub fn require_in(&self, project: ProjectId, needed: Role) -> Result<(), Refusal> {
        match self.role_in(project) {
            Role::None => Err(Refusal::not_found("project", project)),
            role if role.includes(needed) => Ok(()),
            _ => Err(not_allowed(needed)),
        }
    }
}

/// The refusal of a caller who is known, but has no role that is high enough.
#[must_use]
pub fn not_allowed(needed: Role) -> Refusal {
    let sentence = match needed {
        Role::Admin => "Only admins may do this; ask one to do it, or to give you the role admin.".to_owned(),
        needed => format!("This needs the role {}; ask an admin for it.", needed.as_str()),
    };
    Refusal::new(ErrorCode::NotAllowed, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_in_a_project_replaces_the_global_one_there() {
        let (own, other) = (ProjectId::new(), ProjectId::new());
        let rights = Rights { role: Role::Member, projects: BTreeMap::from([(own, ProjectRole::Viewer)]) };
        assert_eq!((rights.role_in(own), rights.role_in(other)), (Role::Viewer, Role::Member));
        assert_eq!(rights.visible(), None);
        let only = Rights::only_in(own, ProjectRole::Member);
        assert_eq!((only.role_in(own), only.role_in(other)), (Role::Member, Role::None));
        assert_eq!(only.visible(), Some(vec![own]));
        let admin = Rights { role: Role::Admin, projects: BTreeMap::from([(own, ProjectRole::Viewer)]) };
        assert_eq!(admin.role_in(own), Role::Admin);
    }

    #[test]
    fn what_cannot_be_seen_does_not_exist_and_what_can_be_seen_names_the_role() {
        let (own, other) = (ProjectId::new(), ProjectId::new());
        let rights = Rights::only_in(own, ProjectRole::Viewer);
        assert_eq!(rights.require_in(other, Role::Viewer).unwrap_err().code, ErrorCode::NotFound);
        assert!(rights.require_in(own, Role::Viewer).is_ok() && rights.require(Role::Viewer).is_ok());
        let refused = rights.require_in(own, Role::Member).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NotAllowed);
        assert!(refused.message.contains("role member"));
        assert!(rights.require(Role::Member).is_err() && rights.require(Role::Admin).is_err());
    }

    #[test]
    fn a_token_is_never_more_than_its_owner() {
        let (own, other) = (ProjectId::new(), ProjectId::new());
        let owner = Rights::only_in(own, ProjectRole::Viewer);
        let everywhere = Rights::everywhere(Role::Member).capped_at(&owner);
        assert_eq!(everywhere, owner);
        assert_eq!(Rights::only_in(other, ProjectRole::Member).capped_at(&owner), Rights::everywhere(Role::None));
        let admin = Rights::everywhere(Role::Admin);
        assert_eq!(Rights::everywhere(Role::Viewer).capped_at(&admin), Rights::everywhere(Role::Viewer));
        assert_eq!(admin.capped_at(&Rights::everywhere(Role::Member)), Rights::everywhere(Role::Member));
    }
}
