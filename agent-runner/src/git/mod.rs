//! The repository, through libgit2, in process: no hooks run, and no credential reaches a process.
//!
//! The runner's own repository is private: its git directory is outside of the workspace, where the agent can't change
//! its configuration, and its token is only passed through the credential callback. The workspace has a second git
//! directory for the agent, so that `git diff` and `git log` work for it; the runner never reads that one.

mod agent_copy;
mod commit;
mod data;
mod default_branch;
mod elsewhere;
mod error;
mod export;
mod held;
mod machine;
mod not_filled;
mod patch;
mod refusal;
mod remote;
mod review_commits;
mod shelf;
mod skipped;
mod submodules;
mod token;
mod update;
mod walk;

pub use commit::{Change, Committed};
pub use data::{Branches, branches_of, bring_in, repository_of};
pub use error::GitError;
pub use export::Exported;
pub use patch::Patch;
pub use remote::RemoteUrl;
pub use review_commits::ReviewCommit;
pub use shelf::Shelf;
pub use skipped::{Reason, Skipped, describe as describe_skipped};
pub use token::{ForgeToken, TokenHome};
pub use update::{Update, describe_update};

use git2::{FetchOptions, Oid, Repository, RepositoryInitOptions};
use held::Held;
use remote::{Connection, Heads};
use shelf::Restored;
use std::path::{Path, PathBuf};
use submodules::NotFilled;
use terarchitect_outbound::{Mask, Proxies};
use terarchitect_worker_api::UpdateStrategy;
use tokio_util::sync::CancellationToken;
use update::Start;

/// How many commits are fetched of a branch that an earlier attempt has started.
const CONTINUED_DEPTH: i32 = 50;

/// Files that say how to work on a repository; the first that exists is used.
const CONVENTIONS: &[&str] = &["AGENTS.md", "CLAUDE.md", "CONTRIBUTING.md"];
/// How much of it is read.
const MAX_CONVENTIONS_BYTES: usize = 16 * 1024;

/// What to clone, and to where.
#[derive(Clone, Debug)]
pub struct CloneRequest {
    /// The repository.
    pub url: RemoteUrl,
    /// The token that gives access to it.
    pub token: Option<ForgeToken>,
    /// The proxies that may be on the way.
    pub proxies: Proxies,
    /// The branch to work on.
    pub branch: String,
    /// The branch that work starts from; the remote's default branch if none.
    pub start: Option<String>,
    /// The workspace, empty.
    pub workdir: PathBuf,
    /// Where the runner's own git directory goes.
    pub git_dir: PathBuf,
    /// Author of commits: name and address.
    pub author: (String, String),
    /// How a branch that is continued gets what its base got since; with none it stays as it is.
    pub update_strategy: Option<UpdateStrategy>,
    /// Whether submodules are filled.
    pub submodules: bool,
    /// Where commits wait that could not be pushed.
    pub shelf: Option<Shelf>,
    /// What no commit may have.
    pub secrets: Mask,
}

/// A clone with its branch checked out.
pub struct Workspace {
    repo: Repository,
    request: CloneRequest,
    /// The branch that work starts from: the one that was asked for, else the remote's default branch.
    default_branch: String,
    /// Where this attempt started: the head of the default branch, or of the ticket's own branch if it is continued.
    base: Oid,
    /// Whether the remote already had the branch.
    continued: bool,
    /// The branch's head at the remote.
    pushed: Option<Oid>,
    /// The branch's head at the remote before this attempt.
    found: Option<Oid>,
    /// The commits of an earlier attempt with which the branch starts, since that attempt could not push them.
    restored: Option<Restored>,
    /// What was done with the branch before work on it goes on.
    update: Update,
    /// The remote's head of the branch, where the next push has to replace it.
    replaces: Option<Oid>,
    /// The base's head, while the workspace has a merge of it that is not committed yet.
    merging: Option<Oid>,
    /// The files that are as the base branch has them.
    held: Held,
    /// Submodules that were to be filled and are not.
    not_filled: Vec<NotFilled>,
    /// What the last commit left out.
    skipped: Vec<Skipped>,
    /// When the index was last brought to the workspace, in seconds since 1970.
    trusted_before: i64,
}

