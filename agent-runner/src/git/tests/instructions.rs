//! What agents read is the base's in the workspace, and the branch keeps its own.

use super::updates::{Person, read};
use super::*;
use crate::instructions::TABLE;

/// A repository whose base and whose ticket's branch have these files.
async fn two_branches(base: &[(&str, &str)], branch: &[(&str, Option<&str>)]) -> (Forge, Place, Person) {
    let (forge, place) = (forge().await, Place::new());
    let person = Person::new(&forge, &place);
    person.write(base.iter().map(|(path, text)| (*path, Some(*text))));
    person.commit("main", "Base");
    person.git(&["checkout", "--quiet", "-b", "ticket-1"]);
    person.write(branch.iter().copied());
    person.commit("ticket-1", "Branch");
    (forge, place, person)
}

fn on_branch(forge: &Forge, path: &str) -> Option<String> {
    forge.git("demo", "hello", &["show", &format!("ticket-1:{path}")]).ok()
}

fn exists(place: &Place, path: &str) -> bool {
    place.work().join(path).symlink_metadata().is_ok()
}

#[tokio::test]
async fn every_file_of_the_table_is_the_bases_in_the_workspace_at_any_depth() {
    let names = TABLE.iter().flat_map(|row| row.reads).map(|name| match name.strip_suffix('/') {
        Some(directory) => format!("{directory}/sub/file.js"),
        None => (*name).to_owned(),
    });
    let paths: Vec<String> = names.flat_map(|name| [format!("pkg/deep/{name}"), name]).collect();
    let new: Vec<String> = paths.iter().map(|path| format!("only-branch/{path}")).collect();
    let base: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "base")).collect();
    let branch: Vec<(&str, Option<&str>)> =
        paths.iter().chain(&new).map(|path| (path.as_str(), Some("branch"))).collect();
    let (forge, place, _) = two_branches(&base, &branch).await;
    let mut workspace = cloned(&forge, &place, "hello").await.unwrap();
    for path in &paths {
        assert_eq!(read(&place, path), "base", "{path}");
    }
    for path in &new {
        assert!(!exists(&place, path), "{path}");
    }
    // The branch keeps its own.
    fs::write(place.work().join("src/a.txt"), "changed\n").unwrap();
    let committed = workspace.commit("Turn").unwrap().unwrap();
    assert_eq!(committed.change.files, 1, "{}", committed.change.diffstat);
    push(workspace).await.1.unwrap();
    for path in paths.iter().chain(&new) {
        assert_eq!(on_branch(&forge, path).unwrap(), "branch", "{path}");
    }
}

#[tokio::test]
async fn what_the_branch_deletes_is_there_unless_its_directory_is_gone() {
    let base = [("AGENTS.md", "base\n"), ("old/AGENTS.md", "base\n"), ("old/x", "x\n")];
    let branch = [("AGENTS.md", None), ("old/AGENTS.md", None), ("old/x", None)];
    let (forge, place, _) = two_branches(&base, &branch).await;
    let mut workspace = cloned(&forge, &place, "hello").await.unwrap();
    assert_eq!(read(&place, "AGENTS.md"), "base\n");
    assert!(!exists(&place, "old"));
    assert!(workspace.commit("Nothing").unwrap().is_none());
    assert_eq!(workspace.changed_instructions().unwrap(), ["AGENTS.md (deleted)", "old/AGENTS.md (deleted)"]);
    assert_eq!(workspace.held_to_base(), ["AGENTS.md"]);
}

