//! Opening a pull request at the testbed's forge, as runners do.

use std::time::Duration;
use terarchitect_forge::{
    Credential, Forge, ForgeError, Kind, NewPull, OpenPull, Patience, Place, Repository, connect,
};
use terarchitect_testbed::forge::{Answer, Faults, Forge as LocalForge};

async fn forge_with_branch() -> LocalForge {
    let forge = LocalForge::start().await.unwrap();
    forge.create_repo("demo", "hello", &[("a", "a")]).unwrap();
    forge.git("demo", "hello", &["branch", "ticket-1", "main"]).unwrap();
    forge
}

fn github(forge: &LocalForge, token: &str, patience: Patience) -> Box<dyn Forge> {
    let api = forge.api_url().parse().unwrap();
    let credential = Credential::of_api(&api, "GITHUB_TOKEN", token.to_owned().into());
    let repository = Repository { host: None, owner: "demo".into(), name: "hello".into() };
    connect(Place { kind: Kind::GitHub, api, repository }, &credential, patience).unwrap()
}

async fn open(forge: &LocalForge) -> Result<OpenPull, ForgeError> {
    github(forge, forge.token(), Patience::LONG).open_pull(&pull("ticket-1")).await
}

fn pull(head: &str) -> NewPull {
    NewPull { head: head.into(), base: "main".into(), title: "T".into(), body: "B".into(), draft: false }
}

#[tokio::test]
async fn an_open_pull_request_is_reused() {
    let forge = forge_with_branch().await;
    let first = open(&forge).await.unwrap();
    assert_eq!((first.number, first.reused), (1, false));
    let again = open(&forge).await.unwrap();
    assert_eq!(again, OpenPull { reused: true, ..first });
    assert_eq!(forge.pulls("demo", "hello").len(), 1);
}

#[tokio::test]
async fn a_redirect_keeps_the_method() {
    for status in [301, 302, 307, 308] {
        let forge = forge_with_branch().await;
        forge.set_faults(Faults { rest_moved: Some(status), ..Faults::default() });
        let opened = open(&forge).await.unwrap();
        assert!(!opened.reused);
        assert_eq!(forge.pulls("demo", "hello").len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_call_that_fails_for_a_moment_is_retried() {
    let forge = forge_with_branch().await;
    forge.set_faults(Faults { rest: Some((502, 2)), ..Faults::default() });
    assert!(open(&forge).await.is_ok());
}

#[tokio::test]
async fn refusals_say_what_is_wrong() {
    let forge = forge_with_branch().await;
    let denied = github(&forge, "wrong", Patience::LONG).open_pull(&pull("ticket-1")).await.unwrap_err();
    assert_eq!(
        denied.to_string(),
        "127.0.0.1 denied access (Bad credentials): check that GITHUB_TOKEN may read and write the repository's pull requests"
    );
    let hurried = Patience { settling: Duration::ZERO, ..Patience::LONG };
    let refused = github(&forge, forge.token(), hurried).open_pull(&pull("no-such-branch")).await.unwrap_err();
    assert!(
        refused.to_string().starts_with("127.0.0.1 did not accept the pull request: Validation Failed"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_limit_and_a_branch_that_is_not_known_yet_are_waited_for() {
    let limited = |headers, body| Answer { status: 403, times: 2, headers, body };
    let unknown = r#"{"message": "Validation Failed", "errors": [{"resource": "PullRequest", "field": "head", "code": "invalid"}]}"#;
    for answer in [
        limited(&[("retry-after", "1")], "{}"),
        limited(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1000000000")], "{}"),
        limited(&[], r#"{"message": "You have exceeded a secondary rate limit."}"#),
        Answer { status: 429, times: 2, headers: &[], body: "" },
        Answer { status: 422, times: 1, headers: &[], body: unknown },
    ] {
        let forge = forge_with_branch().await;
        forge.set_faults(Faults { rest_answer: Some(answer), ..Faults::default() });
        let opened = open(&forge).await;
        assert!(opened.is_ok(), "{answer:?}: {opened:?}");
    }
    let forge = forge_with_branch().await;
    let plain = limited(&[], r#"{"message": "Resource not accessible by personal access token"}"#);
    forge.set_faults(Faults { rest_answer: Some(plain), ..Faults::default() });
    let denied = open(&forge).await.unwrap_err();
    assert!(matches!(denied, ForgeError::Denied { .. }), "{denied}");
}

#[tokio::test]
async fn a_limit_longer_than_the_patience_says_how_long() {
    let forge = forge_with_branch().await;
    let answer = Answer { status: 429, times: 9, headers: &[("retry-after", "120")], body: "" };
    forge.set_faults(Faults { rest_answer: Some(answer), ..Faults::default() });
    let error = github(&forge, forge.token(), Patience::SHORT).open_pull(&pull("ticket-1")).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(120)));
    assert!(error.is_infrastructure() && !error.is_misconfiguration());
    assert_eq!(
        error.to_string(),
        "127.0.0.1 is unavailable even after several tries (it limits requests at the moment, with 429 Too Many Requests): \
         try again later"
    );
}
