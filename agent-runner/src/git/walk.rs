//! Brings the index to what is in the workspace. A path that can't be committed costs that path alone: it is named, and
//! the branch keeps what it had there.

use super::skipped::{self, Reason, Skipped};
use git2::{AttrCheckFlags, Index, IndexEntry, Repository};
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::ops::Bound;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use terarchitect_outbound::Mask;

/// The largest new or changed file that is committed, in bytes. GitHub refuses a push with a larger one, and with it the
/// whole branch.
pub(super) const MAX_FILE_BYTES: u64 = 100 * 1024 * 1024;
/// The file mode of a submodule in a tree.
pub(super) const GITLINK: u32 = 0o160_000;
/// The bits of a mode that say that a file is executable by its owner.
const EXECUTABLE: u32 = 0o100;
/// Two changes within this many seconds can leave the same time stamps, so such a file is read again.
const STAMP_SECONDS: i64 = 2;
/// How a Git LFS pointer starts: <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Brings `index` to what is in `root`: new, changed and deleted files, but nothing that the repository ignores.
/// `trusted_before` is a time in seconds since 1970: a file with the index's time stamps is known to be unchanged if its
/// own are older. At the paths of `kept` the index stays as it is. A file with one of the `secrets` is left out.
///
/// # Errors
/// The index can't be changed. A file that can't be added is no error.
pub(super) fn update_index(
    repo: &Repository,
    index: &mut Index,
    (root, secrets): (&Path, &Mask),
    trusted_before: i64,
    kept: HashSet<Vec<u8>>,
) -> Result<Vec<Skipped>, git2::Error> {
    let tracked = index.iter().map(|entry| (entry.path.clone(), entry)).collect();
    let kept = Kept { paths: kept, directories: Vec::new() };
    let mut walk = Walk { tracked, trusted_before, kept, ..Walk::empty(repo, root, secrets) };
    walk.all();
    let Walk { tracked, seen, changed, mut skipped, kept, .. } = walk;
    let submodules = fs::read(root.join(".gitmodules")).unwrap_or_default();
    for (path, entry) in tracked.iter().filter(|(path, _)| !seen.contains(*path) && !kept.covers(path)) {
        // A submodule's directory is empty where it was not fetched, and tools remove empty directories.
        if entry.mode != GITLINK || !names(&submodules, path) {
            index.remove_path(as_path(path))?;
        }
    }
    for path in changed {
        if let Err(error) = index.add_path(as_path(&path)) {
            // A file that disappeared meanwhile is found missing by the next commit.
            if root.join(as_path(&path)).symlink_metadata().is_ok() {
                skipped.push(Skipped::new(&path, skipped::reason_of(&error)));
            }
        }
    }
    Ok(skipped)
}

/// Whether the text of a `.gitmodules` has a submodule at this path.
fn names(submodules: &[u8], path: &[u8]) -> bool {
    submodules.split(|&byte| byte == b'\n').any(|line| {
        let value = line.splitn(2, |&byte| byte == b'=').nth(1).map(<[u8]>::trim_ascii);
        line.trim_ascii_start().starts_with(b"path") && value == Some(path)
    })
}

/// Paths whose entries stay in the index as they are.
#[derive(Default)]
struct Kept {
    paths: HashSet<Vec<u8>>,
    directories: Vec<Vec<u8>>,
}

impl Kept {
    fn covers(&self, path: &[u8]) -> bool {
        self.paths.contains(path) || self.directories.iter().any(|directory| path.starts_with(directory))
    }
}

struct Walk<'a> {
    repo: &'a Repository,
    root: &'a Path,
    secrets: &'a Mask,
    tracked: BTreeMap<Vec<u8>, IndexEntry>,
    trusted_before: i64,
    seen: HashSet<Vec<u8>>,
    changed: Vec<Vec<u8>>,
    kept: Kept,
    skipped: Vec<Skipped>,
    /// Directories that are still to be read, each with a slash at its end; the root is empty.
    waiting: Vec<Vec<u8>>,
}

