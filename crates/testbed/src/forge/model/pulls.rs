//! Pull requests: open, edit, merge, update. Heads and merges are those of the git repository.

use super::checks::NOTHING;
use super::{Permission, Pull, PullAction, Refusal, State, Verdict, What};
use crate::forge::bare::{Bare, Method};

/// A pull request to open.
#[derive(Debug, Default)]
pub(in crate::forge) struct NewPull {
    pub(in crate::forge) head: String,
    /// The owner of the fork that the branch is in.
    pub(in crate::forge) fork_owner: Option<String>,
    pub(in crate::forge) base: String,
    pub(in crate::forge) title: String,
    pub(in crate::forge) body: String,
    pub(in crate::forge) draft: bool,
}

/// What to change in a pull request.
#[derive(Debug, Default)]
pub(in crate::forge) struct Edit {
    pub(in crate::forge) title: Option<String>,
    pub(in crate::forge) body: Option<String>,
    pub(in crate::forge) draft: Option<bool>,
    pub(in crate::forge) open: Option<bool>,
}

/// Whether a pull request can be merged now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::forge) enum Mergeability {
    NotOpen,
    Checking,
    Draft,
    Conflict,
    /// It must be updated first, where merges are fast-forwards.
    Behind,
    NotApproved,
    OpenThreads,
    Yes,
}

impl State {
    /// Looks at what was pushed since it last looked.
    pub(in crate::forge) fn notice(&mut self, at: usize, who: u64) {
        let (now, before) = (self.bare(at).branches(), self.repos[at].branches.clone());
        let names = before.keys().chain(now.keys().filter(|name| !before.contains_key(*name)));
        for name in names.filter(|name| before.get(*name) != now.get(*name)) {
            let sha = |of: Option<&String>| of.map_or_else(|| NOTHING.to_owned(), Clone::clone);
            let push = What::Push { branch: name.clone(), before: sha(before.get(name)), after: sha(now.get(name)) };
            self.tell(at, who, push);
        }
        self.repos[at].branches = now;
        for number in
            self.repos[at].pulls.iter().filter(|pull| pull.is_open()).map(|pull| pull.number).collect::<Vec<_>>()
        {
            self.notice_head(at, who, number);
        }
    }

    fn notice_head(&mut self, at: usize, who: u64, number: u64) {
        let Ok(pull) = self.pull(at, number).cloned() else { return };
        match self.find_head(at, pull.fork.as_deref(), &pull.head) {
            Some(after) if after == pull.head_sha => {}
            Some(after) => {
                let ((_, now), base) = (self.stamp(), self.base_sha(at, &pull));
                if let Ok(pull) = self.pull_mut(at, number) {
                    (pull.head_sha, pull.updated_at, pull.checked_base) = (after.clone(), now, base);
                }
                let before = pull.head_sha;
                self.tell(at, who, What::Pull { number, action: PullAction::Synchronized { before, after } });
            }
            None if self.outlives_branch => {}
            // The deletion of its branch closes it.
            None => drop(self.edit(at, who, number, Edit { open: Some(false), ..Edit::default() })),
        }
    }

    /// The commit of a branch, brought over from the fork that it is in.
    fn find_head(&self, at: usize, fork: Option<&str>, branch: &str) -> Option<String> {
        let Some((owner, name)) = fork.and_then(|fork| fork.rsplit_once('/')) else {
            return self.bare(at).branches().get(branch).cloned();
        };
        let path = self.path(owner, name);
        let sha = Bare::new(path.clone()).branches().get(branch).cloned()?;
        self.bare(at).fetch(&path, branch).ok()?;
        Some(sha)
    }

    /// The commit of the branch that it should go into.
    pub(in crate::forge) fn base_sha(&self, at: usize, pull: &Pull) -> String {
        self.repos[at].branches.get(&pull.base).cloned().unwrap_or_default()
    }

