//! The bare git repository that is served: branches, diffs, and merges that are real.

use anyhow::{Context, ensure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A bare repository.
pub(super) struct Bare(PathBuf);

/// How a branch gets into another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// With a merge commit.
    Merge,
    /// As one commit.
    Squash,
    /// With its commits on top of the other's.
    Rebase,
    /// By moving the other one, where that is all there is to do.
    FastForward,
}

/// Why there is no merge: git's own words.
#[derive(Debug)]
pub(super) struct Conflict(pub(super) String);

/// A file that differs.
pub(super) struct FileDiff {
    pub(super) path: String,
    /// From the first `@@` on.
    pub(super) diff: String,
    pub(super) is_new: bool,
    pub(super) is_deleted: bool,
}

impl Bare {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    fn git(&self, args: &[&str]) -> anyhow::Result<String> {
        git_output(&self.0, args)
    }

    /// The branches, each with its commit.
    pub(super) fn branches(&self) -> BTreeMap<String, String> {
        let listed = self.git(&["for-each-ref", "--format=%(refname) %(objectname)", "refs/heads"]).unwrap_or_default();
        let pairs = listed.lines().filter_map(|line| line.strip_prefix("refs/heads/")?.rsplit_once(' '));
        pairs.map(|(name, sha)| (name.to_owned(), sha.to_owned())).collect()
    }

    /// The branch that pull requests go into.
    pub(super) fn default_branch(&self) -> String {
        self.git(&["symbolic-ref", "--short", "HEAD"]).map_or_else(|_| "main".into(), |name| name.trim().to_owned())
    }

    /// Whether there is such a commit.
    pub(super) fn has_commit(&self, sha: &str) -> bool {
        self.git(&["cat-file", "-e", &format!("{sha}^{{commit}}")]).is_ok()
    }

    /// Whether one commit is in the history of the other.
    pub(super) fn is_within(&self, commit: &str, other: &str) -> bool {
        self.git(&["merge-base", "--is-ancestor", commit, other]).is_ok()
    }

    pub(super) fn merge_base(&self, one: &str, other: &str) -> String {
        self.git(&["merge-base", one, other]).map_or_else(|_| one.to_owned(), |sha| sha.trim().to_owned())
    }

    /// The commits of a branch that are not in its base, the oldest first.
    pub(super) fn commits(&self, base: &str, head: &str) -> Vec<String> {
        let listed = self.git(&["rev-list", "--reverse", &format!("{base}..{head}")]).unwrap_or_default();
        listed.lines().map(str::to_owned).collect()
    }

    /// The first line of a commit's message.
    pub(super) fn subject(&self, sha: &str) -> String {
        self.git(&["log", "-1", "--format=%s", sha]).unwrap_or_default().trim().to_owned()
    }

    /// Whether they can't be merged.
    pub(super) fn conflicts(&self, base: &str, head: &str) -> bool {
        self.merged_tree(base, head).is_err()
    }

    /// What differs, file by file.
    pub(super) fn files(&self, base: &str, head: &str) -> Vec<FileDiff> {
        let whole = self.git(&["diff", "--no-color", "--no-renames", &format!("{base}...{head}")]).unwrap_or_default();
        let mut files = Vec::new();
        for part in format!("\n{whole}").split("\ndiff --git ").skip(1) {
            let (header, diff) = part.split_once("\n@@").map_or((part, String::new()), |(header, rest)| {
                (header, format!("@@{rest}{}", if rest.ends_with('\n') { "" } else { "\n" }))
            });
            let first = header.lines().next().unwrap_or_default();
            let path = first.split_once(" b/").map_or_else(String::new, |(_, path)| path.to_owned());
            let says = |words: &str| header.lines().any(|line| line.starts_with(words));
            files.push(FileDiff { path, diff, is_new: says("new file"), is_deleted: says("deleted file") });
        }
        files
    }

    /// Lines added and removed.
    pub(super) fn counts(&self, base: &str, head: &str) -> (u64, u64) {
        let listed = self.git(&["diff", "--numstat", &format!("{base}...{head}")]).unwrap_or_default();
        listed.lines().fold((0, 0), |(added, removed), line| {
            let mut numbers = line.split('\t').map(|number| number.parse::<u64>().unwrap_or_default());
            (added + numbers.next().unwrap_or_default(), removed + numbers.next().unwrap_or_default())
        })
    }

