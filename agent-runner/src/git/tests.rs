//! Clones, commits and pushes against the local forge, over HTTP with a token.

mod elsewhere;
mod hostile;
mod instructions;
mod odd_files;
mod odd_remotes;
mod patches;
mod shelf;
mod submodules;
mod updates;

use super::*;
use secrecy::SecretString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;
use terarchitect_testbed::forge::{Faults, Forge};

pub(super) struct Place {
    pub(super) dir: TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(super) fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }
}

pub(super) async fn forge() -> Forge {
    let forge = Forge::start().await.unwrap();
    forge
        .create_repo("demo", "hello", &[("README.md", "# Hello\n"), ("src/a.txt", "a\n"), (".gitignore", "ignored\n")])
        .unwrap();
    forge
}

pub(super) fn request(forge: &Forge, place: &Place, repo: &str, token: Option<&str>) -> CloneRequest {
    fs::create_dir_all(place.work()).unwrap();
    CloneRequest {
        url: RemoteUrl::parse(&forge.git_url("demo", repo)).unwrap(),
        token: token.map(|token| {
            let home = TokenHome::find(Some(&forge.api_url()), None).unwrap();
            ForgeToken::new(SecretString::from(token.to_owned()), home)
        }),
        proxies: Proxies::default(),
        branch: "ticket-1".to_owned(),
        start: None,
        workdir: place.work(),
        git_dir: place.dir.path().join("git"),
        author: ("A".to_owned(), "a@example.com".to_owned()),
        update_strategy: Some(UpdateStrategy::Merge),
        submodules: false,
        shelf: None,
        secrets: Mask::default(),
    }
}

pub(super) async fn cloned(forge: &Forge, place: &Place, repo: &str) -> Result<Workspace, GitError> {
    let request = request(forge, place, repo, Some(forge.token()));
    clone(request).await
}

pub(super) async fn clone(request: CloneRequest) -> Result<Workspace, GitError> {
    tokio::task::spawn_blocking(move || Workspace::clone(request, &CancellationToken::new())).await.unwrap()
}

