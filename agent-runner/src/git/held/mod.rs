//! What coding agents read as configuration or instructions is the base branch's in the workspace, whatever the ticket's
//! branch has there: it never lies in the workspace, not even for a moment, since an agent may start meanwhile.
//!
//! The branch keeps its versions. What the agent itself changes in such a file is a change like any other, and is carried
//! over to the branch's version.

mod rules;

use super::walk::{GITLINK, as_path, readable};
use git2::build::CheckoutBuilder;
use git2::{FileFavor, Index, IndexEntry, IndexTime, MergeFileOptions, Oid, Repository};
use rules::Rules;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The file mode of a symbolic link in a tree.
const LINK: u32 = 0o120_000;

/// What is at a path in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    id: Oid,
    mode: u32,
}

/// Held files by their paths.
type Files = BTreeMap<Vec<u8>, Version>;

impl Version {
    fn of(entry: &IndexEntry) -> Self {
        Self { id: entry.id, mode: entry.mode }
    }

    /// An entry for an index that says nothing about a file in the workspace.
    fn at(self, path: &[u8]) -> IndexEntry {
        let never = IndexTime::new(0, 0);
        IndexEntry {
            ctime: never,
            mtime: never,
            dev: 0,
            ino: 0,
            uid: 0,
            gid: 0,
            mode: self.mode,
            file_size: 0,
            id: self.id,
            flags: 0,
            flags_extended: 0,
            path: path.to_owned(),
        }
    }
}

/// What the branch has where the agent has changed a file that is held, or nothing.
pub(super) struct Edited(Vec<(Vec<u8>, Option<Version>)>);

/// The files of a workspace that are held to the base branch's version.
pub(super) struct Held {
    rules: Rules,
    base: Files,
    /// What the workspace has at a path where the branch has something else; none where it has no file.
    shown: BTreeMap<Vec<u8>, Option<Version>>,
}

impl Held {
    /// Reads from the base which files these are.
    pub(super) fn of_base(repo: &Repository, base: Oid) -> Result<Self, git2::Error> {
        let base = index_of(repo, base)?;
        let rules = Rules::of_base(repo, &base);
        Ok(Self { base: files(&rules, &base), rules, shown: BTreeMap::new() })
    }

    /// For a repository in which nothing is the base's: no file that agents read is checked out.
    pub(super) fn of_nothing() -> Self {
        Self { rules: Rules::default(), base: Files::new(), shown: BTreeMap::new() }
    }

    /// Checks out a commit, but what is held as the base has it. The index is the commit's.
    pub(super) fn check_out(&mut self, repo: &Repository, at: Oid) -> Result<(), git2::Error> {
        let mut mixed = index_of(repo, at)?;
        let own = files(&self.rules, &mixed);
        let mut shown = BTreeMap::new();
        for path in self.differing(&own) {
            let base = self.base.get(&path).copied().filter(|_| self.has_place_for(&mixed, &path));
            if own.get(&path) != base.as_ref() {
                shown.insert(path, base);
            }
        }
        for path in shown.keys().filter(|path| own.contains_key(*path)) {
            mixed.remove_path(as_path(path))?;
        }
        for (path, version) in &shown {
            version.map_or(Ok(()), |version| mixed.add(&version.at(path)))?;
        }
        let tree = match shown.is_empty() {
            true => repo.find_commit(at)?.tree()?,
            false => repo.find_tree(mixed.write_tree_to(repo)?)?,
        };
        repo.checkout_tree(tree.as_object(), Some(CheckoutBuilder::new().force()))?;
        let mut index = repo.index()?;
        for path in shown.keys().filter(|path| !own.contains_key(*path)) {
            index.remove_path(as_path(path))?;
        }
        for path in shown.keys() {
            own.get(path).map_or(Ok(()), |version| index.add(&version.at(path)))?;
        }
        index.write()?;
        self.shown = shown;
        Ok(())
    }