impl Workspace {
    /// Fetches the default branch, and the ticket's branch where the remote has it, and checks the latter out.
    ///
    /// Blocks; `cancel` ends it between two packets.
    ///
    /// # Errors
    /// See [`GitError`].
    pub fn clone(request: CloneRequest, cancel: &CancellationToken) -> Result<Self, GitError> {
        let failed = |attempted: &'static str| move |source| GitError::new(attempted, source);
        machine::ignore_configuration().map_err(failed("could not leave out the machine's git configuration"))?;
        let mut repo = init(&request).map_err(failed("could not create a repository in the workspace"))?;
        let connection = Connection { request: &request, cancel };
        connection.check_token()?;
        let heads = connection.heads(&repo)?;
        let default_branch = start_of(&request, &heads)?;
        let mut remote_head = None;
        let mut restored = None;
        let mut start = if heads.is_empty() {
            Start::plain(start_empty_repository(&repo, &connection, &default_branch)?, Update::Nothing)
        } else {
            let mut branches = vec![default_branch.as_str()];
            if heads.has(&request.branch) {
                branches.push(&request.branch);
            }
            let continued = branches.len() > 1;
            fetch(&repo, &connection, &branches, if continued { CONTINUED_DEPTH } else { 1 })?;
            if continued {
                remote_head = Some(fetched(&repo, &request.branch)?);
            }
            restored = shelf::restore(&mut repo, &connection, &branches, remote_head)?;
            match restored.as_ref().map(|restored| restored.head).or(remote_head) {
                Some(head) => update::start(&repo, &connection, &branches, head, request.update_strategy)?,
                None => Start::plain(fetched(&repo, &default_branch)?, Update::Nothing),
            }
        };
        // What the remote does not have needs no replacing there.
        start.replaces = start.replaces.and(remote_head);
        let mut held =
            Held::of_base(&repo, fetched(&repo, &default_branch)?).map_err(failed("could not read the base branch"))?;
        let mut conflicts = match start.to_merge {
            Some(base) => {
                let title = format!("Merge branch '{default_branch}' into {}\n", request.branch);
                update::merge(&repo, &mut start, base, &title, &request.author, &held)
                    .map_err(failed("could not merge the base into the branch"))?
            }
            None => None,
        };
        let trusted_before = commit::seconds_now();
        check_out(&repo, &request.branch, start.at, &mut held).map_err(failed("could not check out the branch"))?;
        if let Some(conflicts) = &mut conflicts {
            update::leave_conflicts(&repo, conflicts, &mut held)
                .map_err(failed("could not merge the base into the branch"))?;
        }
        let not_filled = if request.submodules { submodules::fill(&repo, &request, cancel)? } else { Vec::new() };
        Ok(Self {
            not_filled,
            continued: (remote_head.is_some() || restored.is_some()) && start.update != Update::StartedAgain,
            base: start.at,
            pushed: remote_head,
            found: remote_head,
            restored: restored.filter(|_| start.update != Update::StartedAgain),
            update: start.update,
            replaces: start.replaces,
            merging: conflicts.map(|conflicts| conflicts.base),
            held,
            skipped: Vec::new(),
            repo,
            request,
            default_branch,
            trusted_before,
        })
    }

    /// The branch that work starts from, and that it is to be merged into: the one that was asked for, else the remote's default branch.
    #[must_use]
    pub fn default_branch(&self) -> &str {
        &self.default_branch
    }

    /// The branch that is worked on.
    #[must_use]
    pub fn branch(&self) -> &str {
        &self.request.branch
    }

    /// The directory of the workspace.
    #[must_use]
    pub fn workdir(&self) -> &Path {
        &self.request.workdir
    }

    /// Whether an earlier attempt has started the branch.
    #[must_use]
    pub fn is_continued(&self) -> bool {
        self.continued
    }

    /// The id of the branch's head at the remote, as far as this attempt knows it; none while the remote has no such
    /// branch.
    #[must_use]
    pub fn head_at_remote(&self) -> Option<String> {
        self.pushed.map(|id| id.to_string())
    }

    /// Whether this commit is in the clone.
    #[must_use]
    pub fn has_commit(&self, id: &str) -> bool {
        Oid::from_str(id).is_ok_and(|id| self.repo.find_commit(id).is_ok())
    }

    /// From now on the change of this attempt is everything that the branch has and the default branch has not.
    ///
    /// # Errors
    /// When the repository can't be read.
    pub fn count_whole_branch(&mut self) -> Result<(), GitError> {
        let base = self.repo.refname_to_id(&format!("refs/remotes/origin/{}", self.default_branch));
        self.base = base.map_err(|source| GitError::new("could not compare the branch", source))?;
        Ok(())
    }

