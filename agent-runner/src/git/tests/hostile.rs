//! Repositories and remotes as public reports of other systems describe them; docs/attacks.md has the sources.

use super::updates::{Person, read};
use super::*;
use std::process::{Command, Stdio};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

/// Runs git in the forge's bare repository, with some input.
fn plumbing(forge: &Forge, args: &[&str], input: &[u8]) -> String {
    use std::io::Write;
    let mut command = Command::new("git");
    command.args(["-c", "user.name=A", "-c", "user.email=a@example.com"]);
    command.arg("--git-dir").arg(forge.repo_path("demo", "hello")).args(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A clone with one new file, committed.
async fn changed(forge: &Forge, place: &Place) -> Workspace {
    let mut workspace = cloned(forge, place, "hello").await.unwrap();
    fs::write(place.work().join("new.txt"), "new\n").unwrap();
    let committed = workspace.commit("Turn").unwrap().unwrap();
    assert_eq!(committed.change.files, 1, "{}", committed.change.diffstat);
    workspace
}

#[tokio::test]
async fn a_branch_whose_name_is_a_directory_at_the_remote_is_refused_with_what_to_do() {
    let (forge, place) = (forge().await, Place::new());
    forge.git("demo", "hello", &["branch", "ticket-1/x", "main"]).unwrap();
    let error = push(changed(&forge, &place).await).await.1.unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error:?}");
    let said = error.to_string();
    assert!(said.contains("'refs/heads/ticket-1/x' exists") && said.contains("Delete or rename the branch"), "{said}");
}

#[tokio::test]
async fn a_repository_with_sha_256_is_refused_with_a_sentence() {
    let (forge, place) = (forge().await, Place::new());
    let bare = forge.repo_path("demo", "hello");
    fs::remove_dir_all(&bare).unwrap();
    let made =
        Command::new("git").args(["init", "-q", "--bare", "--object-format=sha256"]).arg(&bare).status().unwrap();
    assert!(made.success());
    let tree = plumbing(&forge, &["mktree"], b"");
    let commit = plumbing(&forge, &["commit-tree", "-m", "x", &tree], b"");
    plumbing(&forge, &["update-ref", "refs/heads/main", &commit], b"");
    let error = cloned(&forge, &place, "hello").await.err().unwrap();
    assert!(error.exit_code() == 2 && error.to_string().contains("use a repository with SHA-1"), "{error:?}");
}

#[tokio::test]
async fn a_page_in_place_of_a_repository_is_refused_with_what_to_check() {
    let server = MockServer::start().await;
    let page = ResponseTemplate::new(200).set_body_raw("<html>Sign in</html>", "text/html");
    Mock::given(any()).respond_with(page).mount(&server).await;
    let (forge, place) = (forge().await, Place::new());
    let url = RemoteUrl::parse(&format!("{}/demo/hello", server.uri())).unwrap();
    let error = clone(CloneRequest { url, token: None, ..request(&forge, &place, "hello", None) }).await.err().unwrap();
    assert!(error.exit_code() == 2 && error.to_string().contains("a page to sign in"), "{error:?}");
}

#[tokio::test]
async fn names_that_differ_in_case_or_in_their_unicode_form_alone_are_all_kept() {
    let (forge, place) = (forge().await, Place::new());
    let names = ["Readme", "README", "readme", "caf\u{e9}", "cafe\u{301}"];
    let person = Person::new(&forge, &place);
    person.write(names.iter().map(|name| (*name, Some(*name))));
    person.commit("main", "Pairs");
    push(changed(&forge, &place).await).await.1.unwrap();
    for name in names {
        assert_eq!(read(&place, name), name);
    }
}

#[tokio::test]
async fn line_endings_and_encodings_of_untouched_files_stay_whatever_attributes_say() {
    let (forge, place) = (forge().await, Place::new());
    let person = Person::new(&forge, &place);
    let texts = [("crlf.txt", "a\r\nb\r\n"), ("mixed.txt", "a\r\nb\n"), ("utf16.txt", "\u{feff}a")];
    person.write(texts.into_iter().map(|(path, text)| (path, Some(text))));
    person.commit("main", "Texts");
    let attributes = "* text=auto eol=crlf\nutf16.txt working-tree-encoding=UTF-16LE\n";
    person.change("main", ".gitattributes", attributes);
    push(changed(&forge, &place).await).await.1.unwrap();
    let same =
        forge.git("demo", "hello", &["diff", "--stat", "main", "ticket-1", "--", "crlf.txt", "mixed.txt", "utf16.txt"]);
    assert_eq!(same.unwrap(), "");
}

#[tokio::test]
async fn a_base_with_an_odd_name_is_a_base() {
    let (forge, place) = (forge().await, Place::new());
    let name = "rel\"ease/\u{fc}#1;x";
    forge.git("demo", "hello", &["branch", "-m", "main", name]).unwrap();
    forge.git("demo", "hello", &["symbolic-ref", "HEAD", &format!("refs/heads/{name}")]).unwrap();
    let workspace = changed(&forge, &place).await;
    workspace.make_agent_copy().unwrap();
    let log = Command::new("git").arg("-C").arg(place.work()).args(["log", "--oneline"]).output().unwrap();
    assert!(log.status.success(), "the agent's git: {}", String::from_utf8_lossy(&log.stderr));
    push(workspace).await.1.unwrap();
}

#[tokio::test]
async fn a_path_that_is_longer_than_the_system_accepts_costs_itself_alone() {
    let (forge, place) = (forge().await, Place::new());
    let mut workspace = cloned(&forge, &place, "hello").await.unwrap();
    let script = "cd \"$1\" && d=$(printf 'd%.0s' {1..100}) && for i in {1..60}; do mkdir $d && cd $d || exit 1; done; echo x > f";
    let made = Command::new("bash").args(["-c", script, "x"]).arg(place.work()).status().unwrap();
    assert!(made.success());
    fs::write(place.work().join("new.txt"), "new\n").unwrap();
    workspace.commit("Turn").unwrap().unwrap();
    let said = describe_skipped(workspace.skipped());
    assert!(said.contains("File name too long") && said.len() < 500, "{said}");
    push(workspace).await.1.unwrap();
}

#[tokio::test]
async fn thirty_thousand_branches_are_no_obstacle() {
    let (forge, place) = (forge().await, Place::new());
    let head = forge.git("demo", "hello", &["rev-parse", "main"]).unwrap();
    let lines: String = (0..30_000).map(|n| format!("create refs/heads/b/{n} {}\n", head.trim())).collect();
    plumbing(&forge, &["update-ref", "--stdin"], lines.as_bytes());
    push(changed(&forge, &place).await).await.1.unwrap();
}

#[tokio::test]
async fn a_commit_without_a_name_is_a_base() {
    let (forge, place) = (forge().await, Place::new());
    let tree = forge.git("demo", "hello", &["rev-parse", "main^{tree}"]).unwrap();
    let raw = format!("tree {}\nauthor  <> 0 +0000\ncommitter  <> 0 +0000\n\n", tree.trim());
    let commit = plumbing(&forge, &["hash-object", "-t", "commit", "-w", "--literally", "--stdin"], raw.as_bytes());
    forge.git("demo", "hello", &["update-ref", "refs/heads/main", &commit]).unwrap();
    push(changed(&forge, &place).await).await.1.unwrap();
}

#[test]
fn addresses_that_lack_their_scheme_are_refused_and_parts_of_pages_are_dropped() {
    for text in ["localhost:3000/o/r", "C:\\repo", "github.com/o/r", "git://host/o/r", "git clone https://host/o/r"] {
        assert!(matches!(RemoteUrl::parse(text), Err(GitError::InvalidUrl { .. })), "{text}");
    }
    for text in [
        "https://host/o/r#readme",
        "HTTPS://Host/o/r?tab=x",
        "https://u:p@ss@host/o/r",
        "ssh://git@host:7999/o/r",
        "ssh://git@host:o/r",
    ] {
        assert_eq!(RemoteUrl::parse(text).unwrap().as_str(), "https://host/o/r", "{text}");
    }
}
