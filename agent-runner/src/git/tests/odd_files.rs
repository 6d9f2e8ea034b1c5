//! What an agent leaves behind that git can't take, or not as it is: each costs its own path alone.

use super::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::process::Command;

/// Writes a file below the workspace, with its directories.
fn write(place: &Place, path: &str, content: &[u8]) {
    let path = place.work().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Commits and pushes, and returns the branch's files, quoted as git quotes them.
async fn pushed_files(forge: &Forge, mut workspace: Workspace) -> (Workspace, Vec<String>) {
    workspace.commit("Turn").unwrap().expect("something to commit");
    let (workspace, pushed) = push(workspace).await;
    pushed.unwrap();
    let listed = forge.git("demo", "hello", &["ls-tree", "-r", "--name-only", "ticket-1"]).unwrap();
    (workspace, listed.lines().map(str::to_owned).collect())
}

fn reasons(workspace: &Workspace) -> Vec<(&str, Reason)> {
    workspace.skipped().iter().map(|one| (one.path.as_str(), one.reason.clone())).collect()
}

fn mkfifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

/// Runs the real git in a directory, as an agent would.
fn git(dir: &Path, args: &[&str]) {
    let output = Command::new("git").arg("-C").arg(dir).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

const ORIGINAL: [&str; 3] = [".gitignore", "README.md", "src/a.txt"];

fn with_original(more: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = ORIGINAL.iter().chain(more).map(|&path| path.to_owned()).collect();
    all.sort_unstable();
    all
}

#[tokio::test]
async fn a_name_that_git_refuses_costs_that_path_alone() {
    let (forge, place) = (forge().await, Place::new());
    let workspace = cloned(&forge, &place, "hello").await.unwrap();
    for name in ["git~1", ".GIT/config", "deep/.Git", "deep/.git /x", "fine/GIT~1/hooks/x"] {
        write(&place, name, b"x");
    }
    write(&place, "fine/file", b"kept");
    let (workspace, files) = pushed_files(&forge, workspace).await;
    assert_eq!(files, with_original(&["fine/file"]));
    let mut named: Vec<_> = reasons(&workspace);
    named.sort_by_key(|(path, _)| *path);
    let expected = [".GIT/", "deep/.Git", "deep/.git /x", "fine/GIT~1/", "git~1"];
    assert_eq!(named, expected.map(|path| (path, Reason::Name)).to_vec());
}

#[tokio::test]
async fn a_cloned_repository_inside_is_named_and_one_made_in_place_is_committed() {
    let (forge, place) = (forge().await, Place::new());
    let workspace = cloned(&forge, &place, "hello").await.unwrap();
    for name in ["vendor", "app"] {
        write(&place, &format!("{name}/file"), b"x");
        git(&place.work().join(name), &["init", "--quiet"]);
    }
    git(&place.work().join("vendor"), &["remote", "add", "origin", "https://example.com/a/b"]);
    write(&place, "worktree/.git", b"gitdir: /elsewhere\n");
    write(&place, "worktree/file", b"x");
    write(&place, "empty-vendor/.git", b"gitdir: ../.git/modules/x\n");
    let (workspace, files) = pushed_files(&forge, workspace).await;
    assert_eq!(files, with_original(&["app/file"]));
    let mut named = reasons(&workspace);
    named.sort_by_key(|(path, _)| *path);
    let expected = ["empty-vendor/", "vendor/", "worktree/"].map(|path| (path, Reason::Repository));
    assert_eq!(named, expected.to_vec());
    let text = describe_skipped(workspace.skipped());
    assert!(text.contains("vendor/: it is a repository of its own; remove its .git to commit its files"), "{text}");
}

#[tokio::test]
async fn pipes_sockets_and_large_files_are_named_and_links_are_committed_as_links() {
    let (forge, place) = (forge().await, Place::new());
    let workspace = cloned(&forge, &place, "hello").await.unwrap();
    let work = place.work();
    mkfifo(&work.join("pipe"));
    let _listener = UnixListener::bind(work.join("socket")).unwrap();
    fs::File::create(work.join("huge")).unwrap().set_len(2 << 30).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", work.join("outward")).unwrap();
    std::os::unix::fs::symlink("nowhere", work.join("broken")).unwrap();
    fs::remove_dir_all(work.join("src")).unwrap();
    std::os::unix::fs::symlink("/etc", work.join("src")).unwrap();
    let (workspace, files) = pushed_files(&forge, workspace).await;
    assert_eq!(files, [".gitignore", "README.md", "broken", "outward", "src"]);
    let outward = forge.git("demo", "hello", &["show", "ticket-1:outward"]).unwrap();
    assert_eq!(outward, "/etc/passwd");
    assert_eq!(
        reasons(&workspace),
        [("huge", Reason::TooLarge(2 << 30)), ("pipe", Reason::Special), ("socket", Reason::Special)]
    );
}

#[tokio::test]
async fn a_file_with_a_secret_of_the_job_is_not_committed_until_it_is_taken_out() {
    let (forge, place) = (forge().await, Place::new());
    let secrets = Mask::new([&SecretString::from("token-0123456789".to_owned())]);
    let request = request(&forge, &place, "hello", Some(forge.token()));
    let mut workspace = clone(CloneRequest { secrets, ..request }).await.unwrap();
    write(&place, "README.md", b"Push with token-0123456789.\n");
    write(&place, "nested/.env", b"TOKEN=\"dG9rZW4tMDEyMzQ1Njc4OQ==\"");
    assert!(workspace.commit("Turn").unwrap().is_none(), "nothing else changed");
    assert_eq!(reasons(&workspace), [("README.md", Reason::Secret), ("nested/.env", Reason::Secret)]);
    let said = describe_skipped(workspace.skipped());
    assert!(said.contains("README.md: it has a key or a token of this job") && !said.contains("0123"), "{said}");
    write(&place, "README.md", b"Push with a token.\n");
    write(&place, "other", b"token-01234567");
    let committed = workspace.commit("Turn").unwrap().unwrap();
    assert!(
        committed.change.diff.contains("Push with a token") && !committed.change.diff.contains(".env"),
        "{}",
        committed.change.diff
    );
    assert_eq!(reasons(&workspace), [("nested/.env", Reason::Secret)]);
}

#[tokio::test]
async fn a_pipe_in_the_place_of_git_rules_blocks_nothing() {
    let (forge, place) = (forge().await, Place::new());
    let workspace = cloned(&forge, &place, "hello").await.unwrap();
    let work = place.work();
    fs::remove_file(work.join(".gitignore")).unwrap();
    mkfifo(&work.join(".gitignore"));
    mkfifo(&work.join("elsewhere"));
    std::os::unix::fs::symlink("../elsewhere", work.join("src/.gitattributes")).unwrap();
    write(&place, "src/new", b"x");
    let (_, files) = pushed_files(&forge, workspace).await;
    assert!(files.contains(&"src/new".to_owned()), "{files:?}");
}

#[tokio::test]
async fn a_file_that_can_not_be_read_keeps_what_the_branch_has() {
    let (forge, place) = (forge().await, Place::new());
    let mut workspace = cloned(&forge, &place, "hello").await.unwrap();
    let work = place.work();
    // A pipe in the place of a tracked file can't be committed; the file itself must not disappear from the branch.
    fs::remove_file(work.join("README.md")).unwrap();
    mkfifo(&work.join("README.md"));
    assert!(workspace.commit("Nothing").unwrap().is_none());
    assert_eq!(reasons(&workspace), [("README.md", Reason::Special)]);
    // The whole workspace is gone: nothing is committed as deleted.
    fs::rename(&work, place.dir.path().join("moved")).unwrap();
    assert!(workspace.commit("Nothing").unwrap().is_none());
    assert!(matches!(reasons(&workspace)[..], [("./", Reason::Unreadable(_))]), "{:?}", workspace.skipped());
}

#[tokio::test]
async fn names_of_any_bytes_and_changes_of_kind_are_committed() {
    let (forge, place) = (forge().await, Place::new());
    let workspace = cloned(&forge, &place, "hello").await.unwrap();
    let work = place.work();
    fs::write(work.join(OsStr::from_bytes(b"caf\xe9")), "latin-1").unwrap();
    write(&place, "new\nline\t\"quoted\" \\ back", b"x");
    write(&place, "README.MD", b"another case");
    write(&place, &"n".repeat(255), b"x");
    fs::remove_file(work.join("README.md")).unwrap();
    write(&place, "README.md/inside", b"a directory now");
    fs::remove_dir_all(work.join("src")).unwrap();
    write(&place, "src", b"a file now");
    let (workspace, files) = pushed_files(&forge, workspace).await;
    let long = "n".repeat(255);
    let mut expected = vec![
        ".gitignore",
        "README.MD",
        "README.md/inside",
        "\"caf\\351\"",
        &long,
        "src",
        "\"new\\nline\\t\\\"quoted\\\" \\\\ back\"",
    ];
    expected.sort_unstable();
    let mut files = files;
    files.sort_unstable();
    assert_eq!(files, expected);
    assert!(workspace.skipped().is_empty());
}

#[tokio::test]
async fn lfs_files_stay_pointers() {
    let (forge, place) = (forge().await, Place::new());
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 3\n";
    let files = [(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n"), ("old.bin", pointer)];
    forge.create_repo("demo", "large", &files).unwrap();
    let mut workspace = cloned(&forge, &place, "large").await.unwrap();
    let said = ["Files in Git LFS are not fetched, there are pointers in their places: old.bin"];
    assert_eq!(workspace.not_filled().unwrap(), said);
    write(&place, "old.bin", b"real content");
    write(&place, "new.bin", b"real content");
    write(&place, "text", b"x");
    let committed = workspace.commit("Turn").unwrap().unwrap();
    assert_eq!(committed.change.files, 1, "{}", committed.change.diffstat);
    assert_eq!(reasons(&workspace), [("new.bin", Reason::Lfs), ("old.bin", Reason::Lfs)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submodule_keeps_its_commit_whatever_is_in_its_directory() {
    let (forge, place) = (forge().await, Place::new());
    let head = forge.git("demo", "hello", &["rev-parse", "main"]).unwrap();
    let tree = place.dir.path().join("seed");
    git(place.dir.path(), &["init", "--quiet", "seed"]);
    fs::write(tree.join(".gitmodules"), "[submodule \"lib\"]\n\tpath = lib\n\turl = https://example.com/lib\n")
        .unwrap();
    git(&tree, &["add", ".gitmodules"]);
    git(&tree, &["update-index", "--add", "--cacheinfo", &format!("160000,{},lib", head.trim())]);
    git(&tree, &["-c", "user.name=A", "-c", "user.email=a@b", "commit", "--quiet", "-m", "Submodule"]);
    forge.create_repo("demo", "outer", &[]).unwrap();
    let url = forge.git_url("demo", "outer").replace("://", &format!("://x:{}@", forge.token()));
    git(&tree, &["push", "--quiet", &url, "HEAD:refs/heads/main"]);
    let mut workspace = cloned(&forge, &place, "outer").await.unwrap();
    let said = workspace.not_filled().unwrap();
    assert!(said[0].starts_with("Submodules are not fetched") && said[0].ends_with(": lib"), "{said:?}");
    write(&place, "lib/changed", b"x");
    assert!(workspace.commit("Nothing").unwrap().is_none());
    fs::remove_dir_all(place.work().join("lib")).unwrap();
    write(&place, "beside", b"x");
    assert_eq!(workspace.commit("Turn").unwrap().unwrap().change.files, 1, "only the new file");
    fs::remove_file(place.work().join(".gitmodules")).unwrap();
    assert_eq!(workspace.commit("Turn").unwrap().unwrap().change.files, 2, "the submodule was removed");
}

#[tokio::test]
async fn a_change_with_the_same_size_and_the_old_time_is_still_seen() {
    let (forge, place) = (forge().await, Place::new());
    let mut workspace = cloned(&forge, &place, "hello").await.unwrap();
    let path = place.work().join("README.md");
    let old = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "# HELLO\n").unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    assert_eq!(workspace.commit("Turn").unwrap().unwrap().change.files, 1);
}

/// Many files take memory and time in proportion; a square of their number would not end here.
#[tokio::test]
async fn many_files_are_committed_and_their_diffstat_is_cut() {
    let (forge, place) = (forge().await, Place::new());
    let mut workspace = cloned(&forge, &place, "hello").await.unwrap();
    let number: usize =
        std::env::var("TERARCHITECT_MANY_FILES").ok().and_then(|text| text.parse().ok()).unwrap_or(4_000);
    for file in 0..number {
        let directory = place.work().join(format!("d{}", file / 500));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(format!("f{file}")), format!("{file}\n")).unwrap();
    }
    let committed = workspace.commit("Many").unwrap().unwrap();
    assert_eq!(committed.change.files, number);
    let length = committed.change.diffstat.len();
    assert!(length < 64 * 1024, "{length}");
    assert!(committed.change.diffstat.ends_with(&format!("{number} files changed")), "{}", committed.change.diffstat);
    for directory in 0..number.div_ceil(500) {
        fs::remove_dir_all(place.work().join(format!("d{directory}"))).unwrap();
    }
    assert_eq!(workspace.commit("None").unwrap().unwrap().change.files, number);
}
