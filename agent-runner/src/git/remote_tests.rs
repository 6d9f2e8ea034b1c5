//! What a remote, a network and a redirect can do to a clone and a push, with the real git behind the local forge.

use super::tests::{Place, clone, cloned, forge, push, request};
use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use terarchitect_outbound::Retriable;
use terarchitect_testbed::forge::{Answer, Faults, Forge};

fn hook(forge: &Forge, name: &str, script: &str) {
    let path = forge.repo_path("demo", "hello").join("hooks").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A clone with one commit, pushed to a forge that was changed between the two.
async fn pushed_after(change: impl FnOnce(&Forge)) -> (Forge, Result<bool, GitError>) {
    let (forge, place) = (forge().await, Place::new());
    let mut workspace = cloned(&forge, &place, "hello").await.unwrap();
    fs::write(place.work().join("new"), "some text that takes room\n".repeat(50)).unwrap();
    workspace.commit("Turn").unwrap().unwrap();
    change(&forge);
    let pushed = push(workspace).await.1;
    (forge, pushed)
}

#[tokio::test]
async fn a_refusal_is_final_and_in_the_remotes_own_words() {
    let say = "echo 'Every change needs a ticket number.' >&2; exit 1";
    let (_, pre_receive) = pushed_after(|forge| hook(forge, "pre-receive", say)).await;
    let (_, update) = pushed_after(|forge| hook(forge, "update", say)).await;
    let limit = |forge: &Forge| drop(forge.git("demo", "hello", &["config", "receive.maxInputSize", "60"]).unwrap());
    let (_, too_large) = pushed_after(limit).await;
    let answer = Answer { status: 413, times: 9, headers: &[], body: "too large" };
    let by_proxy = Faults { push_answer: Some(answer), ..Faults::default() };
    let (_, too_large_for_proxy) = pushed_after(|forge| forge.set_faults(by_proxy)).await;
    let gh006 = "echo 'error: GH006: Protected branch update failed for refs/heads/ticket-1.' >&2; exit 1";
    let (_, protected) = pushed_after(|forge| hook(forge, "pre-receive", gh006)).await;
    for (pushed, words, advice) in [
        (pre_receive, "Every change needs a ticket number. (pre-receive hook declined)", "hook"),
        (update, "Every change needs a ticket number.; error: hook declined", "hook"),
        (too_large, "exceeds maximum allowed size", "large"),
        (too_large_for_proxy, "HTTP status 413", "large"),
        (protected, "GH006: Protected branch update failed", "rules"),
    ] {
        let error = pushed.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, GitError::Refused { .. }), "{words}: {error:?}");
        assert!(text.contains(words) && text.contains(advice), "{words}: {text}");
        assert_eq!((error.exit_code(), error.may_pass()), (2, false), "{text}");
    }
}

#[tokio::test]
async fn what_fails_for_a_moment_may_pass_and_keeps_the_commit() {
    for (status, body) in [(502, "bad gateway"), (503, ""), (504, ""), (500, ""), (429, "")] {
        let (forge, place) = (forge().await, Place::new());
        let mut workspace = cloned(&forge, &place, "hello").await.unwrap();
        fs::write(place.work().join("new"), "x").unwrap();
        workspace.commit("Turn").unwrap().unwrap();
        let answer = Answer { status, times: 1, headers: &[], body };
        forge.set_faults(Faults { push_answer: Some(answer), ..Faults::default() });
        let (workspace, pushed) = push(workspace).await;
        let error = pushed.unwrap_err();
        assert_eq!((error.exit_code(), error.may_pass()), (75, true), "{status}: {error:?}");
        assert!(push(workspace).await.1.unwrap(), "the next push has it");
    }
}

#[tokio::test]
async fn an_empty_repository_whose_first_push_failed_is_begun_again() {
    let (forge, place) = (forge().await, Place::new());
    forge.create_repo("demo", "empty", &[]).unwrap();
    let answer = Answer { status: 503, times: 1, headers: &[], body: "" };
    forge.set_faults(Faults { push_answer: Some(answer), ..Faults::default() });
    let request = request(&forge, &place, "empty", Some(forge.token()));
    assert!(clone(request.clone()).await.err().unwrap().may_pass());
    clone(request).await.unwrap();
}

#[tokio::test]
async fn the_token_goes_to_its_own_host_alone() {
    let (forge, place) = (forge().await, Place::new());
    let mut foreign = request(&forge, &place, "hello", Some(forge.token()));
    let secret = secrecy::SecretString::from(forge.token().to_owned());
    foreign.token = Some(ForgeToken::new(secret, TokenHome::find(None, None).unwrap()));
    let error = clone(foreign).await.err().unwrap();
    assert!(matches!(error, GitError::WrongHost { .. }) && error.exit_code() == 2, "{error:?}");
    assert!(error.to_string().starts_with("the token is for github.com, and the repository is at http://127.0.0.1"));
    assert_eq!(forge.credentials_offered(), 0);
}

#[tokio::test]
async fn over_a_redirect_the_token_goes_nowhere_else() {
    let (forge, other, place) = (forge().await, forge().await, Place::new());
    // Another name of the same machine is another host.
    let elsewhere = other.git_url("demo", "hello").replace("127.0.0.1", "localhost");
    let location: &'static str = Box::leak(format!("{elsewhere}/info/refs?service=git-upload-pack").into_boxed_str());
    let headers: &'static [(&str, &str)] = Box::leak(Box::new([("location", location)]));
    for status in [301, 302, 307, 308] {
        let answer = Answer { status, times: 1, headers, body: "" };
        forge.set_faults(Faults { first_answer: Some(answer), ..Faults::default() });
        let error = cloned(&forge, &Place::new(), "hello").await.err().unwrap();
        assert!(matches!(error, GitError::Elsewhere { .. }) && error.exit_code() == 2, "{status}: {error:?}");
        // Nor once the token was already given to the first host.
        forge.set_faults(Faults { git_answer: Some(answer), ..Faults::default() });
        let error = cloned(&forge, &Place::new(), "hello").await.err().unwrap();
        assert!(matches!(error, GitError::Elsewhere { .. }), "{status}: {error:?}");
    }
    assert_eq!(other.credentials_offered(), 0);

    // A repository that was renamed at the same host is followed.
    forge.set_faults(Faults { renamed: Some(("old-name", "hello")), ..Faults::default() });
    assert_eq!(cloned(&forge, &place, "old-name").await.unwrap().default_branch(), "main");
}

#[tokio::test]
async fn a_proxy_that_git_can_not_use_is_not_gone_around() {
    let forge = forge().await;
    for (scheme, proxy) in [("http", "http://127.0.0.1:9"), ("https", "socks5://127.0.0.1:9")] {
        let place = Place::new();
        let mut request = request(&forge, &place, "hello", None);
        request.url = RemoteUrl::parse(&format!("{scheme}://forge.invalid/demo/hello.git")).unwrap();
        request.proxies = Proxies::from_variables(|name| (name == "all_proxy").then(|| proxy.to_owned()));
        let error = clone(request).await.err().unwrap();
        assert!(matches!(error, GitError::Proxy { .. }) && error.exit_code() == 2, "{error:?}");
    }
}