    pub(in crate::forge) fn open_pull(&mut self, at: usize, who: u64, new: NewPull) -> Result<Pull, Refusal> {
        if new.title.trim().is_empty() {
            return Err(Refusal::NoTitle);
        }
        let repo = &self.repos[at];
        let fork = new.fork_owner.filter(|owner| *owner != repo.owner).map(|owner| format!("{owner}/{}", repo.name));
        let head_sha = self.find_head(at, fork.as_deref(), &new.head).ok_or(Refusal::NoHead)?;
        let checked_base = repo.branches.get(&new.base).cloned().ok_or(Refusal::NoBase)?;
        let is_it = |pull: &&Pull| pull.is_open() && pull.head == new.head && pull.fork == fork;
        if let Some(there) = repo.pulls.iter().find(is_it) {
            return Err(Refusal::Exists(there.number));
        }
        let (owner, name) = (repo.owner.clone(), repo.name.clone());
        let ((id, now), number) = (self.stamp(), self.next_number(at));
        let pull = Pull {
            id,
            owner,
            repo: name,
            number,
            title: new.title,
            body: new.body,
            draft: new.draft,
            head: new.head,
            head_sha,
            checked_base,
            fork,
            base: new.base,
            state: "open".to_owned(),
            author: who,
            created_at: now,
            updated_at: now,
            ..Pull::default()
        };
        self.repos[at].pulls.push(pull.clone());
        self.tell(at, who, What::Pull { number, action: PullAction::Opened });
        Ok(pull)
    }

    pub(in crate::forge) fn edit(&mut self, at: usize, who: u64, number: u64, edit: Edit) -> Result<Pull, Refusal> {
        let (_, now) = self.stamp();
        let pull = self.pull_mut(at, number)?;
        let mut actions = Vec::new();
        if edit.title.is_some() || edit.body.is_some() {
            pull.title = edit.title.unwrap_or_else(|| pull.title.clone());
            pull.body = edit.body.unwrap_or_else(|| pull.body.clone());
            actions.push(PullAction::Edited);
        }
        if let Some(draft) = edit.draft.filter(|draft| *draft != pull.draft) {
            pull.draft = draft;
            actions.push(if draft { PullAction::Drafted } else { PullAction::Ready });
        }
        if let Some(open) = edit.open.filter(|open| *open != pull.is_open()) {
            if pull.is_merged() {
                return Err(Refusal::NotOpen);
            }
            pull.state = if open { "open" } else { "closed" }.to_owned();
            pull.closed_at = (!open).then_some(now);
            actions.push(if open { PullAction::Reopened } else { PullAction::Closed });
        }
        if !actions.is_empty() {
            pull.updated_at = now;
        }
        let pull = pull.clone();
        for action in actions {
            self.tell(at, who, What::Pull { number, action });
        }
        Ok(pull)
    }

    /// Whether a pull request can be merged into a commit of its base.
    pub(in crate::forge) fn mergeability(&self, at: usize, pull: &Pull, base: &str) -> Mergeability {
        let (rules, bare) = (self.repos[at].rules, self.bare(at));
        let of_head = |verdict| move |review: &super::Review| review.verdict == verdict && review.author != pull.author;
        if !pull.is_open() {
            Mergeability::NotOpen
        } else if self.checking > 0 {
            Mergeability::Checking
        } else if pull.draft {
            Mergeability::Draft
        } else if bare.conflicts(base, &pull.head_sha) {
            Mergeability::Conflict
        } else if rules.fast_forward && !bare.is_within(base, &pull.head_sha) {
            Mergeability::Behind
        } else if rules.approval && !pull.reviews.iter().any(of_head(Verdict::Approved)) {
            Mergeability::NotApproved
        } else if rules.settled_threads && pull.threads.iter().any(|thread| thread.resolved_by.is_none()) {
            Mergeability::OpenThreads
        } else {
            Mergeability::Yes
        }
    }

