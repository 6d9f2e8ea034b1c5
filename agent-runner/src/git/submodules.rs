//! Fills submodules, where the project asks for it: each commit that the branch names, without its history.
//!
//! Their files are there to be built and read, in the workspace and in the clean checkout of a verification. What an agent changes in them is not committed, and what agents would take
//! as instructions is left out, since it is not the base branch's.

use super::held::Held;
use super::remote::Connection;
use super::walk::{GITLINK, as_path};
use super::{CloneRequest, GitError, RemoteUrl, init};
use git2::build::CheckoutBuilder;
use git2::{Config, FetchOptions, Index, ObjectType, Oid, Repository, RepositoryInitOptions};
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// No more submodules are filled in one repository.
const MAX_SUBMODULES: usize = 200;

/// A submodule that was not filled.
pub(super) struct NotFilled {
    pub(super) path: Vec<u8>,
    /// Why, in one sentence.
    pub(super) reason: String,
}

/// Fills the submodules of the index. One that can't be filled is named, and its directory stays empty.
pub(super) fn fill(
    repo: &Repository,
    request: &CloneRequest,
    cancel: &CancellationToken,
) -> Result<Vec<NotFilled>, GitError> {
    let failed = |source| GitError::new("could not read the repository's submodules", source);
    let index = repo.index().map_err(failed)?;
    let links = index.iter().filter(|entry| entry.mode == GITLINK).take(MAX_SUBMODULES);
    let mut not_filled = Vec::new();
    for entry in links {
        let filled =
            inner_request(request, &request.workdir, &entry.path).and_then(|inner| fill_one(&inner, entry.id, cancel));
        if cancel.is_cancelled() {
            return Err(GitError::Cancelled);
        }
        if let Err(reason) = filled {
            not_filled.push(NotFilled { path: entry.path, reason });
        }
    }
    Ok(not_filled)
}

/// Fills the submodules of a clean checkout, all of their files: no agent works there. What the clone fetched is taken from its git
/// directories, which no agent can change; only what the branch names since is fetched. One that can't be filled is named, and its
/// directory stays empty.
pub(super) fn fill_clean(
    tree: &Index,
    into: &Path,
    request: &CloneRequest,
    cancel: &CancellationToken,
) -> Result<Vec<NotFilled>, GitError> {
    let links = tree.iter().filter(|entry| entry.mode == GITLINK).take(MAX_SUBMODULES);
    let mut not_filled = Vec::new();
    for entry in links {
        let filled =
            inner_request(request, into, &entry.path).and_then(|inner| fill_one_clean(&inner, entry.id, cancel));
        if cancel.is_cancelled() {
            return Err(GitError::Cancelled);
        }
        if let Err(reason) = filled {
            not_filled.push(NotFilled { path: entry.path, reason });
        }
    }
    Ok(not_filled)
}

/// How the submodule at a path of a checkout is fetched.
fn inner_request(request: &CloneRequest, checkout: &Path, path: &[u8]) -> Result<CloneRequest, String> {
    let url = address(&checkout.join(".gitmodules"), path).and_then(|url| beside(&request.url, &url));
    let url = url.ok_or("its .gitmodules names no usable address for it")?;
    // By its path and address, since the branch may come to name another repository there.
    let name = [path, b"\0", url.as_str().as_bytes()].concat();
    let name = Oid::hash_object(ObjectType::Blob, &name).map_err(|error| error.message().to_owned())?;
    let git_dir = request.git_dir.join(format!("modules/{name}"));
    Ok(CloneRequest { url, workdir: checkout.join(as_path(path)), git_dir, ..request.clone() })
}

