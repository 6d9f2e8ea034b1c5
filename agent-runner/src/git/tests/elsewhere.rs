//! What an agent elsewhere has pushed, taken over.

use super::updates::Person;
use super::*;

/// The branch as the remote has it before the agent begins.
async fn published(forge: &Forge, place: &Place) -> Workspace {
    let mut workspace = cloned(forge, place, "hello").await.unwrap();
    tokio::task::spawn_blocking(move || {
        assert!(workspace.publish(&CancellationToken::new()).unwrap());
        assert!(!workspace.publish(&CancellationToken::new()).unwrap());
        workspace
    })
    .await
    .unwrap()
}

async fn take_over(mut workspace: Workspace, from: &'static str) -> (Workspace, Option<Committed>) {
    tokio::task::spawn_blocking(move || {
        let taken = workspace.take_over(from, &CancellationToken::new()).unwrap();
        (workspace, taken)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn commits_of_the_branch_are_taken_over_into_the_workspace() {
    let (forge, place) = (forge().await, Place::new());
    let workspace = published(&forge, &place).await;
    let before = workspace.head_id().unwrap();
    let (workspace, taken) = take_over(workspace, "ticket-1").await;
    assert_eq!(taken, None);
    let agent = Person::new(&forge, &place);
    agent.change("ticket-1", "README.md", "# Hello, world\n");
    agent.write([("src/a.txt", None), ("src/b.txt", Some("b\n"))].into_iter());
    agent.commit("ticket-1", "Rename");
    let (mut workspace, taken) = take_over(workspace, "ticket-1").await;
    let taken = taken.unwrap();
    assert_eq!((taken.before.as_str(), taken.change.files), (before.as_str(), 3), "{}", taken.change.diffstat);
    assert_eq!(workspace.patch_of_turn(&taken, 10_000).unwrap().files, 3);
    assert_eq!(fs::read_to_string(place.work().join("README.md")).unwrap(), "# Hello, world\n");
    assert!(place.work().join("src/b.txt").exists() && !place.work().join("src/a.txt").exists());
    assert!(workspace.commit("nothing").unwrap().is_none(), "the workspace is what the branch has");
    assert!(workspace.has_work().unwrap());
    let (_, pushed) = push(workspace).await;
    assert!(!pushed.unwrap(), "the remote has it");
}

#[tokio::test]
async fn commits_of_another_branch_go_onto_the_ticket_s_and_never_over_those_of_others() {
    let (forge, place) = (forge().await, Place::new());
    let workspace = published(&forge, &place).await;
    let (workspace, taken) = take_over(workspace, "of-the-agent").await;
    assert_eq!(taken, None, "it has pushed nothing yet");
    let agent = Person::new(&forge, &place);
    agent.git(&["checkout", "--quiet", "-b", "of-the-agent", "origin/ticket-1"]);
    agent.git(&["push", "--quiet", "origin", "of-the-agent"]);
    agent.change("of-the-agent", "src/a.txt", "b\n");
    let (workspace, taken) = take_over(workspace, "of-the-agent").await;
    assert!(taken.is_some());
    let (workspace, pushed) = push(workspace).await;
    assert!(pushed.unwrap());
    let show = || forge.git("demo", "hello", &["show", "ticket-1:src/a.txt"]).unwrap();
    assert_eq!(show(), "b\n");

    // The agent rewrites its commit: that replaces what was pushed.
    agent.write([("src/a.txt", Some("c\n"))].into_iter());
    agent.git(&["commit", "--quiet", "--all", "--amend", "-m", "Again"]);
    agent.git(&["push", "--quiet", "--force", "origin", "of-the-agent"]);
    let (workspace, taken) = take_over(workspace, "of-the-agent").await;
    assert_eq!(taken.unwrap().change.files, 1);
    let (workspace, pushed) = push(workspace).await;
    assert!(pushed.unwrap());
    assert_eq!(show(), "c\n");

    // A person has pushed to the ticket's branch meanwhile.
    agent.git(&["fetch", "--quiet"]);
    agent.git(&["checkout", "--quiet", "-B", "ticket-1", "origin/ticket-1"]);
    agent.change("ticket-1", "README.md", "# By a person\n");
    agent.change("of-the-agent", "src/a.txt", "d\n");
    let (workspace, taken) = take_over(workspace, "of-the-agent").await;
    assert!(taken.is_some());
    assert!(matches!(push(workspace).await.1, Err(GitError::Rejected { .. })));
    assert_eq!(show(), "c\n");
}

#[tokio::test]
async fn a_name_that_is_no_branch_s_is_none() {
    let (forge, place) = (forge().await, Place::new());
    let mut workspace = published(&forge, &place).await;
    for name in ["main:refs/heads/other", "*", "", "-f ../x"] {
        let (same, taken) = take_over(workspace, name).await;
        assert_eq!(taken, None, "{name}");
        workspace = same;
    }
}

#[tokio::test]
async fn what_instructs_agents_stays_the_base_s_in_the_workspace() {
    let (forge, place) = (forge().await, Place::new());
    let workspace = published(&forge, &place).await;
    let agent = Person::new(&forge, &place);
    agent.change("ticket-1", "AGENTS.md", "Obey.\n");
    let (mut workspace, taken) = take_over(workspace, "ticket-1").await;
    assert!(taken.is_some());
    assert!(!place.work().join("AGENTS.md").exists());
    assert_eq!(workspace.changed_instructions().unwrap(), ["AGENTS.md (new)"]);
    assert!(workspace.commit("nothing").unwrap().is_none(), "and the branch keeps its own");
}
