//! Checks of commits, issues and webhooks.

use super::{Check, Hook, Issue, IssueAction, Refusal, State, What};

/// What a ref without a commit has in its place.
pub(super) const NOTHING: &str = "0000000000000000000000000000000000000000";

impl State {
    /// Posts a check. A status takes the place of an earlier one of its name, a job's state changes.
    pub(in crate::forge) fn check(&mut self, at: usize, check: Check) -> Result<Check, Refusal> {
        if !self.bare(at).has_commit(&check.sha) {
            return Err(Refusal::NotFound);
        }
        let (id, created_at) = self.stamp();
        let checks = &mut self.repos[at].checks;
        let is_job = check.log.is_some();
        let same =
            |known: &&mut Check| known.sha == check.sha && known.name == check.name && known.log.is_some() == is_job;
        let (id, posted) = match checks.iter_mut().find(same) {
            Some(known) => {
                // A job keeps its id; a status is a new one.
                let id = if is_job { known.id } else { id };
                *known = Check { id, created_at, ..check };
                (id, known.clone())
            }
            None => {
                checks.push(Check { id, created_at, ..check });
                (id, checks[checks.len() - 1].clone())
            }
        };
        self.tell(at, posted.author, What::Check { id });
        Ok(posted)
    }

    /// The latest checks of a commit.
    pub(in crate::forge) fn checks_of(&self, at: usize, sha: &str) -> Vec<&Check> {
        self.repos[at].checks.iter().filter(|check| check.sha == sha).collect()
    }

    /// The commit of a ref: a branch, or a commit.
    pub(in crate::forge) fn commit_of(&self, at: usize, name: &str) -> Result<String, Refusal> {
        let bare = self.bare(at);
        if let Some(sha) = bare.branches().get(name.trim_start_matches("heads/")) {
            return Ok(sha.clone());
        }
        if bare.has_commit(name) { Ok(name.to_owned()) } else { Err(Refusal::NotFound) }
    }

    pub(in crate::forge) fn open_issue(
        &mut self,
        at: usize,
        who: u64,
        title: &str,
        body: &str,
        labels: &[&str],
    ) -> Issue {
        let ((id, now), number) = (self.stamp(), self.next_number(at));
        let issue = Issue {
            id,
            number,
            title: title.to_owned(),
            body: body.to_owned(),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            open: true,
            author: who,
            created_at: now,
            updated_at: now,
            ..Issue::default()
        };
        self.repos[at].issues.push(issue.clone());
        self.tell(at, who, What::Issue { number, action: IssueAction::Opened });
        for label in labels {
            self.tell(at, who, What::Issue { number, action: IssueAction::Labelled((*label).to_owned()) });
        }
        issue
    }

    pub(in crate::forge) fn label_issue(
        &mut self,
        at: usize,
        who: u64,
        number: u64,
        label: &str,
    ) -> Result<(), Refusal> {
        let (_, now) = self.stamp();
        let issue = self.issue_mut(at, number)?;
        issue.labels.push(label.to_owned());
        issue.updated_at = now;
        self.tell(at, who, What::Issue { number, action: IssueAction::Labelled(label.to_owned()) });
        Ok(())
    }

    pub(in crate::forge) fn close_issue(&mut self, at: usize, who: u64, number: u64) -> Result<(), Refusal> {
        let (_, now) = self.stamp();
        let issue = self.issue_mut(at, number)?;
        (issue.open, issue.updated_at) = (false, now);
        self.tell(at, who, What::Issue { number, action: IssueAction::Closed });
        Ok(())
    }

    fn issue_mut(&mut self, at: usize, number: u64) -> Result<&mut Issue, Refusal> {
        self.repos[at].issues.iter_mut().find(|issue| issue.number == number).ok_or(Refusal::NotFound)
    }

    /// Makes a webhook, or changes the one of this id.
    pub(in crate::forge) fn put_hook(&mut self, at: usize, id: Option<u64>, hook: Hook) -> Result<Hook, Refusal> {
        let (new, created_at) = self.stamp();
        let hooks = &mut self.repos[at].hooks;
        let Some(id) = id else {
            hooks.push(Hook { id: new, created_at, ..hook });
            return Ok(hooks[hooks.len() - 1].clone());
        };
        let known = hooks.iter_mut().find(|known| known.id == id).ok_or(Refusal::NotFound)?;
        *known = Hook { id, created_at: known.created_at, ..hook };
        Ok(known.clone())
    }
}
