//! What happens to a branch that an earlier attempt has started, before work on it goes on: the base has moved, and may
//! even have the branch's work already.

use super::held::Held;
use super::{Connection, GitError, Workspace, fetch, walk};
use git2::build::CheckoutBuilder;
use git2::{Index, IndexConflict, IndexEntry, Oid, RebaseOptions, Repository};
use std::collections::HashSet;
use std::path::Path;
use terarchitect_worker_api::UpdateStrategy;

/// How many commits of both branches are fetched to find where they parted, step by step; after the last, all are.
pub(super) const DEPTHS: [i32; 2] = [1_000, i32::MAX];
/// How many of the base's commits are compared with the branch's work, to find out whether it was squashed into one.
const COMPARED_COMMITS: usize = 500;

/// What was done with a branch before work on it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// The branch is new, or its base has nothing new.
    Nothing,
    /// The base has all of the branch's work, so the branch starts from there again.
    StartedAgain,
    /// The base's new commits are on the branch now.
    Merged,
    /// The branch's commits are on top of the base now.
    Rebased,
    /// The base's changes conflict with the branch's in these files, and the workspace has both.
    Conflicts(Vec<String>),
}

/// Where a branch starts, and what that replaces.
pub(super) struct Start {
    pub(super) at: Oid,
    pub(super) update: Update,
    /// The remote's head of the branch, where the new one does not contain it.
    pub(super) replaces: Option<Oid>,
    /// The base's head, where it still has to be merged.
    pub(super) to_merge: Option<Oid>,
}

impl Start {
    pub(super) fn plain(at: Oid, update: Update) -> Self {
        Self { at, update, replaces: None, to_merge: None }
    }
}

/// Decides where work on the branch starts, whose head is `old`, and makes the commits for it. `branches` are what was
/// fetched, the base first. The workspace is not touched.
pub(super) fn start(
    repo: &Repository,
    connection: &Connection<'_>,
    branches: &[&str],
    old: Oid,
    strategy: Option<UpdateStrategy>,
) -> Result<Start, GitError> {
    let failed = |source| GitError::new("could not compare the branch with its base", source);
    let base = super::fetched(repo, branches[0])?;
    let Some(strategy) = strategy else { return Ok(Start::plain(old, Update::Nothing)) };
    let parted = parted_at(repo, connection, branches, base, old)?;
    let Some(parted) = parted else { return Ok(Start::plain(old, Update::Nothing)) };
    if parted == base {
        return Ok(Start::plain(old, Update::Nothing));
    }
    if parted == old {
        return Ok(Start::plain(base, Update::StartedAgain));
    }
    if has_work_of(repo, base, old, parted).map_err(failed)? {
        return Ok(Start { at: base, update: Update::StartedAgain, replaces: Some(old), to_merge: None });
    }
    if strategy == UpdateStrategy::Rebase
        && !has_commits_of_others(repo, old, parted, &connection.request.author).map_err(failed)?
        && let Some(at) = rebased(repo, base, old, &connection.request.author).map_err(failed)?
    {
        return Ok(Start { at, update: Update::Rebased, replaces: Some(old), to_merge: None });
    }
    Ok(Start { at: old, update: Update::Merged, replaces: None, to_merge: Some(base) })
}

/// Where the two parted. A shallow fetch may not reach so far, so more is fetched until one does.
fn parted_at(
    repo: &Repository,
    connection: &Connection<'_>,
    branches: &[&str],
    base: Oid,
    old: Oid,
) -> Result<Option<Oid>, GitError> {
    for depth in DEPTHS {
        if let Ok(parted) = repo.merge_base(base, old) {
            return Ok(Some(parted));
        }
        if !repo.is_shallow() {
            return Ok(None);
        }
        fetch(repo, connection, branches, depth)?;
    }
    Ok(repo.merge_base(base, old).ok())
}

