//! Submodules are filled where the project asks for it.

use super::updates::{Person, read};
use super::*;
use terarchitect_testbed::forge::Answer;

/// A repository with a submodule in `lib`, and with one that can't be filled.
async fn with_submodules() -> (Forge, Place) {
    let (forge, place) = (forge().await, Place::new());
    let files = [("lib.c", "int x;\n"), ("AGENTS.md", "LIB\n"), (".opencode/plugin/x.js", "x\n")];
    forge.create_repo("demo", "lib", &files).unwrap();
    let pinned = forge.git("demo", "lib", &["rev-parse", "main"]).unwrap().trim().to_owned();
    let person = Person::new(&forge, &place);
    let modules =
        "[submodule \"a\"]\n\tpath = lib\n\turl = ../lib.git\n[submodule \"b\"]\n\tpath = gone\n\turl = ../gone.git\n";
    person.write([(".gitmodules", Some(modules))].into_iter());
    person.git(&["add", ".gitmodules"]);
    for path in ["lib", "gone"] {
        person.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{pinned},{path}")]);
    }
    person.git(&["commit", "--quiet", "-m", "Submodules"]);
    person.git(&["push", "--quiet", "origin", "main"]);
    (forge, place)
}

#[tokio::test]
async fn submodules_are_filled_where_the_project_asks_for_it() {
    let (forge, place) = with_submodules().await;
    let request = request(&forge, &place, "hello", Some(forge.token()));
    let mut workspace = clone(CloneRequest { submodules: true, ..request }).await.unwrap();
    assert_eq!(read(&place, "lib/lib.c"), "int x;\n");
    for held in ["lib/AGENTS.md", "lib/.opencode"] {
        assert!(!place.work().join(held).exists(), "{held}");
    }
    let said = workspace.not_filled().unwrap();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("The submodule gone could not be fetched") && said[0].contains("does not exist"),
        "{said:?}"
    );
    // They are not the ticket's to change.
    fs::write(place.work().join("lib/lib.c"), "int y;\n").unwrap();
    assert!(workspace.commit("Nothing").unwrap().is_none());
}

#[tokio::test]
async fn submodules_are_named_where_the_project_does_not_ask_for_them() {
    let (forge, place) = with_submodules().await;
    let workspace = cloned(&forge, &place, "hello").await.unwrap();
    let said = workspace.not_filled().unwrap();
    assert!(said[0].starts_with("Submodules are not fetched") && said[0].ends_with("gone, lib"), "{said:?}");
    assert!(!place.work().join("lib/lib.c").exists());
}

#[tokio::test]
async fn a_clean_checkout_has_them_as_their_repositories_do_whatever_the_agent_left_in_the_workspace() {
    let (forge, place) = with_submodules().await;
    let request = request(&forge, &place, "hello", Some(forge.token()));
    let workspace = clone(CloneRequest { submodules: true, ..request }).await.unwrap();
    fs::write(place.work().join("lib/lib.c"), "int y;\n").unwrap();
    let (into, cancel) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    // What the clone has fetched is not fetched again.
    let down = Answer { status: 500, times: u32::MAX, headers: &[], body: "down" };
    forge.set_faults(Faults { first_answer: Some(down), ..Faults::default() });
    let checkout = into.path().to_owned();
    let exported =
        tokio::task::spawn_blocking(move || workspace.export_head(&checkout, &cancel)).await.unwrap().unwrap();
    assert_eq!(fs::read_to_string(into.path().join("lib/lib.c")).unwrap(), "int x;\n");
    assert_eq!(fs::read_to_string(into.path().join("lib/AGENTS.md")).unwrap(), "LIB\n");
    assert_eq!(exported.not_filled.len(), 1, "{exported:?}");
    assert!(exported.not_filled[0].starts_with("The submodule gone could not be fetched"), "{exported:?}");
    assert_eq!(fs::read_dir(into.path().join("gone")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_clean_checkout_leaves_them_empty_where_the_project_does_not_ask_for_them() {
    let (forge, place) = with_submodules().await;
    let workspace = cloned(&forge, &place, "hello").await.unwrap();
    let (into, cancel) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let exported = workspace.export_head(into.path(), &cancel).unwrap();
    assert!(exported.not_filled.is_empty() && !into.path().join("lib/lib.c").exists(), "{exported:?}");
}
