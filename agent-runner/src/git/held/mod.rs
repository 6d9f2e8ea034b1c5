//! What coding agents read as configuration or instructions is the base branch's in the workspace, whatever the ticket's
//! branch has there: it never lies in the workspace, not even for a moment, since an agent may start meanwhile.
//!
//! The branch keeps its versions. What the agent itself changes in such a file is a change like any other, and is carried
//! over to the branch's version.

mod rules;

use super::walk::{GITLINK, as_path};
use git2::build::CheckoutBuilder;
use git2::{FileFavor, Index, IndexEntry, IndexTime, MergeFileOptions, Oid, Repository};
use rules::Rules;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The file mode of a symbolic link in a tree.
const LINK: u32 = 0o120_000;
/// The bits of an entry's flags that say which side of a conflict it is.
const STAGE: u16 = 0x3000;

/// What is at a path in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    id: Oid,
    mode: u32,
}

impl Version {
    fn of(entry: &IndexEntry) -> Self {
        Self { id: entry.id, mode: entry.mode }
    }
}

/// The files of a workspace that are held to the base branch's version.
pub(super) struct Held {
    rules: Rules,
    base: Index,
    /// What the workspace has at a path where the branch has something else; none where it has no file.
    shown: BTreeMap<Vec<u8>, Option<Version>>,
}

impl Held {
    /// Reads from the base which files these are.
    pub(super) fn of_base(repo: &Repository, base: Oid) -> Result<Self, git2::Error> {
        let base = index_of(repo, base)?;
        Ok(Self { rules: Rules::of_base(repo, &base), base, shown: BTreeMap::new() })
    }

    /// Checks out a commit, but what is held as the base has it. The index is the commit's.
    pub(super) fn check_out(&mut self, repo: &Repository, at: Oid) -> Result<(), git2::Error> {
        let own = index_of(repo, at)?;
        let mut shown = BTreeMap::new();
        let mut mixed = index_of(repo, at)?;
        for path in self.differing(&own) {
            if version(&own, &path).is_some() {
                mixed.remove_path(as_path(&path))?;
            }
            let entry = entry_at(&self.base, &path).filter(|_| self.has_place_for(&own, &path));
            shown.insert(path, entry);
        }
        for entry in shown.values().flatten() {
            mixed.add(entry)?;
        }
        let tree = match shown.is_empty() {
            true => repo.find_commit(at)?.tree()?,
            false => repo.find_tree(mixed.write_tree_to(repo)?)?,
        };
        repo.checkout_tree(tree.as_object(), Some(CheckoutBuilder::new().force()))?;
        let mut index = repo.index()?;
        for path in shown.keys() {
            match entry_at(&own, path) {
                Some(entry) => index.add(&entry)?,
                None => index.remove_path(as_path(path))?,
            }
        }
        index.write()?;
        self.shown = shown.into_iter().map(|(path, entry)| (path, entry.as_ref().map(Version::of))).collect();
        self.shown.retain(|path, shown| version(&own, path) != *shown);
        Ok(())
    }

    /// The held paths at which an index is not as the base.
    fn differing(&self, own: &Index) -> BTreeSet<Vec<u8>> {
        let entries = self.base.iter().chain(own.iter());
        let held = entries.filter(|entry| entry.mode != GITLINK && self.rules.hold(&entry.path));
        held.map(|entry| entry.path).filter(|path| version(own, path) != version(&self.base, path)).collect()
    }

    /// A file of the base is not put into a directory that the branch has removed.
    fn has_place_for(&self, own: &Index, path: &[u8]) -> bool {
        let directory = &path[..self.rules.start(path).unwrap_or_default()];
        directory.is_empty() || own.find_prefix(directory).is_ok()
    }

    /// Settles the conflicts of a merge in held files: the branch's lines stay, since no agent sees both sides. Returns
    /// the paths that a checkout of the merge has to bring: what it changed, but of held files only the base's.
    pub(super) fn settle(&self, repo: &Repository, merged: &mut Index, at: Oid) -> Result<Vec<Vec<u8>>, git2::Error> {
        let mut conflicts = Vec::new();
        for conflict in merged.conflicts()? {
            conflicts.push(conflict?);
        }
        let mut paths = Vec::new();
        for conflict in conflicts {
            let sides = [&conflict.our, &conflict.their, &conflict.ancestor];
            let Some(path) = sides.into_iter().flatten().next().map(|entry| entry.path.clone()) else { continue };
            if !self.rules.hold(&path) {
                paths.push(path);
                continue;
            }
            merged.conflict_remove(as_path(&path))?;
            let Some(ours) = conflict.our else { continue };
            let theirs = conflict.their.unwrap_or_else(|| ours.clone());
            let ancestor = conflict.ancestor.unwrap_or_else(|| theirs.clone());
            merged.add(&merged_file(repo, &ancestor, &ours, &theirs, FileFavor::Ours)?)?;
        }
        let own = index_of(repo, at)?;
        let both = own.iter().chain(merged.iter()).map(|entry| entry.path).collect::<BTreeSet<_>>();
        paths.extend(both.into_iter().filter(|path| {
            let new = version(merged, path);
            new != version(&own, path) && (!self.rules.hold(path) || new == version(&self.base, path))
        }));
        Ok(paths)
    }

    /// After the workspace was brought to a merge: what it shows where the merge has something else.
    pub(super) fn note_merge(&mut self, merged: &Index, at: &Index) {
        let mut shown = BTreeMap::new();
        for path in self.differing(merged) {
            let before = self.shown.get(&path).copied().unwrap_or_else(|| version(at, &path));
            shown.insert(path, before);
        }
        shown.retain(|path, shown| version(merged, path) != *shown);
        self.shown = shown;
    }