pub(super) async fn push(mut workspace: Workspace) -> (Workspace, Result<bool, GitError>) {
    tokio::task::spawn_blocking(move || {
        let pushed = workspace.push(&CancellationToken::new());
        (workspace, pushed)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn what_the_agent_left_is_what_is_pushed() {
    let (forge, place) = (forge().await, Place::new());
    let mut workspace = cloned(&forge, &place, "hello").await.unwrap();
    workspace.make_agent_copy().unwrap();
    assert_eq!(workspace.default_branch(), "main");
    assert!(workspace.commit("nothing").unwrap().is_none());
    let work = place.work();
    fs::write(work.join("README.md"), "# Hello, world\n").unwrap();
    fs::write(work.join("new ünï.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(work.join("new ünï.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(work.join("ignored"), "x").unwrap();
    fs::remove_file(work.join("src/a.txt")).unwrap();
    std::os::unix::fs::symlink("README.md", work.join("link")).unwrap();
    let committed = workspace.commit("Turn 1").unwrap().unwrap();
    assert_eq!(committed.change.files, 4, "{}", committed.change.diffstat);
    assert!(committed.change.diff.contains("+# Hello, world"), "{}", committed.change.diff);
    let (mut workspace, pushed) = push(workspace).await;
    assert!(pushed.unwrap());
    let listed = forge
        .git(
            "demo",
            "hello",
            &["-c", "core.quotePath=false", "ls-tree", "-r", "-z", "--format=%(objectmode) %(path)", "ticket-1"],
        )
        .unwrap();
    let mut files: Vec<_> = listed.trim_end_matches('\0').split('\0').collect();
    files.sort_unstable();
    assert_eq!(files, ["100644 .gitignore", "100644 README.md", "100755 new ünï.sh", "120000 link"]);
    assert!(workspace.has_work().unwrap());
    assert!(workspace.commit("again").unwrap().is_none());
}

#[tokio::test]
async fn an_existing_branch_is_continued_and_never_overwritten() {
    let forge = forge().await;
    let (first, second, third) = (Place::new(), Place::new(), Place::new());
    let mut one = cloned(&forge, &first, "hello").await.unwrap();
    fs::write(first.work().join("one"), "1").unwrap();
    one.commit("One").unwrap().unwrap();
    let (mut one, pushed) = push(one).await;
    pushed.unwrap();

    let mut two = cloned(&forge, &second, "hello").await.unwrap();
    assert!(two.is_continued());
    assert_eq!(two.earlier_commits(10).unwrap(), ["One"]);
    assert!(second.work().join("one").exists());
    fs::write(second.work().join("two"), "2").unwrap();
    two.commit("Two").unwrap().unwrap();
    push(two).await.1.unwrap();

    fs::write(first.work().join("late"), "3").unwrap();
    one.commit("Late").unwrap().unwrap();
    assert!(matches!(push(one).await.1, Err(GitError::Rejected { .. })));
    let log = forge.git("demo", "hello", &["log", "--format=%s", "ticket-1"]).unwrap();
    assert_eq!(log.lines().collect::<Vec<_>>(), ["Two", "One", "Initial commit"]);
    assert!(cloned(&forge, &third, "hello").await.unwrap().has_work().unwrap());
}

#[tokio::test]
async fn work_starts_from_the_branch_that_is_asked_for() {
    let forge = forge().await;
    forge.git("demo", "hello", &["branch", "release", "main"]).unwrap();
    let from = |place: &Place, start: &str| CloneRequest {
        start: Some(start.to_owned()),
        ..request(&forge, place, "hello", Some(forge.token()))
    };
    let place = Place::new();
    let other = clone(CloneRequest { branch: "ticket-2".to_owned(), ..from(&place, "main") }).await.unwrap();
    assert_eq!(other.default_branch(), "main");

    let place = Place::new();
    let gone = clone(from(&place, "gone")).await.err().unwrap();
    assert_eq!(gone.exit_code(), 2);
    assert!(gone.to_string().contains("has no branch gone to start from"), "{gone}");

    let place = Place::new();
    let mut workspace = clone(from(&place, "release")).await.unwrap();
    assert_eq!((workspace.default_branch(), workspace.is_continued()), ("release", false));
    fs::write(place.work().join("one"), "1").unwrap();
    workspace.commit("One").unwrap().unwrap();
    push(workspace).await.1.unwrap();

    // Once it is merged and gone, work that has started from it goes on from the default branch.
    forge.git("demo", "hello", &["branch", "-D", "release"]).unwrap();
    let place = Place::new();
    let workspace = clone(from(&place, "release")).await.unwrap();
    assert_eq!((workspace.default_branch(), workspace.is_continued()), ("main", true));
    // Its own branch is no branch to start from.
    let place = Place::new();
    assert_eq!(clone(from(&place, "ticket-1")).await.unwrap().default_branch(), "main");
}

#[tokio::test]
async fn an_empty_repository_gets_a_first_commit() {
    let (forge, place) = (forge().await, Place::new());
    forge.create_repo("demo", "empty", &[]).unwrap();
    let mut workspace = cloned(&forge, &place, "empty").await.unwrap();
    fs::write(place.work().join("README.md"), "new\n").unwrap();
    workspace.commit("Begin").unwrap().unwrap();
    push(workspace).await.1.unwrap();
    let base = forge.git("demo", "empty", &["log", "--format=%s", "main"]).unwrap();
    let branch = forge.git("demo", "empty", &["log", "--format=%s", "ticket-1"]).unwrap();
    assert_eq!((base.trim(), branch.lines().next()), ("Initial commit", Some("Begin")));
}

#[tokio::test]
async fn a_hostile_git_directory_in_the_workspace_changes_nothing() {
    let (forge, place) = (forge().await, Place::new());
    let mut workspace = cloned(&forge, &place, "hello").await.unwrap();
    workspace.make_agent_copy().unwrap();
    let hostile = "[url \"http://127.0.0.1:9/\"]\n\tinsteadOf = http://\n[core]\n\thooksPath = /tmp\n[filter \"x\"]\n\tclean = false\n";
    fs::write(place.work().join(".git/config"), hostile).unwrap();
    fs::write(place.work().join(".gitattributes"), "* filter=x\n").unwrap();
    fs::write(place.work().join("new"), "content\n").unwrap();
    workspace.commit("Turn").unwrap().unwrap();
    push(workspace).await.1.unwrap();
    assert_eq!(forge.git("demo", "hello", &["show", "ticket-1:new"]).unwrap(), "content\n");
}

#[tokio::test]
async fn refusals_say_what_to_do_and_never_the_token() {
    let forge = forge().await;
    let without = clone(request(&forge, &Place::new(), "hello", None)).await.err().unwrap();
    assert!(matches!(without, GitError::Denied { had_token: false, .. }), "{without:?}");
    let wrong = clone(request(&forge, &Place::new(), "hello", Some("hunter2-hunter2"))).await.err().unwrap();
    assert!(matches!(wrong, GitError::Denied { had_token: true, .. }), "{wrong:?}");
    assert!(!format!("{wrong} {wrong:?}").contains("hunter2"));
    let missing = cloned(&forge, &Place::new(), "nope").await.err().unwrap();
    assert!(matches!(missing, GitError::NotFound { .. }), "{missing:?}");
    let place = Place::new();
    let mut workspace = cloned(&forge, &place, "hello").await.unwrap();
    fs::write(place.work().join("x"), "x").unwrap();
    workspace.commit("x").unwrap();
    forge.set_faults(Faults { refuse_pushes: true, ..Faults::default() });
    assert!(matches!(push(workspace).await.1, Err(GitError::Denied { .. })));
    let gone = RemoteUrl::parse("http://127.0.0.1:9/a/b").unwrap();
    let place = Place::new();
    let nowhere = CloneRequest { url: gone, ..request(&forge, &place, "hello", None) };
    let error = clone(nowhere).await.err().unwrap();
    assert_eq!(error.exit_code(), 75, "{error:?}");
}

#[tokio::test]
async fn the_token_is_written_nowhere() {
    let (forge, place) = (forge().await, Place::new());
    let workspace = cloned(&forge, &place, "hello").await.unwrap();
    workspace.make_agent_copy().unwrap();
    let mut folders = vec![place.dir.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let bytes = fs::read(&path).unwrap();
                assert!(!String::from_utf8_lossy(&bytes).contains(forge.token()), "{}", path.display());
            }
        }
    }
}

#[tokio::test]
async fn conventions_come_from_the_default_branch_alone() {
    let (forge, place) = (forge().await, Place::new());
    forge.create_repo("demo", "ruled", &[("CONTRIBUTING.md", "be kind"), ("AGENTS.md", "use tabs")]).unwrap();
    let workspace = cloned(&forge, &place, "ruled").await.unwrap();
    fs::write(place.work().join("AGENTS.md"), "do as I say").unwrap();
    assert_eq!(workspace.conventions(), "use tabs");
    assert_eq!(cloned(&forge, &Place::new(), "hello").await.unwrap().conventions(), "");
}

#[test]
fn every_form_of_address_is_read() {
    let parse = |text: &str| RemoteUrl::parse(text).map(|url| url.as_str().to_owned());
    assert_eq!(parse("git@github.com:o/r.git").unwrap(), "https://github.com/o/r.git");
    assert_eq!(parse("ssh://git@github.com/o/r").unwrap(), "https://github.com/o/r");
    assert_eq!(parse("https://user:hunter2@github.com/o/r").unwrap(), "https://github.com/o/r");
    assert!(parse("not an address").is_err());
    assert!(parse("ftp://host/x").is_err());
    let url = RemoteUrl::parse("https://github.com/o/r.git").unwrap();
    assert_eq!(url.owner_and_name(), Some(("o".into(), "r".into())));
    assert_eq!(RemoteUrl::parse("https://host/group/sub/r").unwrap().owner_and_name(), None);
}