fn fill_one_clean(request: &CloneRequest, commit: Oid, cancel: &CancellationToken) -> Result<(), String> {
    let said = |error: git2::Error| error.message().to_owned();
    // Not `init`, which would note this checkout as the place of the workspace's files.
    let mut options = RepositoryInitOptions::new();
    options.bare(true).external_template(false);
    let repo = Repository::init_opts(&request.git_dir, &options).map_err(said)?;
    if repo.find_commit(commit).is_err() {
        let connection = Connection { request, cancel };
        fetch(&repo, &connection, commit).map_err(|error| terarchitect_outbound::chain(&error))?;
    }
    let tree = repo.find_commit(commit).and_then(|commit| commit.tree()).map_err(said)?;
    let mut checkout = CheckoutBuilder::new();
    checkout.force().update_index(false).refresh(false).target_dir(&request.workdir);
    repo.checkout_tree(tree.as_object(), Some(&mut checkout)).map_err(said)
}

fn fill_one(request: &CloneRequest, commit: Oid, cancel: &CancellationToken) -> Result<(), String> {
    let repo = init(request).map_err(|error| error.message().to_owned())?;
    let connection = Connection { request, cancel };
    fetch(&repo, &connection, commit).map_err(|error| terarchitect_outbound::chain(&error))?;
    let checked_out = Held::of_nothing().check_out(&repo, commit);
    checked_out.map_err(|error| error.message().to_owned())
}

/// Fetches the commit alone, where the remote allows it, else everything.
fn fetch(repo: &Repository, connection: &Connection<'_>, commit: Oid) -> Result<(), GitError> {
    let url = connection.request.url.as_str();
    let everything = "+refs/heads/*:refs/remotes/origin/*".to_owned();
    for (refspec, depth) in [(format!("+{commit}:refs/heads/filled"), 1), (everything, 0)] {
        let mut options = FetchOptions::new();
        options.remote_callbacks(connection.callbacks()).download_tags(git2::AutotagOption::None);
        options.proxy_options(connection.proxy()?).follow_redirects(git2::RemoteRedirect::None);
        if connection.request.url.is_http() {
            options.depth(depth);
        }
        let fetched =
            repo.remote_anonymous(url).and_then(|mut remote| remote.fetch(&[&refspec], Some(&mut options), None));
        if repo.find_commit(commit).is_ok() {
            return Ok(());
        }
        if let (Err(source), 0) = (fetched, depth) {
            return Err(connection.error("could not fetch from the repository", source));
        }
    }
    Err(GitError::new("the remote does not have the commit", git2::Error::from_str(&commit.to_string())))
}

/// The address that `.gitmodules` has for the submodule at a path. Nothing else of that file counts.
fn address(gitmodules: &Path, path: &[u8]) -> Option<String> {
    gitmodules.symlink_metadata().ok().filter(std::fs::Metadata::is_file)?;
    let config = Config::open(gitmodules).ok()?;
    let path = std::str::from_utf8(path).ok()?;
    let mut entries = config.entries(Some(r"submodule\..*\.path")).ok()?;
    while let Some(entry) = entries.next() {
        let entry = entry.ok()?;
        if entry.value().ok() == Some(path) {
            let name = entry.name().ok()?.strip_suffix(".path")?.to_owned();
            return config.get_string(&format!("{name}.url")).ok();
        }
    }
    None
}

/// An address as it is written in a repository at `base`: `../other` is beside it.
fn beside(base: &RemoteUrl, written: &str) -> Option<RemoteUrl> {
    if !written.starts_with("./") && !written.starts_with("../") {
        return RemoteUrl::parse(written).ok().filter(RemoteUrl::is_http);
    }
    let base = base.as_url()?;
    let directory: url::Url = format!("{}/", base.as_str().trim_end_matches('/')).parse().ok()?;
    RemoteUrl::parse(directory.join(written).ok()?.as_str()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_where_the_repository_is() {
        let base = RemoteUrl::parse("https://host/owner/repo.git").unwrap();
        let found = |written: &str| beside(&base, written).map(|url| url.as_str().to_owned());
        assert_eq!(found("../other.git").as_deref(), Some("https://host/owner/other.git"));
        assert_eq!(found("../../team/other").as_deref(), Some("https://host/team/other"));
        assert_eq!(found("git@elsewhere:o/r.git").as_deref(), Some("https://elsewhere/o/r.git"));
        assert_eq!(found("/etc/passwd"), None);
        assert_eq!(found("file:///etc"), None);
    }
}
