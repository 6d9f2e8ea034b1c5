//! A local git forge: git over HTTP with a token, served by the real git, and GitHub's REST calls for pull requests.
//!
//! Everything is served from one address: repositories under `/{owner}/{repo}.git`, REST under `/repos/…` (and
//! `/api/v3/repos/…`), and a page to read a pull request under `/{owner}/{repo}/pull/{number}`.

mod git;
mod pulls;
mod rest;

pub use pulls::{Comment, Pull};

use crate::listen::{Server, any_loopback, serve};
use anyhow::{Context, ensure};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pulls::Pulls;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

/// How the forge misbehaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The status of the next REST calls, and how many of them.
    pub rest: Option<(u16, u32)>,
    /// Redirect REST calls to another address of the same repository, with this status.
    pub rest_moved: Option<u16>,
    /// Refuse pushes.
    pub refuse_pushes: bool,
    /// What the next REST calls are answered with.
    pub rest_answer: Option<Answer>,
    /// What the next requests of git are answered with, once they carry the token.
    pub git_answer: Option<Answer>,
    /// What the next requests of a push are answered with, once they carry the token.
    pub push_answer: Option<Answer>,
    /// What git's requests are answered with before anything is looked at, such as a redirect.
    pub first_answer: Option<Answer>,
    /// A repository's old name and its new one, to which git is redirected.
    pub renamed: Option<(&'static str, &'static str)>,
}

/// An answer in place of the real one.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// How many requests get it.
    pub times: u32,
    /// Its headers.
    pub headers: &'static [(&'static str, &'static str)],
    /// Its body.
    pub body: &'static str,
}

impl Answer {
    /// The next of these answers, while there are any.
    fn take(from: &mut Option<Self>) -> Option<Response> {
        let answer = from.as_mut()?;
        if answer.times == 0 {
            return None;
        }
        answer.times -= 1;
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, answer.body).into_response();
        for (name, value) in answer.headers {
            response.headers_mut().insert(*name, axum::http::HeaderValue::from_static(value));
        }
        Some(response)
    }
}

struct Shared {
    root: PathBuf,
    token: String,
    address: Mutex<Option<SocketAddr>>,
    /// The `authorization` headers of git's requests, as they came.
    offered: Mutex<Vec<String>>,
    pulls: Mutex<Pulls>,
    faults: Mutex<Faults>,
    /// Who may push beside the bot.
    writers: Mutex<Vec<String>>,
}

/// A running forge; dropping it stops it.
pub struct Forge {
    shared: Arc<Shared>,
    server: Server,
    _temporary: Option<tempfile::TempDir>,
}

impl Forge {
    /// Starts on a free port of loopback, with a random token and a temporary directory.
    ///
    /// # Errors
    /// When it can't listen or create the directory.
    pub async fn start() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir().context("could not create a temporary directory")?;
        let token = format!("token-{}", uuid::Uuid::new_v4().simple());
        let mut forge = Self::start_on(&[any_loopback()], dir.path(), token).await?;
        forge._temporary = Some(dir);
        Ok(forge)
    }

    /// Starts on these addresses, with what an earlier forge left in the directory.
    ///
    /// # Errors
    /// When it can't listen on an address or create the directory.
    pub async fn start_on(addresses: &[SocketAddr], root: &Path, token: String) -> anyhow::Result<Self> {
        std::fs::create_dir_all(root).with_context(|| format!("could not create {}", root.display()))?;
        let shared = Arc::new(Shared {
            // Git runs in folders of its own, from where a relative path would be another one.
            root: std::path::absolute(root).context("could not find the working directory")?,
            token,
            address: Mutex::default(),
            offered: Mutex::default(),
            pulls: Mutex::new(Pulls::open(root.join("pulls.json"))?),
            faults: Mutex::default(),
            writers: Mutex::default(),
        });
        let router = Router::new().fallback(dispatch).with_state(shared.clone());
        let server = serve(addresses, router).await?;
        *lock(&shared.address) = Some(server.address);
        Ok(Self { shared, server, _temporary: None })
    }

    /// Creates a repository with one commit of these files (path, text) on `main`; without files, an empty one.
    ///
    /// # Errors
    /// When git fails.
    pub fn create_repo(&self, owner: &str, name: &str, files: &[(&str, &str)]) -> anyhow::Result<()> {
        let bare = self.repo_path(owner, name);
        if bare.exists() {
            return Ok(());
        }
        run_git(&self.shared.root, &["init", "--quiet", "--bare", "--initial-branch=main", path_str(&bare)?])?;
        run_git(&bare, &["config", "http.receivepack", "true"])?;
        run_git(&bare, &["config", "uploadpack.allowAnySHA1InWant", "true"])?;
        if files.is_empty() {
            return Ok(());
        }
        let work = tempfile::tempdir().context("could not create a temporary directory")?;
        run_git(work.path(), &["init", "--quiet", "--initial-branch=main"])?;
        for (path, text) in files {
            let path = work.path().join(path);
            std::fs::create_dir_all(path.parent().context("a file without a folder")?)
                .context("could not create a folder")?;
            std::fs::write(&path, text).with_context(|| format!("could not write {}", path.display()))?;
        }
        run_git(work.path(), &["add", "--all"])?;
        run_git(work.path(), &["commit", "--quiet", "--message", "Initial commit"])?;
        run_git(work.path(), &["push", "--quiet", path_str(&bare)?, "main"])
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
        format!("http://{}", self.server.address)
    }

    /// Lets these people push. Other people may read.
    pub fn set_writers(&self, logins: &[&str]) {
        *lock(&self.shared.writers) = logins.iter().map(|login| (*login).to_owned()).collect();
    }

    /// The token: the password of `x-access-token` for git, and the bearer token for REST calls.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.shared.token
    }

    /// The pull requests of a repository, the oldest first.
    #[must_use]
    pub fn pulls(&self, owner: &str, name: &str) -> Vec<Pull> {
        lock(&self.shared.pulls).of(owner, name)
    }

    /// Misbehaves from now on.
    pub fn set_faults(&self, faults: Faults) {
        *lock(&self.shared.faults) = faults;
    }

    /// How many of git's requests carried any credentials.
    #[must_use]
    pub fn credentials_offered(&self) -> usize {
        lock(&self.shared.offered).len()
    }

    /// Runs git in a repository and returns what it prints.
    ///
    /// # Errors
    /// When git fails, with what it printed.
    pub fn git(&self, owner: &str, name: &str, args: &[&str]) -> anyhow::Result<String> {
        git_output(&self.repo_path(owner, name), args)
    }
}