    /// Gives the agent a git directory of its own in the workspace.
    ///
    /// # Errors
    /// When files can't be written.
    pub fn make_agent_copy(&self) -> Result<(), GitError> {
        agent_copy::make(&self.request, &self.default_branch)
            .map_err(|source| GitError::Io { attempted: "could not give the agent its copy of the repository", source })
    }

    /// Titles of the commits on the branch that the default branch does not have, the newest first.
    ///
    /// # Errors
    /// When the history can't be read.
    pub fn earlier_commits(&self, most: usize) -> Result<Vec<String>, GitError> {
        if !self.continued {
            return Ok(Vec::new());
        }
        let read = || -> Result<Vec<String>, git2::Error> {
            let mut walk = self.repo.revwalk()?;
            walk.push_head()?;
            walk.hide_ref(&format!("refs/remotes/origin/{}", self.default_branch))?;
            let ids = walk.take(most).collect::<Result<Vec<_>, _>>()?;
            ids.into_iter().map(|id| Ok(title(&self.repo.find_commit(id)?))).collect()
        };
        read().map_err(|source| GitError::new("could not read the branch's history", source))
    }

    /// The files that agents read as configuration or instructions and that are in the workspace as the base branch has
    /// them, not as the ticket's branch.
    #[must_use]
    pub fn held_to_base(&self) -> Vec<String> {
        self.held.held_paths()
    }

    /// The files of this kind that the branch changes, each with what it does to it, for the pull request's reviewer.
    ///
    /// # Errors
    /// When the branch can't be read.
    pub fn changed_instructions(&self) -> Result<Vec<String>, GitError> {
        let head = self.head()?;
        let changed = self.held.changed_in(&self.repo, head);
        changed.map_err(|source| GitError::new("could not compare the branch", source))
    }

    /// What the default branch says about working on the repository: its `AGENTS.md`, `CLAUDE.md` or `CONTRIBUTING.md`,
    /// the first of them, cut where it is long. Empty where it says nothing.
    #[must_use]
    pub fn conventions(&self) -> String {
        let read = |name: &&str| self.file_of_base(name, MAX_CONVENTIONS_BYTES).ok().flatten();
        CONVENTIONS.iter().find_map(read).unwrap_or_default()
    }

    /// Pushes the branch, and returns whether there was anything to push. Never overwrites the commits of others.
    ///
    /// # Errors
    /// See [`GitError`].
    pub fn push(&mut self, cancel: &CancellationToken) -> Result<bool, GitError> {
        let head = self.head()?;
        if !self.has_unpushed(head) {
            return Ok(false);
        }
        Connection { request: &self.request, cancel }.push(&self.repo, &self.request.branch, self.replaces)?;
        self.pushed = Some(head);
        self.replaces = None;
        self.restored = None;
        self.clear_shelf();
        Ok(true)
    }

    fn has_unpushed(&self, head: Oid) -> bool {
        // A branch that only starts again from its base has nothing to show yet.
        let starts = self.pushed.is_none() && self.restored.is_none() || self.update == Update::StartedAgain;
        self.pushed != Some(head) && !(starts && head == self.base)
    }

    /// The id of the branch's head.
    ///
    /// # Errors
    /// When the repository can't be read.
    pub fn head_id(&self) -> Result<String, GitError> {
        Ok(self.head()?.to_string())
    }

    fn head(&self) -> Result<Oid, GitError> {
        self.repo
            .refname_to_id(&format!("refs/heads/{}", self.request.branch))
            .map_err(|source| GitError::new("could not read the branch's head", source))
    }
}

fn title(commit: &git2::Commit<'_>) -> String {
    String::from_utf8_lossy(commit.message_bytes()).lines().next().unwrap_or_default().to_owned()
}

/// The runner's own bare git directory. Only this process uses the workspace as its work tree; nothing in the workspace
/// points to it.
/// The branch that work starts from. One that was asked for and is gone is merged, if there is work that has started from it: that goes on
/// from the default branch, as its pull request does.
fn start_of(request: &CloneRequest, heads: &Heads) -> Result<String, GitError> {
    let url = || request.url.as_str().to_owned();
    match request.start.as_ref().filter(|start| **start != request.branch) {
        Some(start) if heads.has(start) || heads.is_empty() => return Ok(start.clone()),
        Some(start) if !heads.has(&request.branch) => {
            return Err(GitError::NoSuchStart { url: url(), branch: start.clone() });
        }
        _ => {}
    }
    match &heads.default_branch {
        Some(name) => Ok(name.clone()),
        None if heads.is_empty() => Ok("main".to_owned()),
        None => Err(GitError::NoDefaultBranch { url: url() }),
    }
}

