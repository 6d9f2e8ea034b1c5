//! A token is for one host: it goes nowhere else, whatever redirects and links say, and it is in no message.

use crate::stub::{Stub, json, text};
use crate::{PATIENCE, forge};
use serde_json::json as v;
use terarchitect_forge::{Check, CheckState, Credential, ForgeError, Kind, Place, Repository, connect};

const KINDS: [(Kind, &str, &str); 3] = [
    (Kind::GitHub, "/api/v3", "/api/v3/repos/o/r"),
    (Kind::GitLab, "/api/v4", "/api/v4/projects/o%2Fr"),
    (Kind::Gitea, "/api/v1", "/api/v1/repos/o/r"),
];

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    for (kind, api, repository) in KINDS {
        for status in [301, 302, 307, 308] {
            let (home, elsewhere) = (Stub::start().await, Stub::start().await);
            // The other host is the same machine with another port, and then with another name.
            for address in [elsewhere.address.clone(), elsewhere.address.replace("127.0.0.1", "localhost")] {
                let to = format!("{address}{repository}");
                home.on(&format!("GET {repository}"), [json(status, v!({})).header("location", to)]);
                let error = forge(&home, kind, api, "o").repository().await.unwrap_err();
                assert!(matches!(error, ForgeError::Refused { .. }), "{error}");
                assert!(error.to_string().contains("where the token is not sent"), "{error}");
            }
            assert!(elsewhere.all().is_empty(), "{:?}", elsewhere.all());
            assert_eq!(home.seen(&format!("GET {repository}")).len(), 2);
        }
    }
}

#[tokio::test]
async fn the_next_page_is_asked_for_at_the_same_host() {
    for (kind, api, repository) in KINDS {
        let (home, elsewhere) = (Stub::start().await, Stub::start().await);
        let hooks = format!("GET {repository}/hooks");
        let next =
            format!("<{}{repository}/hooks?page=2&per_page=100>; rel=\"next\", <x>; rel=\"last\"", elsewhere.address);
        let hook = |id: i64| v!([{"id": id, "url": "u", "active": true, "config": {"url": "u"}, "events": []}]);
        home.on(&hooks, [json(200, hook(1)).header("link", next), json(200, hook(2))]);
        let hooks_found = forge(&home, kind, api, "o").hooks().await.unwrap();
        assert_eq!(hooks_found.iter().map(|hook| hook.id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(home.seen(&hooks)[1].query, "page=2&per_page=100");
        assert!(elsewhere.all().is_empty());
    }
}

#[tokio::test]
async fn each_forge_gets_its_token_in_its_own_way() {
    for (kind, api, repository) in KINDS {
        let home = Stub::start().await;
        home.on(&format!("GET {repository}"), [json(200, v!({"full_name": "o/r", "path_with_namespace": "o/r"}))]);
        forge(&home, kind, api, "o").repository().await.unwrap();
        let scheme = if kind == Kind::Gitea { "token" } else { "Bearer" };
        assert_eq!(home.all()[0].headers["authorization"], format!("{scheme} sesame-token"));
    }
}

#[tokio::test]
async fn a_token_of_another_host_is_not_sent_at_all() {
    for (kind, api, _) in KINDS {
        let home = Stub::start().await;
        let credential = Credential::new("github.com", "the credential 'bot'", "sesame-token".into());
        let repository = Repository { host: None, owner: "o".into(), name: "r".into() };
        let error = connect(Place { kind, api: home.url(api), repository }, &credential, PATIENCE).err().unwrap();
        assert!(matches!(error, ForgeError::OtherHost { .. }), "{error}");
        assert!(error.is_misconfiguration());
        assert!(home.all().is_empty());
    }
}

#[tokio::test]
async fn a_log_at_another_host_is_read_without_the_token() {
    let (home, elsewhere) = (Stub::start().await, Stub::start().await);
    let to = format!("{}/log?signature=s", elsewhere.address);
    home.on("GET /api/v3/repos/o/r/actions/jobs/12/logs", [text(302, "").header("location", to)]);
    elsewhere.on("GET /log", [text(200, &format!("{}the end", "long\n".repeat(10_000)))]);
    let check = Check {
        id: "12".into(),
        name: "test".into(),
        state: CheckState::Failure,
        url: None,
        summary: None,
        ours: false,
        log: Some("12".into()),
    };
    let log = forge(&home, Kind::GitHub, "/api/v3", "o").check_log_tail(&check, 12).await.unwrap();
    assert_eq!(log.as_deref(), Some("long\nthe end"));
    let seen = &elsewhere.seen("GET /log")[0];
    assert!(!seen.headers.contains_key("authorization") && !format!("{:?}", seen.headers).contains("sesame"));
}

#[tokio::test]
async fn a_forge_that_repeats_the_token_is_not_quoted() {
    for (kind, api, repository) in KINDS {
        let home = Stub::start().await;
        let echo = v!({"message": "no access for Bearer sesame-token"});
        home.on(&format!("GET {repository}"), [json(403, echo)]);
        let error = forge(&home, kind, api, "o").repository().await.unwrap_err().to_string();
        assert!(error.contains("[secret]") && !error.contains("sesame"), "{error}");
    }
}