#[tokio::test]
async fn the_agents_own_change_is_added_to_the_branchs() {
    let text = |first: &str, last: &str| format!("{first}\n\ntwo\n\nthree\n\n{last}\n");
    let (base, branch) = (text("one", "four"), text("one of the branch", "four"));
    let (forge, place, _) = two_branches(&[("AGENTS.md", &base)], &[("AGENTS.md", Some(&branch))]).await;
    let mut workspace = cloned(&forge, &place, "hello").await.unwrap();
    assert_eq!(read(&place, "AGENTS.md"), base);
    let agents = text("one", "four of the agent");
    fs::write(place.work().join("AGENTS.md"), &agents).unwrap();
    workspace.commit("One").unwrap().unwrap();
    assert!(workspace.commit("Nothing new").unwrap().is_none());
    assert_eq!(read(&place, "AGENTS.md"), agents);
    // A second change adds to the first.
    fs::write(place.work().join("AGENTS.md"), text("one", "four of the agent\nfive")).unwrap();
    workspace.commit("Two").unwrap().unwrap();
    push(workspace).await.1.unwrap();
    assert_eq!(on_branch(&forge, "AGENTS.md").unwrap(), text("one of the branch", "four of the agent\nfive"));
}

#[tokio::test]
async fn the_agent_may_delete_create_and_restore() {
    let base = [("AGENTS.md", "base\n"), (".claude/settings.json", "{}\n")];
    let branch = [("AGENTS.md", Some("branch\n")), (".claude/settings.json", Some("[]\n")), ("GEMINI.md", Some("g\n"))];
    let (forge, place, _) = two_branches(&base, &branch).await;
    let mut workspace = cloned(&forge, &place, "hello").await.unwrap();
    fs::remove_file(place.work().join(".claude/settings.json")).unwrap();
    fs::write(place.work().join("GEMINI.md"), "of the agent\n").unwrap();
    fs::write(place.work().join("AGENTS.md"), "branch\n").unwrap();
    workspace.commit("Turn").unwrap().unwrap();
    assert!(workspace.held_to_base().is_empty());
    assert_eq!(
        workspace.changed_instructions().unwrap().join(", "),
        ".claude/settings.json (deleted), AGENTS.md (changed), GEMINI.md (new)"
    );
    push(workspace).await.1.unwrap();
    assert_eq!(on_branch(&forge, ".claude/settings.json"), None);
    assert_eq!(on_branch(&forge, "GEMINI.md").unwrap(), "of the agent\n");
    assert_eq!(on_branch(&forge, "AGENTS.md").unwrap(), "branch\n");
}

#[tokio::test]
async fn what_the_bases_instructions_lead_to_is_held_as_well() {
    let base = [
        ("CLAUDE.md", "Read @docs/style.md and @package.json, and ask @team.\n"),
        ("docs/style.md", "See @more.md\n"),
        ("docs/more.md", "base\n"),
        ("docs/free.md", "base\n"),
        ("package.json", "{}\n"),
        ("team/x.md", "base\n"),
        ("skills/a/SKILL.md", "base\n"),
    ];
    let paths = ["docs/style.md", "docs/more.md", "docs/free.md", "package.json", "team/x.md", "skills/a/SKILL.md"];
    let changed: Vec<(&str, Option<&str>)> = paths.iter().map(|path| (*path, Some("branch\n"))).collect();
    let (forge, place, person) = two_branches(&base, &[]).await;
    person.git(&["checkout", "--quiet", "main"]);
    std::os::unix::fs::symlink("skills", person.dir.join(".claude")).unwrap();
    person.commit("main", "Link");
    person.git(&["checkout", "--quiet", "-B", "ticket-1"]);
    person.write(changed.iter().copied());
    person.write([("skills/b/SKILL.md", Some("branch\n"))].into_iter());
    person.git(&["add", "--all"]);
    person.git(&["commit", "--quiet", "-m", "Branch"]);
    person.git(&["push", "--quiet", "--force", "origin", "ticket-1"]);
    let workspace = cloned(&forge, &place, "hello").await.unwrap();
    let held = ["docs/more.md", "docs/style.md", "skills/a/SKILL.md", "skills/b/SKILL.md"];
    assert_eq!(workspace.held_to_base(), held);
    assert_eq!(read(&place, "docs/free.md"), "branch\n");
    assert_eq!(read(&place, "docs/more.md"), "base\n");
    assert!(!exists(&place, "skills/b"));
}

