//! A branch that is continued after its base has moved.

use super::*;
use std::process::Command;

/// A checkout of a repository beside the workspace, in which a person works with the real git.
pub(super) struct Person {
    pub(super) dir: PathBuf,
}

impl Person {
    pub(super) fn new(forge: &Forge, place: &Place) -> Self {
        let dir = place.dir.path().join("person");
        let bare = forge.repo_path("demo", "hello");
        let person = Self { dir };
        run(Command::new("git").args(["clone", "--quiet"]).arg(bare).arg(&person.dir));
        person.git(&["config", "user.name", "P"]);
        person.git(&["config", "user.email", "p@example.com"]);
        person
    }

    pub(super) fn git(&self, args: &[&str]) {
        run(Command::new("git").arg("-C").arg(&self.dir).args(args));
    }

    /// Commits a file on a branch and pushes it.
    pub(super) fn change(&self, branch: &str, path: &str, content: &str) {
        self.git(&["checkout", "--quiet", branch]);
        self.write([(path, Some(content))].into_iter());
        self.commit(branch, &format!("Change {path}"));
    }

    /// Writes files, and removes those without a text.
    pub(super) fn write<'a>(&self, files: impl Iterator<Item = (&'a str, Option<&'a str>)>) {
        for (path, text) in files {
            let path = self.dir.join(path);
            match text {
                Some(text) => {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(path, text).unwrap();
                }
                None => fs::remove_file(path).unwrap(),
            }
        }
    }

    /// Commits everything on the branch that is checked out, and pushes it.
    pub(super) fn commit(&self, branch: &str, title: &str) {
        self.git(&["add", "--all", "--force"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", title]);
        self.git(&["push", "--quiet", "origin", branch]);
    }

    fn squash_merge(&self) {
        self.git(&["fetch", "--quiet"]);
        self.git(&["checkout", "--quiet", "main"]);
        self.git(&["merge", "--quiet", "--squash", "origin/ticket-1"]);
        self.git(&["commit", "--quiet", "-m", "Squashed"]);
        self.git(&["push", "--quiet", "origin", "main"]);
    }
}

fn run(command: &mut Command) {
    let output = command.env("GIT_CONFIG_NOSYSTEM", "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A first attempt: two turns, pushed.
async fn first_attempt(forge: &Forge) {
    let place = Place::new();
    let mut workspace = cloned(forge, &place, "hello").await.unwrap();
    fs::write(place.work().join("README.md"), "# Hello, ticket\n").unwrap();
    workspace.commit("One").unwrap().unwrap();
    fs::write(place.work().join("two"), "2\n").unwrap();
    workspace.commit("Two").unwrap().unwrap();
    push(workspace).await.1.unwrap();
}

async fn next_attempt(forge: &Forge, place: &Place, strategy: UpdateStrategy) -> Workspace {
    let request = request(forge, place, "hello", Some(forge.token()));
    clone(CloneRequest { update_strategy: Some(strategy), ..request }).await.unwrap()
}

fn titles(forge: &Forge, branch: &str) -> Vec<String> {
    let log = forge.git("demo", "hello", &["log", "--topo-order", "--format=%s", branch]).unwrap();
    log.lines().map(str::to_owned).collect()
}

pub(super) fn read(place: &Place, path: &str) -> String {
    fs::read_to_string(place.work().join(path)).unwrap()
}

#[tokio::test]
async fn after_a_squash_the_branch_starts_from_the_base_again() {
    let (forge, place) = (forge().await, Place::new());
    first_attempt(&forge).await;
    let person = Person::new(&forge, &place);
    person.squash_merge();
    // Lines that the ticket changed have changed again since, so a merge would have conflicts.
    person.change("main", "README.md", "# Hello again\n");
    let mut workspace = next_attempt(&forge, &place, UpdateStrategy::Merge).await;
    assert_eq!((workspace.update(), workspace.is_continued()), (&Update::StartedAgain, false));
    assert_eq!(read(&place, "README.md"), "# Hello again\n");
    assert!(workspace.commit("Nothing").unwrap().is_none() && !workspace.has_work().unwrap());
    fs::write(place.work().join("three"), "3\n").unwrap();
    workspace.commit("Three").unwrap().unwrap();
    assert!(push(workspace).await.1.unwrap());
    assert_eq!(titles(&forge, "ticket-1"), ["Three", "Change README.md", "Squashed", "Initial commit"]);
}

#[tokio::test]
async fn after_a_merge_the_branch_starts_from_the_base_again() {
    let (forge, place) = (forge().await, Place::new());
    first_attempt(&forge).await;
    let person = Person::new(&forge, &place);
    person.git(&["merge", "--quiet", "--no-ff", "-m", "Merged", "origin/ticket-1"]);
    person.git(&["push", "--quiet", "origin", "main"]);
    let workspace = next_attempt(&forge, &place, UpdateStrategy::Merge).await;
    assert_eq!(workspace.update(), &Update::StartedAgain);
    assert!(workspace.earlier_commits(10).unwrap().is_empty());
    assert!(!push(workspace).await.1.unwrap(), "a branch without news is not pushed");
}

#[tokio::test]
async fn commits_that_the_base_took_one_by_one_are_known() {
    let (forge, place) = (forge().await, Place::new());
    first_attempt(&forge).await;
    let person = Person::new(&forge, &place);
    person.change("main", "other", "x\n");
    person.git(&["cherry-pick", "origin/ticket-1~1", "origin/ticket-1"]);
    person.git(&["push", "--quiet", "origin", "main"]);
    person.change("main", "README.md", "# Rewritten since\n");
    let workspace = next_attempt(&forge, &place, UpdateStrategy::Merge).await;
    assert_eq!(workspace.update(), &Update::StartedAgain);
}

#[tokio::test]
async fn a_branch_that_others_pushed_to_meanwhile_is_not_replaced() {
    let (forge, place) = (forge().await, Place::new());
    first_attempt(&forge).await;
    let person = Person::new(&forge, &place);
    person.squash_merge();
    let mut workspace = next_attempt(&forge, &place, UpdateStrategy::Merge).await;
    person.change("ticket-1", "late", "x\n");
    fs::write(place.work().join("three"), "3\n").unwrap();
    workspace.commit("Three").unwrap().unwrap();
    let error = push(workspace).await.1.unwrap_err();
    assert!(matches!(error, GitError::Rejected { .. }), "{error:?}");
    assert_eq!(titles(&forge, "ticket-1")[0], "Change late");
}

#[tokio::test]
async fn what_is_new_in_the_base_is_merged_first() {
    let (forge, place) = (forge().await, Place::new());
    first_attempt(&forge).await;
    // More commits than the first fetch of a continued branch reaches.
    let person = Person::new(&forge, &place);
    for number in 0..60 {
        person.git(&["commit", "--quiet", "--allow-empty", "-m", &format!("Empty {number}")]);
    }
    person.change("main", "news", "n\n");
    let mut workspace = next_attempt(&forge, &place, UpdateStrategy::Merge).await;
    assert_eq!((workspace.update(), workspace.is_continued()), (&Update::Merged, true));
    assert_eq!((read(&place, "news"), read(&place, "two")), ("n\n".into(), "2\n".into()));
    assert!(workspace.change_of_attempt().unwrap().files == 0, "the base's news are not this attempt's");
    fs::write(place.work().join("three"), "3\n").unwrap();
    workspace.commit("Three").unwrap().unwrap();
    push(workspace).await.1.unwrap();
    let titles = titles(&forge, "ticket-1");
    assert_eq!(titles[..2], ["Three", "Merge branch 'main' into ticket-1"]);
}

#[tokio::test]
async fn a_project_may_have_its_branches_rebased() {
    let (forge, place) = (forge().await, Place::new());
    first_attempt(&forge).await;
    Person::new(&forge, &place).change("main", "news", "n\n");
    let mut workspace = next_attempt(&forge, &place, UpdateStrategy::Rebase).await;
    assert_eq!(workspace.update(), &Update::Rebased);
    fs::write(place.work().join("three"), "3\n").unwrap();
    workspace.commit("Three").unwrap().unwrap();
    push(workspace).await.1.unwrap();
    assert_eq!(titles(&forge, "ticket-1"), ["Three", "Two", "One", "Change news", "Initial commit"]);
}

#[tokio::test]
async fn commits_of_a_person_are_never_rewritten() {
    let (forge, place) = (forge().await, Place::new());
    first_attempt(&forge).await;
    let person = Person::new(&forge, &place);
    person.change("ticket-1", "theirs", "p\n");
    let theirs = forge.git("demo", "hello", &["rev-parse", "ticket-1"]).unwrap();
    person.change("main", "news", "n\n");
    let mut workspace = next_attempt(&forge, &place, UpdateStrategy::Rebase).await;
    assert_eq!(workspace.update(), &Update::Merged);
    fs::write(place.work().join("three"), "3\n").unwrap();
    workspace.commit("Three").unwrap().unwrap();
    push(workspace).await.1.unwrap();
    forge.git("demo", "hello", &["merge-base", "--is-ancestor", theirs.trim(), "ticket-1"]).unwrap();
    assert_eq!(titles(&forge, "ticket-1")[..2], ["Three", "Merge branch 'main' into ticket-1"]);
}

#[tokio::test]
async fn conflicts_are_left_in_the_workspace_and_committed_as_the_merge() {
    for strategy in [UpdateStrategy::Merge, UpdateStrategy::Rebase] {
        let (forge, place) = (forge().await, Place::new());
        first_attempt(&forge).await;
        let person = Person::new(&forge, &place);
        person.change("main", "README.md", "# Hello, base\n");
        person.change("main", "news", "n\n");
        let mut workspace = next_attempt(&forge, &place, strategy).await;
        assert_eq!(workspace.update(), &Update::Conflicts(vec!["README.md".into()]));
        assert!(read(&place, "README.md").contains("<<<<<<< this branch"), "{}", read(&place, "README.md"));
        assert_eq!(workspace.unresolved(), ["README.md"]);
        fs::write(place.work().join("README.md"), "# Hello, ticket and base\n").unwrap();
        assert!(workspace.unresolved().is_empty());
        workspace.commit("Merge").unwrap().unwrap();
        assert_eq!((workspace.update(), workspace.change_of_attempt().unwrap().files), (&Update::Merged, 0));
        push(workspace).await.1.unwrap();
        let parents = forge.git("demo", "hello", &["log", "-1", "--format=%P", "ticket-1"]).unwrap();
        assert_eq!(parents.split_whitespace().count(), 2);
        let merged = forge.git("demo", "hello", &["show", "ticket-1:README.md"]).unwrap();
        assert_eq!(merged, "# Hello, ticket and base\n");
        assert!(forge.git("demo", "hello", &["show", "ticket-1:news"]).is_ok());
    }
}

#[tokio::test]
async fn a_merge_that_is_given_up_leaves_the_branch_as_it_was() {
    let (forge, place) = (forge().await, Place::new());
    first_attempt(&forge).await;
    let person = Person::new(&forge, &place);
    person.change("main", "README.md", "# Hello, base\n");
    person.change("main", "news", "n\n");
    let mut workspace = next_attempt(&forge, &place, UpdateStrategy::Merge).await;
    workspace.give_up_merge().unwrap();
    assert_eq!((workspace.update(), read(&place, "README.md").as_str()), (&Update::Nothing, "# Hello, ticket\n"));
    assert!(!place.work().join("news").exists());
    assert!(workspace.commit("Nothing").unwrap().is_none());
}