impl<'a> Walk<'a> {
    fn empty(repo: &'a Repository, root: &'a Path, secrets: &'a Mask) -> Self {
        Self {
            repo,
            root,
            secrets,
            tracked: BTreeMap::new(),
            trusted_before: 0,
            seen: HashSet::new(),
            changed: Vec::new(),
            kept: Kept::default(),
            skipped: Vec::new(),
            waiting: vec![Vec::new()],
        }
    }

    fn all(&mut self) {
        while let Some(directory) = self.waiting.pop() {
            if let Err(error) = self.directory(&directory) {
                self.skip_directory(directory, Reason::Unreadable(error.to_string()));
            }
        }
    }

    fn directory(&mut self, directory: &[u8]) -> io::Result<()> {
        let mut entries = fs::read_dir(self.root.join(as_path(directory)))?.collect::<io::Result<Vec<DirEntry>>>()?;
        entries.sort_by_key(DirEntry::file_name);
        // These come first, because every question whether something is ignored reads them.
        for entry in entries.iter().filter(|entry| is_rules_file(&entry.file_name())) {
            remove_if_it_blocks(entry)?;
        }
        for entry in entries {
            let name = entry.file_name().into_vec();
            let path = [directory, &name].concat();
            match entry.path().symlink_metadata() {
                Ok(metadata) => self.entry(&name, path, &metadata),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.skip(path, Reason::Unreadable(error.to_string())),
            }
        }
        Ok(())
    }

    fn entry(&mut self, name: &[u8], path: Vec<u8>, metadata: &Metadata) {
        if name == b".git" || self.kept.paths.contains(&path) {
            return;
        }
        let kind = metadata.file_type();
        if name.eq_ignore_ascii_case(b".git") || name.eq_ignore_ascii_case(b"git~1") {
            let reason = Reason::Name;
            return if kind.is_dir() { self.skip_directory(slashed(path), reason) } else { self.skip(path, reason) };
        }
        if kind.is_dir() {
            return self.subdirectory(path);
        }
        let tracked = self.tracked.get(&path);
        if tracked.is_some_and(|entry| entry.mode == GITLINK) || (tracked.is_none() && self.is_ignored(&path)) {
            return;
        }
        if kind.is_fifo() || kind.is_socket() || kind.is_block_device() || kind.is_char_device() {
            return self.skip(path, Reason::Special);
        }
        let unchanged = tracked.is_some_and(|entry| self.is_unchanged(entry, metadata));
        if unchanged {
            self.seen.insert(path);
        } else if kind.is_file() && metadata.len() > MAX_FILE_BYTES {
            self.skip(path, Reason::TooLarge(metadata.len()));
        } else if kind.is_file() && self.belongs_to_lfs(&path) {
            self.skip(path, Reason::Lfs);
        } else if kind.is_file() && self.has_secret(&path) {
            self.skip(path, Reason::Secret);
        } else {
            self.seen.insert(path.clone());
            self.changed.push(path);
        }
    }

    fn subdirectory(&mut self, path: Vec<u8>) {
        if self.tracked.get(&path).is_some_and(|entry| entry.mode == GITLINK) {
            self.seen.insert(path);
            return;
        }
        let directory = slashed(path);
        if !self.has_tracked_files(&directory) {
            if self.is_ignored(&directory) {
                return;
            }
            if is_clone(&self.root.join(as_path(&directory))) {
                return self.skip_directory(directory, Reason::Repository);
            }
        }
        self.waiting.push(directory);
    }

    fn has_tracked_files(&self, directory: &[u8]) -> bool {
        let from = self.tracked.range::<[u8], _>((Bound::Included(directory), Bound::Unbounded));
        from.take(1).any(|(path, _)| path.starts_with(directory))
    }

