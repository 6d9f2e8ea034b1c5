//! Commits that could not be pushed wait in a file for the next attempt, so that no finished turn is paid for twice.
//!
//! The file is authenticated with the forge's token, which agents never see: on a volume that they can write to, nothing
//! else could be put in its place. What is damaged, old, or no longer fits the remote is removed, and costs nothing.

use super::remote::Connection;
use super::{GitError, Workspace, fetch, reopen, update};
use git2::{Oid, Repository};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// After this time the commits are no longer waited for.
const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The largest file, in bytes. Agents can write to the same volume, and a huge file there must not end the runner.
const MAX_FILE_BYTES: u64 = 1024 * 1024 * 1024;
/// The length of the signature in front, in bytes.
const SIGNATURE_BYTES: usize = 32;
/// How the names of these files end, and of those that are set aside.
const ENDING: &str = "commits";
const REFUSED_ENDING: &str = "refused";

/// A directory for commits that could not be pushed.
#[derive(Clone, Debug)]
pub struct Shelf {
    dir: PathBuf,
    key: Option<SecretString>,
}

/// What a file says before its pack.
#[derive(Serialize, Deserialize)]
struct Label {
    url: String,
    branch: String,
    /// The branch's head.
    head: String,
    /// The head of the branch at the remote, where it had one.
    onto: Option<String>,
    /// The commits that the pack's commits follow.
    follows: Vec<String>,
    /// Whether the remote refused them.
    refused: bool,
}

/// Commits from a file, which are in the repository now.
pub(super) struct Restored {
    pub(super) head: Oid,
    /// The commits that they follow; the repository may not have them yet.
    pub(super) follows: Vec<Oid>,
    /// Whether the remote refused them.
    pub(super) refused: bool,
}

impl Shelf {
    /// Files go into `dir`, which is created when there is something to keep. `key` authenticates them.
    #[must_use]
    pub fn new(dir: PathBuf, key: Option<SecretString>) -> Self {
        Self { dir, key }
    }

    fn file(&self, url: &str, branch: &str) -> PathBuf {
        let digest = Sha256::digest(format!("{url}\n{branch}"));
        let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.dir.join(format!("{name}.{ENDING}"))
    }

    fn mac(&self) -> Hmac<Sha256> {
        let key = self.key.as_ref().map(|key| key.expose_secret().as_bytes()).unwrap_or_default();
        Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
    }

    /// Writes atomically: a kill leaves the old file, or the new one.
    fn write(&self, label: &Label, pack: &[u8]) -> io::Result<()> {
        if pack.len() as u64 > MAX_FILE_BYTES / 2 {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "they are larger than 512 MiB"));
        }
        fs::create_dir_all(&self.dir)?;
        let path = self.file(&label.url, &label.branch);
        let label = serde_json::to_vec(label).map_err(io::Error::other)?;
        let signature = self.mac().chain_update(&label).chain_update(b"\n").chain_update(pack).finalize();
        let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
        for part in [signature.into_bytes().as_slice(), &label, b"\n", pack] {
            file.write_all(part)?;
        }
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(&self.dir)?.sync_all()
    }

    /// The file's label and pack, if both are genuine.
    fn read(&self, path: &Path) -> Option<(Label, Vec<u8>)> {
        // A directory, a pipe or a huge file in the file's place is none of ours.
        let usable = |found: &fs::Metadata| found.is_file() && found.len() <= MAX_FILE_BYTES;
        let content = path.symlink_metadata().ok().filter(usable).and_then(|_| fs::read(path).ok())?;
        let (signature, signed) = content.split_at_checked(SIGNATURE_BYTES)?;
        self.mac().chain_update(signed).verify_slice(signature).ok()?;
        let end = signed.iter().position(|&byte| byte == b'\n')?;
        let label = serde_json::from_slice(&signed[..end]).ok()?;
        Some((label, signed[end + 1..].to_vec()))
    }

    /// Removes what is too old. A failure is left to the next time.
    fn tidy(&self) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            let age = entry.metadata().and_then(|metadata| metadata.modified()).ok();
            let is_old =
                age.and_then(|time| SystemTime::now().duration_since(time).ok()).is_some_and(|age| age > MAX_AGE);
            if is_old && path.extension().is_some_and(|ending| ending == ENDING || ending == REFUSED_ENDING) {
                let _ = fs::remove_file(path);
            }
        }
    }

    /// Brings what was kept of a branch into the repository; none if there is nothing that fits the remote.
    fn restore(&self, repo: &Repository, url: &str, branch: &str, at_remote: Option<Oid>) -> Option<Restored> {
        self.tidy();
        let path = self.file(url, branch);
        path.symlink_metadata().ok()?;
        let restored = self.read(&path).and_then(|(label, pack)| {
            let fits = label.url == url && label.branch == branch && label.onto == at_remote.map(|id| id.to_string());
            if fits { unpack(repo, &label, &pack) } else { None }
        });
        if restored.is_none() {
            tracing::warn!(path = %path.display(), "commits of an earlier attempt are damaged or no longer fit; left them out");
            self.remove(url, branch);
        }
        restored
    }

    pub(super) fn remove(&self, url: &str, branch: &str) {
        let path = self.file(url, branch);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(path = %path.display(), %error, "could not remove commits that were kept"),
        }
    }
}