#[tokio::test]
async fn links_and_directories_of_the_branch_in_their_places_are_not_there() {
    let base = [(".opencode/agent/a.md", "base\n"), ("AGENTS.md", "base\n"), ("docs/x.md", "x\n")];
    let (forge, place, person) = two_branches(&base, &[]).await;
    person.git(&["checkout", "--quiet", "ticket-1"]);
    fs::remove_dir_all(person.dir.join(".opencode")).unwrap();
    std::os::unix::fs::symlink("docs", person.dir.join(".opencode")).unwrap();
    fs::remove_file(person.dir.join("AGENTS.md")).unwrap();
    fs::create_dir(person.dir.join("AGENTS.md")).unwrap();
    fs::write(person.dir.join("AGENTS.md/x"), "x\n").unwrap();
    person.commit("ticket-1", "Odd");
    let mut workspace = cloned(&forge, &place, "hello").await.unwrap();
    assert_eq!(read(&place, "AGENTS.md"), "base\n");
    assert_eq!(read(&place, ".opencode/agent/a.md"), "base\n");
    assert!(workspace.commit("Nothing").unwrap().is_none());
    fs::write(place.work().join("new"), "x\n").unwrap();
    workspace.commit("Turn").unwrap().unwrap();
    push(workspace).await.1.unwrap();
    assert_eq!(on_branch(&forge, "AGENTS.md/x").unwrap(), "x\n");
    assert_eq!(on_branch(&forge, ".opencode").unwrap(), "docs");
}

#[tokio::test]
async fn a_merge_of_the_base_brings_its_instructions_and_no_conflict_in_them() {
    let base = [("AGENTS.md", "base\n"), ("x", "base\n")];
    let (forge, place, person) = two_branches(&base, &[("AGENTS.md", Some("branch\n")), ("x", Some("branch\n"))]).await;
    person.git(&["checkout", "--quiet", "main"]);
    person
        .write([("AGENTS.md", Some("newer\n")), ("x", Some("newer\n")), ("pkg/AGENTS.md", Some("new\n"))].into_iter());
    person.commit("main", "Newer");
    let mut workspace = cloned(&forge, &place, "hello").await.unwrap();
    assert_eq!(workspace.update(), &Update::Conflicts(vec!["x".to_owned()]));
    assert_eq!(read(&place, "AGENTS.md"), "newer\n");
    assert_eq!(read(&place, "pkg/AGENTS.md"), "new\n");
    assert!(read(&place, "x").contains("<<<<<<< this branch"));
    fs::write(place.work().join("x"), "both\n").unwrap();
    workspace.commit("Merge").unwrap().unwrap();
    push(workspace).await.1.unwrap();
    assert_eq!(on_branch(&forge, "AGENTS.md").unwrap(), "branch\n");
    assert_eq!(on_branch(&forge, "pkg/AGENTS.md").unwrap(), "new\n");
    assert_eq!(on_branch(&forge, "x").unwrap(), "both\n");
}

#[tokio::test]
async fn a_merge_that_is_given_up_leaves_the_bases_instructions() {
    let base = [("AGENTS.md", "base\n"), ("x", "base\n")];
    let (forge, place, person) = two_branches(&base, &[("AGENTS.md", Some("branch\n")), ("x", Some("branch\n"))]).await;
    person.git(&["checkout", "--quiet", "main"]);
    person.write([("x", Some("newer\n")), ("y", Some("newer\n"))].into_iter());
    person.commit("main", "Newer");
    let mut workspace = cloned(&forge, &place, "hello").await.unwrap();
    assert!(matches!(workspace.update(), Update::Conflicts(_)) && exists(&place, "y"));
    workspace.give_up_merge().unwrap();
    assert_eq!((read(&place, "AGENTS.md"), read(&place, "x")), ("base\n".to_owned(), "branch\n".to_owned()));
    assert!(!exists(&place, "y") && workspace.commit("Nothing").unwrap().is_none());
}