    /// The paths at which the workspace still has what it was given, so that the branch keeps its own version there.
    pub(super) fn untouched(&self, root: &Path) -> HashSet<Vec<u8>> {
        let untouched = self.shown.iter().filter(|(path, shown)| in_workspace(root, path) == Some(**shown));
        untouched.map(|(path, _)| path.clone()).collect()
    }

    /// What the branch has where the agent has changed a file that is not the branch's.
    pub(super) fn edited(&self, untouched: &HashSet<Vec<u8>>, index: &Index) -> Vec<(Vec<u8>, Option<IndexEntry>)> {
        let edited = self.shown.keys().filter(|path| !untouched.contains(*path));
        edited.map(|path| (path.clone(), entry_at(index, path))).collect()
    }

    /// Carries the agent's changes over to the branch's versions. `index` has the workspace's.
    pub(super) fn carry_over(
        &mut self,
        repo: &Repository,
        index: &mut Index,
        edited: Vec<(Vec<u8>, Option<IndexEntry>)>,
    ) -> Result<(), git2::Error> {
        for (path, branchs) in edited {
            let agents = entry_at(index, &path);
            let shown = self.shown.get(&path).copied().flatten();
            if let (Some(shown), Some(branchs), Some(agents)) = (shown, branchs, agents.as_ref()) {
                let shown = IndexEntry { id: shown.id, mode: shown.mode, ..plain(&branchs) };
                let merged = merged_file(repo, &shown, &branchs, agents, FileFavor::Theirs)?;
                index.add(&merged)?;
            }
            let now = agents.as_ref().map(Version::of);
            if now == version(index, &path) {
                self.shown.remove(&path);
            } else {
                self.shown.insert(path, now);
            }
        }
        Ok(())
    }

    /// The paths where the workspace does not show the branch's version, readable.
    pub(super) fn held_paths(&self) -> Vec<String> {
        self.shown.keys().map(|path| readable(path)).collect()
    }

    /// A line for each held path at which a commit is not as the base.
    pub(super) fn changed_in(&self, repo: &Repository, commit: Oid) -> Result<Vec<String>, git2::Error> {
        let own = index_of(repo, commit)?;
        let line = |path: &Vec<u8>| {
            let kind = match (version(&self.base, path), version(&own, path)) {
                (None, _) => "new",
                (_, None) => "deleted",
                _ => "changed",
            };
            format!("{} ({kind})", readable(path))
        };
        Ok(self.differing(&own).iter().map(line).collect())
    }
}

fn readable(path: &[u8]) -> String {
    String::from_utf8_lossy(path).escape_debug().to_string()
}

pub(super) fn index_of(repo: &Repository, commit: Oid) -> Result<Index, git2::Error> {
    let mut index = Index::new()?;
    index.read_tree(&repo.find_commit(commit)?.tree()?)?;
    Ok(index)
}

fn entry_at(index: &Index, path: &[u8]) -> Option<IndexEntry> {
    index.get_path(as_path(path), 0)
}

fn version(index: &Index, path: &[u8]) -> Option<Version> {
    entry_at(index, path).as_ref().map(Version::of)
}

/// An entry that is no side of a conflict, and that says nothing about a file in the workspace.
fn plain(entry: &IndexEntry) -> IndexEntry {
    let never = IndexTime::new(0, 0);
    IndexEntry {
        ctime: never,
        mtime: never,
        dev: 0,
        ino: 0,
        uid: 0,
        gid: 0,
        mode: entry.mode,
        file_size: 0,
        id: entry.id,
        flags: entry.flags & !STAGE,
        flags_extended: 0,
        path: entry.path.clone(),
    }
}

/// Both sides' changes to a file; where they meet, one side's. Links, and what can't be merged, are wholly that side's.
fn merged_file(
    repo: &Repository,
    ancestor: &IndexEntry,
    ours: &IndexEntry,
    theirs: &IndexEntry,
    favor: FileFavor,
) -> Result<IndexEntry, git2::Error> {
    let favored = if matches!(favor, FileFavor::Ours) { ours } else { theirs };
    let is_file = |entry: &IndexEntry| entry.mode & 0o170_000 == 0o100_000;
    let mut entry = plain(favored);
    if [ancestor, ours, theirs].into_iter().all(is_file)
        && let Ok(merged) =
            repo.merge_file_from_index(ancestor, ours, theirs, Some(MergeFileOptions::new().favor(favor)))
    {
        entry.id = repo.blob(merged.content())?;
    }
    Ok(entry)
}

/// What the workspace has at a path: some file, or none; and no answer where that can't be told.
fn in_workspace(root: &Path, path: &[u8]) -> Option<Option<Version>> {
    let path = root.join(as_path(path));
    let Ok(metadata) = path.symlink_metadata() else { return Some(None) };
    let kind = metadata.file_type();
    if kind.is_dir() {
        return Some(None);
    }
    if kind.is_symlink() {
        let target = path.read_link().ok()?;
        let id = Oid::hash_object(git2::ObjectType::Blob, target.as_os_str().as_bytes()).ok()?;
        return Some(Some(Version { id, mode: LINK }));
    }
    if !kind.is_file() {
        return None;
    }
    let id = Oid::hash_file(git2::ObjectType::Blob, &path).ok()?;
    let mode = if metadata.permissions().mode() & 0o100 == 0 { 0o100_644 } else { 0o100_755 };
    Some(Some(Version { id, mode }))
}
