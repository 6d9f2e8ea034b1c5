//! The state of a forge, the same behind all dialects: who there is, what was opened and said, and what has happened that
//! webhooks speak about. Kept in a file, so that a forge started again still has it.

mod checks;
mod event;
mod pulls;
mod refusal;
mod talk;
mod types;

pub use types::{Account, Check, CheckState, Comment, Hook, Issue, Permission, Pull, Review, Rules, Thread, Verdict};

pub(super) use event::{Event, IssueAction, PullAction, What};
pub(super) use pulls::{Edit, Mergeability, NewPull};
pub(super) use refusal::Refusal;
pub(super) use talk::{NewLine, NewReview, On};
pub(super) use types::Repo;

use super::bare::Bare;
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The file's name in the forge's directory.
const FILE: &str = "forge.json";
/// The file of versions that knew nothing but pull requests and comments.
const OLD_FILE: &str = "pulls.json";

/// Everything that a forge knows.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    pub(super) accounts: Vec<Account>,
    pub(super) repos: Vec<Repo>,
    last_id: u64,
    /// How far its clock is ahead, in milliseconds.
    pub(super) ahead_ms: i64,
    /// The last instant that was given out, in milliseconds since 1970.
    last_ms: i64,
    #[serde(skip)]
    root: PathBuf,
    /// What has happened since webhooks were last made of it.
    #[serde(skip)]
    pub(super) events: Vec<Event>,
    /// How many more questions find it still checking whether a change can be merged.
    #[serde(skip)]
    pub(super) checking: u32,
    /// How many more questions find a rebase still at work.
    #[serde(skip)]
    pub(super) rebasing: u32,
    /// Whether a pull request stays open when its branch is deleted, as at GitLab.
    #[serde(skip)]
    pub(super) outlives_branch: bool,
    /// How replies in threads are posted, where versions differ.
    #[serde(skip)]
    pub(super) replies: super::gitea::Replies,
}

impl State {
    /// What an earlier forge left in the directory. The bot's token is this one.
    pub(super) fn open(root: &Path, token: &str) -> anyhow::Result<Self> {
        let mut state: Self = match read(&root.join(FILE))? {
            Some(state) => state,
            None => Self { repos: of_old(read(&root.join(OLD_FILE))?.unwrap_or_default()), ..Self::default() },
        };
        root.clone_into(&mut state.root);
        if state.accounts.is_empty() {
            let bot = Account {
                id: 1,
                login: "terarchitect-bot".into(),
                permission: Permission::Write,
                ..Account::default()
            };
            state.accounts.push(bot);
            state.last_id = 1_000;
            state.account("owner", Permission::Admin);
        }
        token.clone_into(&mut state.accounts[0].token);
        Ok(state)
    }

    pub(super) fn save(&self) -> anyhow::Result<()> {
        let (file, draft) = (self.root.join(FILE), self.root.join("forge.new"));
        std::fs::write(&draft, serde_json::to_vec(self)?)
            .and_then(|()| std::fs::rename(&draft, &file))
            .with_context(|| format!("could not write {}", file.display()))
    }

    /// An id and an instant that nothing else has, in milliseconds since 1970.
    pub(super) fn stamp(&mut self) -> (u64, i64) {
        self.last_id += 1;
        self.last_ms = self.now().max(self.last_ms + 1);
        (self.last_id, self.last_ms)
    }

    /// The forge's clock, in milliseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(now.as_millis()).unwrap_or(i64::MAX) + self.ahead_ms
    }

    /// The account of this name, made where there is none, with this permission from now on.
    pub(super) fn account(&mut self, login: &str, permission: Permission) -> Account {
        if let Some(known) = self.accounts.iter_mut().find(|account| account.login == login) {
            known.permission = permission;
            return known.clone();
        }
        let (id, _) = self.stamp();
        let token = format!("token-{}", uuid::Uuid::new_v4().simple());
        let bot = login.ends_with("[bot]");
        let account = Account { id, login: login.to_owned(), bot, token, permission };
        self.accounts.push(account.clone());
        account
    }

    /// The account of an id; the bot's where an older file names none.
    pub(super) fn who(&self, id: u64) -> &Account {
        self.accounts.iter().find(|account| account.id == id).unwrap_or(&self.accounts[0])
    }

    /// The place of a repository that is on the disk.
    pub(super) fn repo_at(&mut self, owner: &str, name: &str) -> Option<usize> {
        let known = self.repos.iter().position(|repo| repo.owner == owner && repo.name == name);
        if known.is_some() {
            return known;
        }
        if !self.path(owner, name).is_dir() {
            return None;
        }
        let (id, created_at) = self.stamp();
        let branches = Bare::new(self.path(owner, name)).branches();
        let (owner, name) = (owner.to_owned(), name.to_owned());
        self.repos.push(Repo { id, owner, name, created_at, branches, ..Repo::default() });
        Some(self.repos.len() - 1)
    }

    fn path(&self, owner: &str, name: &str) -> PathBuf {
        self.root.join(owner).join(format!("{name}.git"))
    }

    /// The git repository of a repository.
    pub(super) fn bare(&self, at: usize) -> Bare {
        Bare::new(self.path(&self.repos[at].owner, &self.repos[at].name))
    }

    fn next_number(&self, at: usize) -> u64 {
        let repo = &self.repos[at];
        (repo.pulls.len() + repo.issues.len()) as u64 + 1
    }

    pub(super) fn pull(&self, at: usize, number: u64) -> Result<&Pull, Refusal> {
        self.repos[at].pulls.iter().find(|pull| pull.number == number).ok_or(Refusal::NotFound)
    }

    fn pull_mut(&mut self, at: usize, number: u64) -> Result<&mut Pull, Refusal> {
        self.repos[at].pulls.iter_mut().find(|pull| pull.number == number).ok_or(Refusal::NotFound)
    }

    pub(super) fn issue(&self, at: usize, number: u64) -> Result<&Issue, Refusal> {
        self.repos[at].issues.iter().find(|issue| issue.number == number).ok_or(Refusal::NotFound)
    }

    fn tell(&mut self, at: usize, sender: u64, what: What) {
        self.events.push(Event { at, sender, what });
    }
}

fn read<T: serde::de::DeserializeOwned>(file: &Path) -> anyhow::Result<Option<T>> {
    match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).with_context(|| format!("{} is damaged", file.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("could not read {}", file.display())),
    }
}

/// The repositories of a file that knew nothing but pull requests.
fn of_old(pulls: Vec<Pull>) -> Vec<Repo> {
    let mut repos: Vec<Repo> = Vec::new();
    for pull in pulls {
        let known = repos.iter_mut().find(|repo| repo.owner == pull.owner && repo.name == pull.repo);
        match known {
            Some(repo) => repo.pulls.push(pull),
            None => {
                let (owner, name) = (pull.owner.clone(), pull.repo.clone());
                repos.push(Repo { owner, name, pulls: vec![pull], ..Repo::default() });
            }
        }
    }
    repos
}