    /// The paths at which held files are not as the base's.
    fn differing(&self, own: &Files) -> BTreeSet<Vec<u8>> {
        let paths = self.base.keys().chain(own.keys());
        paths.filter(|path| own.get(*path) != self.base.get(*path)).cloned().collect()
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
            let Some(ours) = conflict.our.as_ref().map(Version::of) else { continue };
            let theirs = conflict.their.as_ref().map_or(ours, Version::of);
            let ancestor = conflict.ancestor.as_ref().map_or(theirs, Version::of);
            let settled = merged_file(repo, &path, [ancestor, ours, theirs], FileFavor::Ours)?;
            merged.add(&settled.at(&path))?;
        }
        let own = index_of(repo, at)?;
        let both = own.iter().chain(merged.iter()).map(|entry| entry.path).collect::<BTreeSet<_>>();
        paths.extend(both.into_iter().filter(|path| {
            let new = version(merged, path);
            new != version(&own, path) && (!self.rules.hold(path) || new.as_ref() == self.base.get(path))
        }));
        Ok(paths)
    }

    /// After the workspace was brought to a merge: what it shows where the merge has something else.
    pub(super) fn note_merge(&mut self, merged: &Index, at: &Index) {
        let merged = files(&self.rules, merged);
        let mut shown = BTreeMap::new();
        for path in self.differing(&merged) {
            let before = self.shown.get(&path).copied().unwrap_or_else(|| version(at, &path));
            if before.as_ref() != merged.get(&path) {
                shown.insert(path, before);
            }
        }
        self.shown = shown;
    }

    /// The paths at which the workspace still has what it was given, so that the branch keeps its own version there.
    pub(super) fn untouched(&self, root: &Path) -> HashSet<Vec<u8>> {
        let untouched = self.shown.iter().filter(|(path, shown)| in_workspace(root, path) == Some(**shown));
        untouched.map(|(path, _)| path.clone()).collect()
    }

    /// What the branch has where the agent has changed a file that is not the branch's.
    pub(super) fn edited(&self, untouched: &HashSet<Vec<u8>>, index: &Index) -> Edited {
        let edited = self.shown.keys().filter(|path| !untouched.contains(*path));
        Edited(edited.map(|path| (path.clone(), version(index, path))).collect())
    }

    /// Carries the agent's changes over to the branch's versions. `index` has the workspace's.
    pub(super) fn carry_over(
        &mut self,
        repo: &Repository,
        index: &mut Index,
        edited: Edited,
    ) -> Result<(), git2::Error> {
        for (path, branchs) in edited.0 {
            let agents = version(index, &path);
            let shown = self.shown.get(&path).copied().flatten();
            if let (Some(shown), Some(branchs), Some(agents)) = (shown, branchs, agents) {
                let merged = merged_file(repo, &path, [shown, branchs, agents], FileFavor::Theirs)?;
                if merged != agents {
                    index.add(&merged.at(&path))?;
                }
            }
            if agents == version(index, &path) {
                self.shown.remove(&path);
            } else {
                self.shown.insert(path, agents);
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
        let own = files(&self.rules, &index_of(repo, commit)?);
        let line = |path: &Vec<u8>| {
            let kind = match (self.base.get(path), own.get(path)) {
                (None, _) => "new",
                (_, None) => "deleted",
                _ => "changed",
            };
            format!("{} ({kind})", readable(path))
        };
        Ok(self.differing(&own).iter().map(line).collect())
    }
}

fn index_of(repo: &Repository, commit: Oid) -> Result<Index, git2::Error> {
    let mut index = Index::new()?;
    index.read_tree(&repo.find_commit(commit)?.tree()?)?;
    Ok(index)
}

fn files(rules: &Rules, index: &Index) -> Files {
    let held = index.iter().filter(|entry| entry.mode != GITLINK && rules.hold(&entry.path));
    held.map(|entry| (entry.path.clone(), Version::of(&entry))).collect()
}

fn version(index: &Index, path: &[u8]) -> Option<Version> {
    index.get_path(as_path(path), 0).as_ref().map(Version::of)
}

/// Both sides' changes to a file, of which there are an ancestor, ours and theirs; where they meet, one side's. Links,
/// and what can't be merged, are wholly that side's.
fn merged_file(
    repo: &Repository,
    path: &[u8],
    versions: [Version; 3],
    favor: FileFavor,
) -> Result<Version, git2::Error> {
    let favored = versions[if matches!(favor, FileFavor::Ours) { 1 } else { 2 }];
    if versions.iter().any(|version| version.mode & 0o170_000 != 0o100_000) {
        return Ok(favored);
    }
    let [ancestor, ours, theirs] = versions.map(|version| version.at(path));
    let merged = repo.merge_file_from_index(&ancestor, &ours, &theirs, Some(MergeFileOptions::new().favor(favor)));
    merged.map_or(Ok(favored), |merged| Ok(Version { id: repo.blob(merged.content())?, ..favored }))
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