    fn is_ignored(&self, path: &[u8]) -> bool {
        self.repo.is_path_ignored(as_path(path)).unwrap_or(false)
    }

    fn is_unchanged(&self, entry: &IndexEntry, now: &Metadata) -> bool {
        let same = |stamp: git2::IndexTime, seconds: i64, nanoseconds: i64| {
            i64::from(stamp.seconds()) == seconds && i64::from(stamp.nanoseconds()) == nanoseconds
        };
        let is_link = now.file_type().is_symlink();
        let same_kind = entry.mode & 0o170_000 == if is_link { 0o120_000 } else { 0o100_000 };
        same_kind
            && (is_link || (entry.mode & EXECUTABLE != 0) == (now.mode() & EXECUTABLE != 0))
            && u64::from(entry.file_size) == now.len()
            && same(entry.mtime, now.mtime(), now.mtime_nsec())
            && same(entry.ctime, now.ctime(), now.ctime_nsec())
            && now.ctime() < self.trusted_before - STAMP_SECONDS
    }

    /// Whether a secret is in the file. One that can't be read is found out when it is added.
    fn has_secret(&self, path: &[u8]) -> bool {
        fs::File::open(self.root.join(as_path(path))).and_then(|file| self.secrets.is_in(file)).unwrap_or(false)
    }

    /// Whether Git LFS would keep the file, and the file is not a pointer to what is kept there.
    fn belongs_to_lfs(&self, path: &[u8]) -> bool {
        let filter = self.repo.get_attr(as_path(path), "filter", AttrCheckFlags::FILE_THEN_INDEX);
        filter.is_ok_and(|filter| filter == Some("lfs")) && !is_lfs_pointer(&self.root.join(as_path(path)))
    }

    fn skip(&mut self, path: Vec<u8>, reason: Reason) {
        self.skipped.push(Skipped::new(&path, reason));
        self.kept.paths.insert(path);
    }

    fn skip_directory(&mut self, directory: Vec<u8>, reason: Reason) {
        self.skipped.push(Skipped::new(&directory, reason));
        self.kept.directories.push(directory);
    }
}

/// A path for people: one that is no text, or that has control characters, with escapes.
pub(super) fn readable(path: &[u8]) -> String {
    String::from_utf8_lossy(path).escape_debug().to_string()
}

pub(super) fn as_path(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}

fn slashed(mut path: Vec<u8>) -> Vec<u8> {
    path.push(b'/');
    path
}

fn is_rules_file(name: &OsStr) -> bool {
    name == ".gitignore" || name == ".gitattributes"
}

/// Opening a pipe waits until something writes to it, which would block the attempt for good.
fn remove_if_it_blocks(entry: &DirEntry) -> io::Result<()> {
    let blocks = fs::metadata(entry.path()).is_ok_and(|target| !target.is_file() && !target.is_dir());
    if blocks {
        tracing::warn!(path = %entry.path().display(), "removed a file of git's rules that is a pipe or a device");
        fs::remove_file(entry.path())?;
    }
    Ok(())
}

fn is_lfs_pointer(path: &Path) -> bool {
    use std::io::Read;
    let mut start = Vec::with_capacity(LFS_POINTER.len());
    let read = fs::File::open(path).and_then(|file| file.take(LFS_POINTER.len() as u64).read_to_end(&mut start));
    read.is_ok() && start == LFS_POINTER
}

/// Whether a directory is a repository that came from elsewhere: a clone, a worktree or a submodule. One that was
/// created in place has no remote; what is in it is the agent's own work.
fn is_clone(directory: &Path) -> bool {
    let git = directory.join(".git");
    let Ok(metadata) = git.symlink_metadata() else { return false };
    if metadata.is_file() {
        return true;
    }
    let config = git.join("config");
    let is_file = config.symlink_metadata().is_ok_and(|config| config.is_file());
    is_file && fs::read_to_string(config).is_ok_and(|config| config.contains("[remote "))
}