fn init(request: &CloneRequest) -> Result<Repository, git2::Error> {
    let mut options = RepositoryInitOptions::new();
    options.bare(true).external_template(false).initial_head(&request.branch);
    let repo = Repository::init_opts(&request.git_dir, &options)?;
    repo.set_workdir(&request.workdir, false)?;
    let mut config = repo.config()?;
    config.set_bool("core.bare", false)?;
    config.set_bool("core.filemode", true)?;
    // Commit exactly what is in the workspace, whatever the machine's git configuration says.
    config.set_str("core.autocrlf", "false")?;
    Ok(repo)
}

fn reopen(request: &CloneRequest) -> Result<Repository, git2::Error> {
    let repo = Repository::open(&request.git_dir)?;
    repo.set_workdir(&request.workdir, false)?;
    Ok(repo)
}

fn fetch(repo: &Repository, connection: &Connection<'_>, branches: &[&str], depth: i32) -> Result<(), GitError> {
    let refspecs: Vec<String> =
        branches.iter().map(|branch| format!("+refs/heads/{branch}:refs/remotes/origin/{branch}")).collect();
    let mut options = FetchOptions::new();
    options.remote_callbacks(connection.callbacks()).download_tags(git2::AutotagOption::None);
    options.proxy_options(connection.proxy()?).follow_redirects(git2::RemoteRedirect::None);
    if connection.request.url.is_http() {
        options.depth(depth);
    }
    let url = connection.request.url.as_str();
    let fetched = repo.remote_anonymous(url).and_then(|mut remote| remote.fetch(&refspecs, Some(&mut options), None));
    fetched.map_err(|source| connection.error("could not fetch from the repository", source))
}

fn fetched(repo: &Repository, branch: &str) -> Result<Oid, GitError> {
    repo.refname_to_id(&format!("refs/remotes/origin/{branch}"))
        .map_err(|source| GitError::new("could not find the fetched branch", source))
}

fn check_out(repo: &Repository, branch: &str, at: Oid, held: &mut Held) -> Result<(), git2::Error> {
    let commit = repo.find_commit(at)?;
    repo.branch(branch, &commit, true)?;
    repo.set_head(&format!("refs/heads/{branch}"))?;
    held.check_out(repo, at)
}

/// A repository without a commit gets an empty first one on its default branch, so that there is something to open a
/// pull request against.
fn start_empty_repository(repo: &Repository, connection: &Connection<'_>, branch: &str) -> Result<Oid, GitError> {
    let make = || -> Result<Oid, git2::Error> {
        let tree = repo.find_tree(repo.treebuilder(None)?.write()?)?;
        let author = commit::signature(&connection.request.author)?;
        // An earlier try of the same attempt may have made it, and failed to push it.
        let first = repo.commit(None, &author, &author, "Initial commit", &tree, &[])?;
        repo.reference(&format!("refs/heads/{branch}"), first, true, "first commit").map(|_| first)
    };
    let first =
        make().map_err(|source| GitError::new("could not create the first commit of an empty repository", source))?;
    connection.push(repo, branch, None)?;
    repo.reference(&format!("refs/remotes/origin/{branch}"), first, true, "first commit")
        .map_err(|source| GitError::new("could not create the first commit of an empty repository", source))?;
    Ok(first)
}

/// The directory must be empty: its files would otherwise end up in the pull request, or be overwritten.
///
/// # Errors
/// It is not empty, or can't be read or created.
pub fn require_empty(dir: &Path) -> Result<(), GitError> {
    let io = |source| GitError::Io { attempted: "could not use the workspace", source };
    std::fs::create_dir_all(dir).map_err(io)?;
    match std::fs::read_dir(dir).map_err(io)?.next() {
        None => Ok(()),
        Some(_) => Err(GitError::NotEmpty { dir: dir.to_owned() }),
    }
}

#[cfg(test)]
mod remote_tests;
#[cfg(test)]
mod tests;