/// Whether the base has everything that the branch changed: because merging it would change nothing, or because one of
/// the base's commits makes the same change (a squash), or one for each of the branch's own (a rebase).
fn has_work_of(repo: &Repository, base: Oid, old: Oid, parted: Oid) -> Result<bool, git2::Error> {
    let tree = |id: Oid| repo.find_commit(id)?.tree();
    let mut merged = repo.merge_commits(&repo.find_commit(base)?, &repo.find_commit(old)?, None)?;
    if !merged.has_conflicts() && merged.write_tree_to(repo)? == tree(base)?.id() {
        return Ok(true);
    }
    let change = |from: Oid, to: Oid| repo.diff_tree_to_tree(Some(&tree(from)?), Some(&tree(to)?), None)?.patchid(None);
    let own_change = |commit: Oid| -> Result<Oid, git2::Error> {
        let parent = repo.find_commit(commit)?.parent_id(0)?;
        change(parent, commit)
    };
    let since = |head: Oid| -> Result<Vec<Oid>, git2::Error> {
        let mut walk = repo.revwalk()?;
        walk.push(head)?;
        walk.hide(parted)?;
        walk.take(COMPARED_COMMITS).collect()
    };
    let in_base = since(base)?.into_iter().map(own_change).collect::<Result<HashSet<Oid>, _>>()?;
    if in_base.contains(&change(parted, old)?) {
        return Ok(true);
    }
    let own = since(old)?.into_iter().map(own_change).collect::<Result<Vec<Oid>, _>>()?;
    Ok(own.iter().all(|change| in_base.contains(change)))
}

