//! Remotes whose HEAD and branches are not what one expects.

use super::*;

async fn default_of(forge: &Forge, place: &Place) -> Result<String, GitError> {
    Ok(cloned(forge, place, "hello").await?.default_branch().to_owned())
}

#[tokio::test]
async fn work_starts_from_the_base_whatever_head_says() {
    let forge = forge().await;
    let git = |args: &[&str]| forge.git("demo", "hello", args).unwrap();
    let first = git(&["rev-parse", "main"]);
    git(&["branch", "a-first-by-name", "main"]);
    git(&["branch", "ticket-0", "main"]);
    // HEAD names a branch that does not exist.
    git(&["symbolic-ref", "HEAD", "refs/heads/gone"]);
    assert_eq!(default_of(&forge, &Place::new()).await.unwrap(), "main");
    // HEAD is a commit.
    git(&["update-ref", "--no-deref", "HEAD", first.trim()]);
    assert_eq!(default_of(&forge, &Place::new()).await.unwrap(), "main");
    // HEAD names a branch of another name.
    git(&["branch", "-m", "main", "zulu"]);
    git(&["symbolic-ref", "HEAD", "refs/heads/zulu"]);
    assert_eq!(default_of(&forge, &Place::new()).await.unwrap(), "zulu");
    // Nothing says which of two it is.
    git(&["symbolic-ref", "HEAD", "refs/heads/gone"]);
    let error = default_of(&forge, &Place::new()).await.unwrap_err();
    assert!(matches!(error, GitError::NoDefaultBranch { .. }) && error.exit_code() == 2, "{error:?}");
    // Only one is no ticket's.
    git(&["branch", "-D", "a-first-by-name"]);
    assert_eq!(default_of(&forge, &Place::new()).await.unwrap(), "zulu");
}

#[tokio::test]
async fn a_branch_whose_name_is_no_text_is_left_alone() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let (forge, place) = (forge().await, Place::new());
    let bare = forge.repo_path("demo", "hello");
    fs::copy(bare.join("refs/heads/main"), bare.join("refs/heads").join(OsStr::from_bytes(b"caf\xe9"))).unwrap();
    assert_eq!(default_of(&forge, &place).await.unwrap(), "main");
}