    fn merged_tree(&self, base: &str, head: &str) -> Result<String, Conflict> {
        let output = git_command(&self.0).args(["merge-tree", "--write-tree", base, head]).output();
        let output = output.map_err(|error| Conflict(error.to_string()))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            return Err(Conflict(
                said.lines().filter(|line| line.starts_with("CONFLICT")).collect::<Vec<_>>().join("\n"),
            ));
        }
        Ok(said.lines().next().unwrap_or_default().to_owned())
    }

    /// Merges commits and returns the commit that has both. No branch is moved.
    pub(super) fn merge(&self, method: Method, base: &str, head: &str, message: &str) -> Result<String, Conflict> {
        let commit = |tree: &str, parents: &[&str]| {
            let mut args = vec!["commit-tree", tree, "-m", message];
            parents.iter().for_each(|parent| args.extend(["-p", *parent]));
            self.git(&args).map(|sha| sha.trim().to_owned()).map_err(|error| Conflict(error.to_string()))
        };
        match method {
            Method::Merge => commit(&self.merged_tree(base, head)?, &[base, head]),
            Method::Squash => commit(&self.merged_tree(base, head)?, &[base]),
            Method::FastForward if self.is_within(base, head) => Ok(head.to_owned()),
            Method::FastForward => Err(Conflict("Not possible to fast-forward.".into())),
            Method::Rebase => self.rebase(base, head),
        }
    }

    /// Puts commits on top of others, in a clone that shares the objects.
    fn rebase(&self, base: &str, head: &str) -> Result<String, Conflict> {
        let failed = |error: anyhow::Error| Conflict(format!("{error:#}"));
        let clone = tempfile::tempdir().map_err(|error| Conflict(error.to_string()))?;
        let from = self.0.to_string_lossy();
        run_git(clone.path(), &["clone", "--quiet", "--shared", "--no-checkout", &from, "."]).map_err(failed)?;
        run_git(clone.path(), &["checkout", "--quiet", "--detach", head]).map_err(failed)?;
        run_git(clone.path(), &["rebase", "--quiet", base]).map_err(failed)?;
        let sha = git_output(clone.path(), &["rev-parse", "HEAD"]).map_err(failed)?.trim().to_owned();
        // The objects are brought over by a name that is gone afterwards.
        run_git(clone.path(), &["push", "--quiet", "origin", "HEAD:refs/rebased/now"]).map_err(failed)?;
        self.git(&["update-ref", "-d", "refs/rebased/now"]).map_err(failed)?;
        Ok(sha)
    }

    /// Brings over the objects of a branch of another repository.
    pub(super) fn fetch(&self, from: &Path, branch: &str) -> anyhow::Result<()> {
        self.git(&["fetch", "--quiet", path_str(from)?, &format!("refs/heads/{branch}")]).map(drop)
    }

    /// Moves a branch, if it is still where it was.
    pub(super) fn move_branch(&self, branch: &str, to: &str, from: &str) -> anyhow::Result<()> {
        self.git(&["update-ref", &format!("refs/heads/{branch}"), to, from]).map(drop)
    }

    pub(super) fn delete_branch(&self, branch: &str) -> anyhow::Result<()> {
        self.git(&["update-ref", "-d", &format!("refs/heads/{branch}")]).map(drop)
    }

    /// Commits files (path, text; none deletes) on a branch, which is made from `HEAD` where it does not exist.
    pub(super) fn commit_files(
        &self,
        branch: &str,
        files: &[(&str, Option<&str>)],
        message: &str,
    ) -> anyhow::Result<String> {
        let work = tempfile::tempdir().context("could not create a temporary directory")?;
        run_git(work.path(), &["clone", "--quiet", "--shared", path_str(&self.0)?, "."])?;
        if run_git(work.path(), &["checkout", "--quiet", branch]).is_err() {
            run_git(work.path(), &["checkout", "--quiet", "-b", branch])?;
        }
        for (path, text) in files {
            write_file(work.path(), path, *text)?;
        }
        run_git(work.path(), &["add", "--all"])?;
        run_git(work.path(), &["commit", "--quiet", "--allow-empty", "--message", message])?;
        run_git(work.path(), &["push", "--quiet", "origin", branch])?;
        Ok(git_output(work.path(), &["rev-parse", "HEAD"])?.trim().to_owned())
    }
}

/// Creates a bare repository with one commit of these files on `main`; without files, an empty one.
pub(super) fn create(root: &Path, bare: &Path, files: &[(&str, &str)]) -> anyhow::Result<()> {
    run_git(root, &["init", "--quiet", "--bare", "--initial-branch=main", path_str(bare)?])?;
    run_git(bare, &["config", "http.receivepack", "true"])?;
    run_git(bare, &["config", "uploadpack.allowAnySHA1InWant", "true"])?;
    if files.is_empty() {
        return Ok(());
    }
    let work = tempfile::tempdir().context("could not create a temporary directory")?;
    run_git(work.path(), &["init", "--quiet", "--initial-branch=main"])?;
    for (path, text) in files {
        write_file(work.path(), path, Some(text))?;
    }
    run_git(work.path(), &["add", "--all"])?;
    run_git(work.path(), &["commit", "--quiet", "--message", "Initial commit"])?;
    run_git(work.path(), &["push", "--quiet", path_str(bare)?, "main"])
}

fn write_file(dir: &Path, path: &str, text: Option<&str>) -> anyhow::Result<()> {
    let path = dir.join(path);
    let Some(text) = text else {
        return std::fs::remove_file(&path).with_context(|| format!("could not delete {}", path.display()));
    };
    std::fs::create_dir_all(path.parent().context("a file without a folder")?).context("could not create a folder")?;
    std::fs::write(&path, text).with_context(|| format!("could not write {}", path.display()))
}

fn path_str(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

/// The real git with nothing of the caller's configuration.
pub(super) fn git_command(dir: &Path) -> Command {
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

pub(super) fn git_output(dir: &Path, args: &[&str]) -> anyhow::Result<String> {
    let output = git_command(dir).args(args).output().context("could not run git; is it installed?")?;
    ensure!(output.status.success(), "git {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn run_git(dir: &Path, args: &[&str]) -> anyhow::Result<()> {
    git_output(dir, args).map(drop)
}