    /// Merges in the git repository, if the head is still `expected`. Returns the commit that is on the base now.
    pub(in crate::forge) fn merge(
        &mut self,
        at: usize,
        who: u64,
        number: u64,
        method: Method,
        expected: Option<&str>,
    ) -> Result<String, Refusal> {
        let pull = self.pull(at, number)?.clone();
        if self.who(who).permission < Permission::Write {
            return Err(Refusal::Forbidden);
        }
        if !pull.is_open() {
            return Err(Refusal::NotOpen);
        }
        if expected.is_some_and(|expected| expected != pull.head_sha) {
            return Err(Refusal::HeadMoved);
        }
        let base = self.base_sha(at, &pull);
        match self.mergeability(at, &pull, &base) {
            Mergeability::Yes | Mergeability::Conflict => {}
            Mergeability::NotOpen => return Err(Refusal::NotOpen),
            Mergeability::Checking => return Err(Refusal::Checking),
            Mergeability::Draft => return Err(Refusal::Draft),
            Mergeability::Behind => return Err(Refusal::Rule("the branch must be rebased first")),
            Mergeability::NotApproved => return Err(Refusal::Rule("an approving review is required")),
            Mergeability::OpenThreads => return Err(Refusal::Rule("a conversation must be resolved")),
        }
        let message = format!("Merge pull request #{number} from {}/{}\n\n{}", pull.owner, pull.head, pull.title);
        let message = if method == Method::Squash { format!("{} (#{number})", pull.title) } else { message };
        let bare = self.bare(at);
        let merged =
            bare.merge(method, &base, &pull.head_sha, &message).map_err(|conflict| Refusal::Conflict(conflict.0))?;
        bare.move_branch(&pull.base, &merged, &base).map_err(|error| Refusal::Conflict(error.to_string()))?;
        let (_, now) = self.stamp();
        let pull = self.pull_mut(at, number)?;
        (pull.state, pull.merge_commit, pull.merged_by) = ("closed".to_owned(), Some(merged.clone()), Some(who));
        (pull.closed_at, pull.updated_at) = (Some(now), now);
        self.tell(at, who, What::Pull { number, action: PullAction::Merged });
        self.notice(at, who);
        Ok(merged)
    }

    /// Keeps that a merge made one commit.
    pub(in crate::forge) fn set_squashed(&mut self, at: usize, number: u64, squashed: bool) {
        if let Ok(pull) = self.pull_mut(at, number) {
            pull.squashed = squashed;
        }
    }

    /// Brings what is new in the base into the branch.
    pub(in crate::forge) fn update(
        &mut self,
        at: usize,
        who: u64,
        number: u64,
        method: Method,
        expected: Option<&str>,
    ) -> Result<(), Refusal> {
        let pull = self.pull(at, number)?.clone();
        if self.who(who).permission < Permission::Write || pull.fork.is_some() {
            return Err(Refusal::Forbidden);
        }
        if !pull.is_open() {
            return Err(Refusal::NotOpen);
        }
        if expected.is_some_and(|expected| expected != pull.head_sha) {
            return Err(Refusal::HeadMoved);
        }
        let (base, bare) = (self.base_sha(at, &pull), self.bare(at));
        if bare.is_within(&base, &pull.head_sha) {
            return Err(Refusal::UpToDate);
        }
        let message = format!("Merge branch '{}' into {}", pull.base, pull.head);
        let updated = match method {
            Method::Rebase => bare.merge(Method::Rebase, &base, &pull.head_sha, &message),
            _ => bare.merge(Method::Merge, &pull.head_sha, &base, &message),
        };
        let updated = updated.map_err(|conflict| Refusal::Conflict(conflict.0));
        if let Ok(pull) = self.pull_mut(at, number) {
            pull.merge_error = updated.is_err().then(|| "Rebase failed: Rebase locally, resolve all conflicts".into());
        }
        let moved = bare.move_branch(&pull.head, &updated?, &pull.head_sha);
        moved.map_err(|_| Refusal::HeadMoved)?;
        self.notice(at, who);
        Ok(())
    }

    pub(in crate::forge) fn delete_branch(&mut self, at: usize, who: u64, branch: &str) -> Result<(), Refusal> {
        if self.who(who).permission < Permission::Write || branch == self.bare(at).default_branch() {
            return Err(Refusal::Forbidden);
        }
        if !self.bare(at).branches().contains_key(branch) {
            return Err(Refusal::NotFound);
        }
        self.bare(at).delete_branch(branch).map_err(|_| Refusal::NotFound)?;
        self.notice(at, who);
        Ok(())
    }
}