fn unpack(repo: &Repository, label: &Label, pack: &[u8]) -> Option<Restored> {
    let head = Oid::from_str(&label.head).ok()?;
    let follows = label.follows.iter().map(|id| Oid::from_str(id)).collect::<Result<Vec<Oid>, _>>().ok()?;
    let odb = repo.odb().ok()?;
    let mut writer = odb.packwriter().ok()?;
    writer.write_all(pack).ok()?;
    writer.commit().ok()?;
    odb.refresh().ok()?;
    repo.find_commit(head).ok()?;
    Some(Restored { head, follows, refused: label.refused })
}

/// What an earlier attempt could not push. A shallow fetch may not have what it follows, so more is fetched
/// until it does.
pub(super) fn restore(
    repo: &mut Repository,
    connection: &Connection<'_>,
    branches: &[&str],
    at_remote: Option<Oid>,
) -> Result<Option<Restored>, GitError> {
    let (url, branch) = (connection.request.url.as_str(), &connection.request.branch);
    let Some(shelf) = &connection.request.shelf else { return Ok(None) };
    let Some(restored) = shelf.restore(repo, url, branch, at_remote) else { return Ok(None) };
    let is_whole = |repo: &Repository| restored.follows.iter().all(|&id| repo.find_commit(id).is_ok());
    for depth in update::DEPTHS {
        if !is_whole(repo) && repo.is_shallow() {
            fetch(repo, connection, branches, depth)?;
            // The old handle remembers the commits at which the first fetch ended as ones without parents.
            *repo = reopen(connection.request)
                .map_err(|source| GitError::new("could not read what was fetched", source))?;
        }
    }
    if is_whole(repo) {
        return Ok(Some(restored));
    }
    shelf.remove(url, branch);
    Ok(None)
}

impl Workspace {
    /// Whether the branch has commits of an earlier attempt that could not be pushed, and still are not.
    #[must_use]
    pub fn is_restored(&self) -> bool {
        self.restored.is_some()
    }

    /// Whether the remote has refused these commits before.
    #[must_use]
    pub fn was_refused(&self) -> bool {
        self.restored.as_ref().is_some_and(|restored| restored.refused)
    }

    /// Keeps the commits that the remote does not have for the next attempt, and returns whether there are any.
    /// `refused` says whether the remote refused them.
    ///
    /// # Errors
    /// They can't be written.
    pub fn shelve(&self, refused: bool) -> Result<bool, GitError> {
        let Some(shelf) = &self.request.shelf else { return Ok(false) };
        let head = self.head()?;
        if !self.has_unpushed(head) {
            return Ok(false);
        }
        let failed = |source| GitError::new("could not keep the commits that were not pushed", source);
        let (follows, pack) = self.pack(head).map_err(failed)?;
        let label = Label {
            url: self.request.url.as_str().to_owned(),
            branch: self.request.branch.clone(),
            head: head.to_string(),
            onto: self.pushed.map(|id| id.to_string()),
            follows: follows.iter().map(ToString::to_string).collect(),
            refused,
        };
        let failed = |source| GitError::Io { attempted: "could not keep the commits that were not pushed", source };
        shelf.write(&label, &pack).map_err(failed)?;
        Ok(true)
    }

    /// Puts what was kept of the branch where no attempt finds it, and returns the file.
    ///
    /// # Errors
    /// It can't be renamed.
    pub fn set_aside(&self) -> Result<PathBuf, GitError> {
        let Some(shelf) = &self.request.shelf else { return Ok(PathBuf::new()) };
        let from = shelf.file(self.request.url.as_str(), &self.request.branch);
        let to = from.with_extension(REFUSED_ENDING);
        fs::rename(from, &to)
            .map_err(|source| GitError::Io { attempted: "could not set the refused commits aside", source })?;
        Ok(to)
    }

    /// Gives up what was kept of the branch.
    pub fn clear_shelf(&self) {
        if let Some(shelf) = &self.request.shelf {
            shelf.remove(self.request.url.as_str(), &self.request.branch);
        }
    }

    fn pack(&self, head: Oid) -> Result<(Vec<Oid>, Vec<u8>), git2::Error> {
        let walk = || -> Result<git2::Revwalk<'_>, git2::Error> {
            let mut walk = self.repo.revwalk()?;
            walk.push(head)?;
            walk.hide_ref(&format!("refs/remotes/origin/{}", self.default_branch))?;
            self.pushed.map_or(Ok(()), |pushed| walk.hide(pushed))?;
            Ok(walk)
        };
        let commits = walk()?.collect::<Result<Vec<Oid>, _>>()?;
        let mut follows = Vec::new();
        for &id in &commits {
            let commit = self.repo.find_commit(id)?;
            follows.extend(commit.parent_ids().filter(|parent| !commits.contains(parent)));
        }
        let mut builder = self.repo.packbuilder()?;
        builder.insert_walk(&mut walk()?)?;
        let mut pack = git2::Buf::new();
        builder.write_buf(&mut pack)?;
        Ok((follows, pack.to_vec()))
    }
}
