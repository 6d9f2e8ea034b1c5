//! What tests do at the forge without a call: as its people, as other programs, and as time.

use super::model::{Account, Check, Edit, Issue, NewLine, NewReview, Permission, Refusal, Rules, State, Verdict};
use super::model::{Hook, NewPull, Pull};
use super::server::lock;
use super::{CheckState, Comment, Forge, Method, Review};
use anyhow::{Context, anyhow};
use std::time::Duration;

/// A comment at a line of the change: path, line in the new file, text.
pub type Line<'a> = (&'a str, u64, &'a str);

impl Forge {
    fn at<T>(
        &self,
        owner: &str,
        name: &str,
        act: impl FnOnce(&mut State, usize) -> Result<T, Refusal>,
    ) -> anyhow::Result<T> {
        self.shared.act(|state| {
            let at = state.repo_at(owner, name).with_context(|| format!("there is no repository {owner}/{name}"))?;
            let admin = state.accounts[1].id;
            state.notice(at, admin);
            act(state, at).map_err(|refusal| anyhow!("the forge refuses it: {refusal:?}"))
        })
    }

    /// An account, made where there is none, with this permission from now on. Names that end with `[bot]` are programs.
    pub fn account(&self, login: &str, permission: Permission) -> Account {
        self.shared.act(|state| state.account(login, permission))
    }

    /// The bot's account.
    #[must_use]
    pub fn bot(&self) -> Account {
        lock(&self.shared.state).accounts[0].clone()
    }

    /// The account that may change settings.
    #[must_use]
    pub fn owner(&self) -> Account {
        lock(&self.shared.state).accounts[1].clone()
    }

    /// Lets these people push, beside the bot. All others that there are may read.
    pub fn set_writers(&self, logins: &[&str]) {
        self.shared.act(|state| {
            state.accounts.iter_mut().skip(2).for_each(|account| account.permission = Permission::Read);
            for login in logins {
                state.account(login, Permission::Write);
            }
        });
    }

    /// What must be so before a merge.
    ///
    /// # Errors
    /// There is no such repository.
    pub fn set_rules(&self, owner: &str, name: &str, rules: Rules) -> anyhow::Result<()> {
        self.at(owner, name, |state, at| {
            state.repos[at].rules = rules;
            Ok(())
        })
    }

    /// The pull requests of a repository, the oldest first.
    #[must_use]
    pub fn pulls(&self, owner: &str, name: &str) -> Vec<Pull> {
        self.at(owner, name, |state, at| Ok(state.repos[at].pulls.clone())).unwrap_or_default()
    }

    /// A pull request.
    ///
    /// # Errors
    /// There is none.
    pub fn pull(&self, owner: &str, name: &str, number: u64) -> anyhow::Result<Pull> {
        self.at(owner, name, |state, at| state.pull(at, number).cloned())
    }

    /// The issues of a repository, the oldest first.
    #[must_use]
    pub fn issues(&self, owner: &str, name: &str) -> Vec<Issue> {
        self.at(owner, name, |state, at| Ok(state.repos[at].issues.clone())).unwrap_or_default()
    }

    /// The checks of a commit.
    #[must_use]
    pub fn checks(&self, owner: &str, name: &str, sha: &str) -> Vec<Check> {
        self.at(owner, name, |state, at| Ok(state.checks_of(at, sha).into_iter().cloned().collect()))
            .unwrap_or_default()
    }

    /// Commits files (path, text; none deletes) on a branch, as someone else would. Returns the commit.
    ///
    /// # Errors
    /// When git fails.
    pub fn push(
        &self,
        owner: &str,
        name: &str,
        branch: &str,
        files: &[(&str, Option<&str>)],
        message: &str,
    ) -> anyhow::Result<String> {
        let path = self.repo_path(owner, name);
        let sha = super::bare::Bare::new(path).commit_files(branch, files, message)?;
        self.at(owner, name, |_, _| Ok(()))?;
        Ok(sha)
    }

    /// Makes a fork of a repository.
    ///
    /// # Errors
    /// When git fails.
    pub fn fork(&self, owner: &str, name: &str, new_owner: &str) -> anyhow::Result<()> {
        let (from, to) = (self.repo_path(owner, name), self.repo_path(new_owner, name));
        let (from, to) = (from.to_string_lossy(), to.to_string_lossy());
        super::git_output(&self.shared.root, &["clone", "--quiet", "--bare", &from, &to])?;
        self.at(new_owner, name, |_, _| Ok(()))
    }

    /// Opens a pull request of a branch into another one.
    ///
    /// # Errors
    /// The forge refuses it, for example because there is one already.
    pub fn open_pull(
        &self,
        (owner, name): (&str, &str),
        by: &Account,
        (head, base): (&str, &str),
        title: &str,
    ) -> anyhow::Result<Pull> {
        let (head, base, title) = (head.to_owned(), base.to_owned(), title.to_owned());
        let new = NewPull { head, base, title, ..NewPull::default() };
        self.at(owner, name, |state, at| state.open_pull(at, by.id, new))
    }

