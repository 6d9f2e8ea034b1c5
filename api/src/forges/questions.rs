//! What is asked before something is an order, and what is said.

use super::Forges;
use super::reading::permission;
use crate::actions::forges::ask::{AskForge, ForgePlace, NoAnswer};
use crate::domain::forges::check_log::named;
use crate::domain::forges::{Account, CommentKind, Permission, conversation};
use async_trait::async_trait;
use terarchitect_forge::{Check, CheckState, ForgeError, Reaction, Remark, Thread, marked};

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

    async fn pull_of_branch(&self, place: &ForgePlace, branch: &str) -> Result<Option<String>, NoAnswer> {
        let found = self.connected(place).await?.forge.pull_of_branch(branch).await?;
        Ok(found.map(|pull| pull.url))
    }

    async fn threads(
        &self,
        place: &ForgePlace,
        pull: i64,
        comment: &str,
    ) -> Result<Vec<conversation::Thread>, NoAnswer> {
        self.threads_with(place, pull, comment).await
    }

    async fn check_log(
        &self,
        place: &ForgePlace,
        sha: &str,
        said: &str,
        bytes: usize,
    ) -> Result<Option<String>, NoAnswer> {
        let connected = self.connected(place).await?;
        let checks = connected.forge.checks(sha).await?;
        let failed = || checks.iter().filter(|check| check.state == CheckState::Failure && !check.ours);
        let name = named(said, failed().map(|check| check.name.as_str()));
        let Some(check) = failed().find(|check| Some(check.name.as_str()) == name) else { return Ok(None) };
        Ok(connected.forge.check_log_tail(check, bytes).await?)
    }

    async fn comment(&self, place: &ForgePlace, pull: i64, body: &str, key: &str) -> Result<(), NoAnswer> {
        Ok(self.connected(place).await?.forge.comment(pull, &marked(body, key)).await.map(drop)?)
    }

    async fn comment_issue(&self, place: &ForgePlace, issue: i64, body: &str, key: &str) -> Result<(), NoAnswer> {
        Ok(self.connected(place).await?.forge.comment_issue(issue, &marked(body, key)).await.map(drop)?)
    }

    async fn reply(
        &self,
        place: &ForgePlace,
        pull: i64,
        thread: &str,
        comments: &[&str],
        body: &str,
        key: &str,
    ) -> Result<bool, NoAnswer> {
        let connected = self.connected(place).await?;
        let threads = connected.forge.threads(pull).await?;
        // Where a thread is called after its first comment, it has another name once that is deleted.
        let has_one = |thread: &&Thread| thread.comments.iter().any(|said| comments.contains(&said.id.as_str()));
        let found = threads.iter().find(|found| found.id == thread).or_else(|| threads.iter().find(has_one));
        let Some(found) = found else { return Ok(false) };
        match connected.forge.reply(pull, found, &marked(body, key)).await {
            Ok(_) => Ok(true),
            // It was deleted in between.
            Err(ForgeError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn react(&self, place: &ForgePlace, pull: i64, kind: CommentKind, comment: &str) -> Result<(), NoAnswer> {
        let on = match kind {
            CommentKind::Line => Remark::Line(comment.to_owned()),
            CommentKind::General => Remark::Comment(comment.to_owned()),
            CommentKind::Review | CommentKind::Check | CommentKind::Conflict => Remark::Pull,
        };
        Ok(self.connected(place).await?.forge.react(pull, &on, Reaction::Eyes).await?)
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