/// A mutex whose holder can't have panicked: nothing in this crate panics while it holds one.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn dispatch(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path().trim_matches('/').to_owned();
    let path = path.strip_prefix("api/v3/").unwrap_or(&path);
    let segments: Vec<&str> = path.split('/').collect();
    match segments.as_slice() {
        ["user"] if request.method() == Method::GET => rest::user(&shared, request.headers()),
        ["repos", owner, name, rest @ ..] => rest::respond(&shared, owner, name, rest, request).await,
        [owner, name, "pull", number] if request.method() == Method::GET => page(&shared, owner, name, number),
        [owner, name, rest @ ..] if !rest.is_empty() => {
            let name = name.strip_suffix(".git").unwrap_or(name);
            let (owner, name, rest) = ((*owner).to_owned(), name.to_owned(), rest.join("/"));
            git::serve(&shared, &owner, &name, &rest, request).await
        }
        _ => (StatusCode::NOT_FOUND, "there is nothing here").into_response(),
    }
}

/// Whether the request carries the token, as bearer or as the password of Basic authentication.
fn authorised(shared: &Shared, headers: &HeaderMap) -> bool {
    let Some(value) = headers.get("authorization").and_then(|value| value.to_str().ok()) else { return false };
    if let Some(token) = value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("token ")) {
        return token == shared.token;
    }
    let Some(encoded) = value.strip_prefix("Basic ") else { return false };
    let decoded = STANDARD.decode(encoded).unwrap_or_default();
    String::from_utf8_lossy(&decoded).split_once(':').is_some_and(|(_, password)| password == shared.token)
}

/// A page to read a pull request, for people who follow the link.
fn page(shared: &Shared, owner: &str, name: &str, number: &str) -> Response {
    let found = number.parse().ok().and_then(|number| lock(&shared.pulls).find(owner, name, number));
    let Some(pull) = found else { return (StatusCode::NOT_FOUND, "no such pull request").into_response() };
    let bare = shared.root.join(owner).join(format!("{name}.git"));
    let range = format!("{}...{}", pull.base, pull.head);
    let diff = git_output(&bare, &["diff", &range]).unwrap_or_else(|error| error.to_string());
    Html(format!(
        "<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1><p>{owner}/{name} #{number}, {state}: \
         {head} into {base}</p><pre>{body}</pre><h2>Change</h2><pre>{diff}</pre>",
        title = escape(&pull.title),
        number = pull.number,
        state = escape(&pull.state),
        head = escape(&pull.head),
        base = escape(&pull.base),
        body = escape(&pull.body),
        diff = escape(&diff),
    ))
    .into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn path_str(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

/// The real git with nothing of the caller's configuration.
fn git_command(dir: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir);
    for (name, value) in [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_AUTHOR_NAME", "Forge"),
        ("GIT_AUTHOR_EMAIL", "forge@localhost"),
        ("GIT_COMMITTER_NAME", "Forge"),
        ("GIT_COMMITTER_EMAIL", "forge@localhost"),
    ] {
        command.env(name, value);
    }
    command
}

fn git_output(dir: &Path, args: &[&str]) -> anyhow::Result<String> {
    let output = git_command(dir).args(args).output().context("could not run git; is it installed?")?;
    ensure!(output.status.success(), "git {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn run_git(dir: &Path, args: &[&str]) -> anyhow::Result<()> {
    git_output(dir, args).map(drop)
}

async fn read_body(body: Body) -> Option<bytes::Bytes> {
    axum::body::to_bytes(body, 512 * 1024 * 1024).await.ok()
}
