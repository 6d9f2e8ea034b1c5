//! What people can read of a commit and of a branch.

use super::*;

#[tokio::test]
async fn a_commit_and_the_branch_are_readable_and_bounded() {
    let (forge, place) = (forge().await, Place::new());
    let mut workspace = cloned(&forge, &place, "hello").await.unwrap();
    fs::write(place.work().join("src/a.txt"), "b\n").unwrap();
    workspace.commit("one").unwrap().unwrap();
    fs::write(place.work().join("new.txt"), "x\ny\n").unwrap();
    fs::write(place.work().join("image.png"), [0, 159, 146, 150, 0]).unwrap();
    let second = workspace.commit("two").unwrap().unwrap();
    let patch = workspace.patch_of_turn(&second, 10_000).unwrap();
    assert_eq!((patch.commit.as_str(), patch.files, patch.added, patch.removed), (second.id.as_str(), 2, 2, 0));
    assert!(patch.text.contains("+++ b/new.txt\n@@ -0,0 +1,2 @@\n+x\n+y\n"), "{}", patch.text);
    assert!(patch.text.contains("Binary files") && !patch.text.contains("a.txt"), "{}", patch.text);
    let branch = workspace.patch_of_branch(10_000).unwrap();
    assert_eq!((branch.files, branch.added, branch.removed, branch.truncated), (3, 3, 1, false));
    assert!(branch.text.contains("-a\n+b\n") && branch.text.contains("+y\n"), "{}", branch.text);
    let cut = workspace.patch_of_branch(branch.text.len() - 1).unwrap();
    assert!(cut.truncated && branch.text.starts_with(&cut.text) && cut.text.ends_with('\n'), "{}", cut.text);
    assert_eq!((cut.files, cut.added), (3, 3));
}

#[tokio::test]
async fn commits_of_an_earlier_attempt_are_known_by_their_line() {
    let forge = forge().await;
    let first = Place::new();
    let mut workspace = cloned(&forge, &first, "hello").await.unwrap();
    fs::write(first.work().join("src/a.txt"), "b\n").unwrap();
    workspace.commit("one\n\nReview 1.\n").unwrap().unwrap();
    let (workspace, pushed) = push(workspace).await;
    assert!(pushed.unwrap() && workspace.is_further_or_says("Review 2.").unwrap());

    // Nothing is new since this clone, and what the branch has is the first review's.
    let second = Place::new();
    let mut workspace = cloned(&forge, &second, "hello").await.unwrap();
    let says =
        |workspace: &Workspace| ["Review 1.", "Review 2."].map(|line| workspace.is_further_or_says(line).unwrap());
    assert_eq!(says(&workspace), [true, false]);
    fs::write(second.work().join("src/a.txt"), "c\n").unwrap();
    workspace.commit("two").unwrap().unwrap();
    assert_eq!(says(&workspace), [true, true]);
}
