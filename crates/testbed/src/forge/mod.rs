//! A local git forge: one model of accounts, repositories, pull requests and what is said about them, behind three faces:
//! GitHub (at `/` and, as Enterprise Server, at `/api/v3`), GitLab (`/api/v4`), and Gitea or Forgejo (`/api/v1`).
//!
//! Git is served over HTTP by the real git, and merges are made in the real repository. Each dialect answers as that
//! forge's manual and published schema say, with its statuses and its own ways to say no; what it does not have is the
//! forge's own 404. Webhooks are signed as each forge signs. It misbehaves as a test asks for it, and never by time.
//!
//! A forge speaks one dialect. All of it is at one address: repositories under `/{owner}/{repo}.git`, the API, and a page
//! to read a pull request; logs of jobs are at another one, as at GitHub.

mod acts;
mod bare;
mod faults;
mod git;
mod gitea;
mod github;
mod gitlab;
mod hunk;
mod model;
mod page;
mod reply;
mod server;
mod storage;
mod webhooks;

pub use acts::Line;
pub use bare::Method;
pub use faults::{Answer, Faults, OnCall, Trouble};
pub use gitea::Replies;
pub use model::{Account, Check, CheckState, Comment, Hook, Issue, Permission, Pull, Review, Rules, Thread, Verdict};
pub use server::Exchange;
pub use webhooks::{Delivery, Sending};

use crate::listen::{Server, any_loopback, serve};
use anyhow::Context;
use axum::Router;
use bare::git_output;
use model::State;
use server::{Shared, dispatch, lock};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use webhooks::Webhooks;

/// Which forge it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// GitHub, and GitHub Enterprise Server.
    #[default]
    GitHub,
    /// GitLab.
    GitLab,
    /// Gitea, and Forgejo.
    Gitea,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::GitHub, Self::GitLab, Self::Gitea];
}

/// A running forge; dropping it stops it.
pub struct Forge {
    shared: Arc<Shared>,
    server: Server,
    token: String,
    _storage: Server,
    _temporary: Option<tempfile::TempDir>,
}

impl Forge {
    /// Starts a GitHub on a free port of loopback, with a random token and a temporary directory.
    ///
    /// # Errors
    /// When it can't listen or create the directory.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_as(Dialect::GitHub).await
    }

    /// Starts any of the three on a free port of loopback, with a random token and a temporary directory.
    ///
    /// # Errors
    /// When it can't listen or create the directory.
    pub async fn start_as(dialect: Dialect) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir().context("could not create a temporary directory")?;
        let token = format!("token-{}", uuid::Uuid::new_v4().simple());
        let mut forge = Self::start_with(&[any_loopback()], dir.path(), token, dialect).await?;
        forge._temporary = Some(dir);
        Ok(forge)
    }

    /// Starts a GitHub on these addresses, with what an earlier forge left in the directory. The token is the bot's.
    ///
    /// # Errors
    /// When it can't listen on an address or create the directory.
    pub async fn start_on(addresses: &[SocketAddr], root: &Path, token: String) -> anyhow::Result<Self> {
        Self::start_with(addresses, root, token, Dialect::GitHub).await
    }

    /// Starts any of the three on these addresses, with what an earlier forge left in the directory.
    ///
    /// # Errors
    /// When it can't listen on an address or create the directory.
    pub async fn start_with(
        addresses: &[SocketAddr],
        root: &Path,
        token: String,
        dialect: Dialect,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(root).with_context(|| format!("could not create {}", root.display()))?;
        // Git runs in folders of its own, from where a relative path would be another one.
        let root = std::path::absolute(root).context("could not find the working directory")?;
        let mut state = State::open(&root, &token)?;
        state.outlives_branch = dialect == Dialect::GitLab;
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            root,
            dialect,
            address: Mutex::default(),
            storage: Mutex::default(),
            offered: Mutex::default(),
            calls: Mutex::default(),
            exchanges: Mutex::default(),
            faults: Mutex::default(),
            elsewhere: Mutex::default(),
            counted: Default::default(),
            webhooks: Webhooks::start(dialect)?,
        });
        let router = Router::new().fallback(dispatch).with_state(shared.clone());
        let server = serve(addresses, router).await?;
        *lock(&shared.address) = Some(server.address);
        let any_port: Vec<SocketAddr> = addresses.iter().map(|address| SocketAddr::new(address.ip(), 0)).collect();
        let storage = serve(&any_port, Router::new().fallback(storage::show).with_state(shared.clone())).await?;
        *lock(&shared.storage) = Some(storage.address);
        Ok(Self { shared, server, token, _storage: storage, _temporary: None })
    }

    /// Creates a repository with one commit of these files (path, text) on `main`; without files, an empty one.
    ///
    /// # Errors
    /// When git fails.
    pub fn create_repo(&self, owner: &str, name: &str, files: &[(&str, &str)]) -> anyhow::Result<()> {
        let bare = self.repo_path(owner, name);
        if !bare.exists() {
            bare::create(&self.shared.root, &bare, files)?;
        }
        lock(&self.shared.state).repo_at(owner, name);
        Ok(())
    }

    /// Which forge it is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.shared.dialect
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// The path of a repository.
    #[must_use]
    pub fn repo_path(&self, owner: &str, name: &str) -> PathBuf {
        self.shared.root.join(owner).join(format!("{name}.git"))
    }

    /// The address to clone.
    #[must_use]
    pub fn git_url(&self, owner: &str, name: &str) -> String {
        format!("http://{}/{owner}/{name}.git", self.server.address)
    }

    /// The base address of the REST calls.
    #[must_use]
    pub fn api_url(&self) -> String {
        let path = match self.shared.dialect {
            Dialect::GitHub => "",
            Dialect::GitLab => "/api/v4",
            Dialect::Gitea => "/api/v1",
        };
        format!("http://{}{path}", self.server.address)
    }

    /// The bot's token: the password of any user for git, and what REST calls carry.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Misbehaves from now on.
    pub fn set_faults(&self, faults: Faults) {
        *lock(&self.shared.faults) = faults;
    }

    /// Redirects REST calls to the same path at another address, or no longer.
    pub fn set_elsewhere(&self, base: Option<&str>) {
        *lock(&self.shared.elsewhere) = base.map(str::to_owned);
    }

    /// How many of git's requests carried any credentials.
    #[must_use]
    pub fn credentials_offered(&self) -> usize {
        lock(&self.shared.offered).len()
    }

    /// The REST calls so far, as `METHOD /path?query`.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        lock(&self.shared.calls).clone()
    }

    /// The REST calls so far with what they were answered with, but for faults.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        lock(&self.shared.exchanges).clone()
    }

    /// How many REST calls have counted against GitHub's rate limit.
    #[must_use]
    pub fn counted(&self) -> u64 {
        self.shared.counted.load(Ordering::Relaxed)
    }

    /// Runs git in a repository and returns what it prints.
    ///
    /// # Errors
    /// When git fails, with what it printed.
    pub fn git(&self, owner: &str, name: &str, args: &[&str]) -> anyhow::Result<String> {
        git_output(&self.repo_path(owner, name), args)
    }
}
