//! What is asked before something is an order, and what is said.

use super::Forges;
use super::reading::permission;
use crate::actions::forges::ask::{AskForge, ForgePlace, NoAnswer};
use crate::domain::forges::{Account, Permission};
use async_trait::async_trait;
use terarchitect_forge::{Check, CheckState, marked};

#[async_trait]
impl AskForge for Forges {
    async fn me(&self, place: &ForgePlace) -> Result<Account, NoAnswer> {
        Ok(self.connected(place).await?.me.clone())
    }

    async fn permission(&self, place: &ForgePlace, login: &str) -> Result<Permission, NoAnswer> {
        Ok(permission(self.connected(place).await?.forge.permission(login).await?))
    }

    async fn passes(&self, place: &ForgePlace, branch: &str) -> Result<Option<bool>, NoAnswer> {
        // Each forge takes a branch where it takes a commit, and means its head.
        Ok(passing(&self.connected(place).await?.forge.checks(branch).await?))
    }

    async fn comment(&self, place: &ForgePlace, pull: i64, body: &str, key: &str) -> Result<(), NoAnswer> {
        Ok(self.connected(place).await?.forge.comment(pull, &marked(body, key)).await.map(drop)?)
    }

    async fn comment_issue(&self, place: &ForgePlace, issue: i64, body: &str, key: &str) -> Result<(), NoAnswer> {
        Ok(self.connected(place).await?.forge.comment_issue(issue, &marked(body, key)).await.map(drop)?)
    }

    async fn delete_branch(&self, place: &ForgePlace, branch: &str) -> Result<(), NoAnswer> {
        Ok(self.connected(place).await?.forge.delete_branch(branch).await?)
    }
}

/// Whether these pass together; none where there are none, or one is not done. What this system posted says nothing.
fn passing(checks: &[Check]) -> Option<bool> {
    let theirs: Vec<_> = checks.iter().filter(|check| !check.ours).map(|check| check.state).collect();
    if theirs.contains(&CheckState::Failure) {
        return Some(false);
    }
    (!theirs.is_empty() && !theirs.contains(&CheckState::Pending)).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_is_enough_and_what_runs_says_nothing_yet() {
        let check = |name: &str, state| Check {
            id: String::new(),
            name: name.to_owned(),
            state,
            url: None,
            summary: None,
            ours: name == "ours",
            log: None,
        };
        let (good, bad, runs) = (CheckState::Success, CheckState::Failure, CheckState::Pending);
        assert_eq!(passing(&[]), None);
        assert_eq!(passing(&[check("a", good), check("b", CheckState::Neutral)]), Some(true));
        assert_eq!(passing(&[check("a", good), check("b", runs)]), None);
        assert_eq!(passing(&[check("a", runs), check("b", bad)]), Some(false));
        assert_eq!(passing(&[check("a", good), check("ours", bad)]), Some(true));
    }
}