/// Whether the branch has commits of other people: they keep their ids, so that no checkout is left behind.
fn has_commits_of_others(
    repo: &Repository,
    old: Oid,
    parted: Oid,
    author: &(String, String),
) -> Result<bool, git2::Error> {
    let mut walk = repo.revwalk()?;
    walk.push(old)?;
    walk.hide(parted)?;
    for id in walk {
        let commit = repo.find_commit(id?)?;
        if commit.parent_count() < 2 && commit.author().email() != Ok(author.1.as_str()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The branch's commits on top of the base; none if that has conflicts.
fn rebased(repo: &Repository, base: Oid, old: Oid, author: &(String, String)) -> Result<Option<Oid>, git2::Error> {
    let (branch, upstream) = (repo.find_annotated_commit(old)?, repo.find_annotated_commit(base)?);
    let mut options = RebaseOptions::new();
    let mut rebase = repo.rebase(Some(&branch), Some(&upstream), None, Some(options.inmemory(true)))?;
    let committer = super::commit::signature(author)?;
    let mut head = base;
    while let Some(operation) = rebase.next() {
        operation?;
        if rebase.inmemory_index()?.has_conflicts() {
            return Ok(None);
        }
        match rebase.commit(None, &committer, None) {
            Ok(commit) => head = commit,
            // The base has this change already.
            Err(error) if error.code() == git2::ErrorCode::Applied => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(head))
}

/// A merge of the base that the agent has to settle.
pub(super) struct Conflicts {
    pub(super) base: Oid,
    merged: Index,
    /// What the workspace is to get from the merge.
    paths: Vec<Vec<u8>>,
}

/// Merges the base into the branch, and starts from the merge. The workspace is not touched. Returns the conflicts, if
/// there are any; then the start stays as it was.
pub(super) fn merge(
    repo: &Repository,
    start: &mut Start,
    base: Oid,
    message: &str,
    author: &(String, String),
    held: &Held,
) -> Result<Option<Conflicts>, git2::Error> {
    let (ours, theirs) = (repo.find_commit(start.at)?, repo.find_commit(base)?);
    let mut merged = repo.merge_commits(&ours, &theirs, None)?;
    let paths = held.settle(repo, &mut merged, start.at)?;
    if merged.has_conflicts() {
        let mut files = Vec::new();
        for conflict in merged.conflicts()? {
            files.extend(either(conflict?).map(|entry| String::from_utf8_lossy(&entry.path).into_owned()));
        }
        files.sort_unstable();
        files.dedup();
        start.update = Update::Conflicts(files);
        return Ok(Some(Conflicts { base, merged, paths }));
    }
    let tree = repo.find_tree(merged.write_tree_to(repo)?)?;
    let author = super::commit::signature(author)?;
    start.at = repo.commit(None, &author, &author, message, &tree, &[&ours, &theirs])?;
    start.update = Update::Merged;
    Ok(None)
}

/// Puts both sides of the conflicts into the workspace, which has the branch. In the index, the branch's stays until a
/// commit brings what the workspace has.
pub(super) fn leave_conflicts(
    repo: &Repository,
    conflicts: &mut Conflicts,
    held: &mut Held,
) -> Result<(), git2::Error> {
    let merged = &mut conflicts.merged;
    let mut checkout = CheckoutBuilder::new();
    checkout.force().allow_conflicts(true).conflict_style_merge(true).our_label("this branch").their_label("its base");
    checkout.disable_pathspec_match(true).update_index(false);
    for path in &conflicts.paths {
        checkout.path(walk::as_path(path));
    }
    repo.checkout_index(Some(merged), Some(&mut checkout))?;
    let all = merged.conflicts()?.collect::<Result<Vec<_>, _>>()?;
    for mut entry in all.into_iter().filter_map(either) {
        merged.conflict_remove(walk::as_path(&entry.path))?;
        entry.flags = 0;
        merged.add(&entry)?;
    }
    let tree = repo.find_tree(merged.write_tree_to(repo)?)?;
    let mut index = repo.index()?;
    held.note_merge(merged, &index);
    index.read_tree(&tree)?;
    index.write()
}

/// The branch's side of a conflict, or the base's where the branch has none.
fn either(conflict: IndexConflict) -> Option<IndexEntry> {
    conflict.our.or(conflict.their).or(conflict.ancestor)
}

impl Workspace {
    /// What was done with the branch before work on it goes on.
    #[must_use]
    pub fn update(&self) -> &Update {
        &self.update
    }

    /// The files that still have the marks of a conflict, or none if all conflicts are resolved.
    #[must_use]
    pub fn unresolved(&self) -> Vec<String> {
        let Update::Conflicts(files) = &self.update else { return Vec::new() };
        let marked = |file: &&String| has_marks(&self.request.workdir.join(file));
        files.iter().filter(marked).cloned().collect()
    }

    /// Gives the merge up: the workspace is as the branch is, without the base's changes.
    ///
    /// # Errors
    /// The workspace can't be written.
    pub fn give_up_merge(&mut self) -> Result<(), GitError> {
        let mut reset = || -> Result<(), git2::Error> {
            let head = self.repo.head()?.peel_to_commit()?;
            self.held.check_out(&self.repo, head.id())
        };
        reset().map_err(|source| GitError::new("could not undo the merge of the base", source))?;
        self.merging = None;
        self.update = Update::Nothing;
        Ok(())
    }
}

fn has_marks(path: &Path) -> bool {
    let is_file = path.symlink_metadata().is_ok_and(|metadata| metadata.is_file());
    let content = if is_file { std::fs::read(path).unwrap_or_default() } else { Vec::new() };
    let mut lines = content.split(|&byte| byte == b'\n');
    lines.any(|line| line.starts_with(b"<<<<<<< ")) && lines.any(|line| line.starts_with(b">>>>>>> "))
}

/// One sentence for the ticket's log; none if nothing was done.
#[must_use]
pub fn describe_update(update: &Update, base: &str) -> Option<String> {
    Some(match update {
        Update::Nothing => return None,
        Update::StartedAgain => {
            format!("{base} has all earlier work of this branch, so the branch starts from {base} again")
        }
        Update::Merged => format!("Merged what is new in {base} into the branch"),
        Update::Rebased => format!("Rebased the branch onto what is new in {base}"),
        Update::Conflicts(files) => {
            format!(
                "What is new in {base} conflicts with the branch in {}; the agent resolves it first",
                files.join(", ")
            )
        }
    })
}