    /// Comments on a pull request or an issue.
    ///
    /// # Errors
    /// The forge refuses it.
    pub fn comment(&self, owner: &str, name: &str, number: u64, by: &Account, body: &str) -> anyhow::Result<Comment> {
        self.at(owner, name, |state, at| state.comment(at, by.id, number, body))
    }

    /// Submits a review with comments at lines.
    ///
    /// # Errors
    /// The forge refuses it, for example because a line is not part of the change.
    pub fn review(
        &self,
        (owner, name, number): (&str, &str, u64),
        by: &Account,
        verdict: Verdict,
        body: &str,
        lines: &[Line<'_>],
    ) -> anyhow::Result<Review> {
        let line = |(path, line, body): &Line<'_>| NewLine {
            path: (*path).to_owned(),
            line: *line,
            old_side: false,
            body: (*body).to_owned(),
        };
        let lines = lines.iter().map(line).collect();
        let joins = self.dialect() == super::Dialect::Gitea;
        let review = NewReview { verdict, body: body.to_owned(), commit: None, lines, joins };
        self.at(owner, name, |state, at| state.review(at, by.id, number, review))
    }

    /// Says that the thread of a comment is settled, or that it is not.
    ///
    /// # Errors
    /// There is no such thread.
    pub fn resolve(
        &self,
        (owner, name, number): (&str, &str, u64),
        by: &Account,
        thread: u64,
        resolved: bool,
    ) -> anyhow::Result<()> {
        self.at(owner, name, |state, at| state.resolve(at, by.id, number, thread, resolved))
    }

    /// Says how a job of the forge's own stands, with its log.
    ///
    /// # Errors
    /// There is no such commit.
    pub fn job(
        &self,
        (owner, name): (&str, &str),
        sha: &str,
        job: &str,
        state: CheckState,
        log: &str,
    ) -> anyhow::Result<Check> {
        self.at(owner, name, |forge, at| {
            let author = forge.accounts[1].id;
            let check = Check {
                sha: sha.to_owned(),
                name: job.to_owned(),
                state,
                log: Some(log.to_owned()),
                author,
                ..Check::default()
            };
            forge.check(at, check)
        })
    }

    /// Opens an issue with labels.
    ///
    /// # Errors
    /// There is no such repository.
    pub fn open_issue(
        &self,
        (owner, name): (&str, &str),
        by: &Account,
        title: &str,
        body: &str,
        labels: &[&str],
    ) -> anyhow::Result<Issue> {
        self.at(owner, name, |state, at| Ok(state.open_issue(at, by.id, title, body, labels)))
    }

    /// Puts a label on an issue.
    ///
    /// # Errors
    /// There is no such issue.
    pub fn label_issue(&self, owner: &str, name: &str, number: u64, by: &Account, label: &str) -> anyhow::Result<()> {
        self.at(owner, name, |state, at| state.label_issue(at, by.id, number, label))
    }

    /// Closes an issue.
    ///
    /// # Errors
    /// There is no such issue.
    pub fn close_issue(&self, owner: &str, name: &str, number: u64, by: &Account) -> anyhow::Result<()> {
        self.at(owner, name, |state, at| state.close_issue(at, by.id, number))
    }

    /// Closes a pull request without a merge, or opens it again.
    ///
    /// # Errors
    /// There is none, or it was merged.
    pub fn set_open(&self, owner: &str, name: &str, number: u64, by: &Account, open: bool) -> anyhow::Result<Pull> {
        let edit = Edit { open: Some(open), ..Edit::default() };
        self.at(owner, name, |state, at| state.edit(at, by.id, number, edit))
    }

    /// Merges a pull request. Returns the commit that is on the base.
    ///
    /// # Errors
    /// It can't be merged.
    pub fn merge(&self, owner: &str, name: &str, number: u64, by: &Account, method: Method) -> anyhow::Result<String> {
        self.at(owner, name, |state, at| state.merge(at, by.id, number, method, None))
    }

    /// Deletes a branch.
    ///
    /// # Errors
    /// There is none, or it is the default one.
    pub fn delete_branch(&self, owner: &str, name: &str, by: &Account, branch: &str) -> anyhow::Result<()> {
        self.at(owner, name, |state, at| state.delete_branch(at, by.id, branch))
    }

    /// Makes a webhook that sends everything.
    ///
    /// # Errors
    /// There is no such repository.
    pub fn hook(&self, owner: &str, name: &str, url: &str, secret: &str) -> anyhow::Result<Hook> {
        let hook = Hook {
            url: url.to_owned(),
            secret: secret.to_owned(),
            events: vec!["*".to_owned()],
            active: true,
            ..Hook::default()
        };
        self.at(owner, name, |state, at| state.put_hook(at, None, hook))
    }

    /// Lets replies in threads be posted as another version of Gitea has it.
    pub fn set_replies(&self, replies: super::Replies) {
        lock(&self.shared.state).replies = replies;
    }

    /// Still checks whether changes can be merged when it is asked the next `times` times.
    pub fn set_checking(&self, times: u32) {
        lock(&self.shared.state).checking = times;
    }

    /// Sets its clock ahead.
    pub fn advance(&self, by: Duration) {
        lock(&self.shared.state).ahead_ms += i64::try_from(by.as_millis()).unwrap_or_default();
    }
}
