//! Which forge is behind an address that is not a known one.

use crate::stub::{Answer, Stub, json, text};
use serde_json::json as v;
use terarchitect_forge::{ForgeError, Kind, find_kind};

#[tokio::test]
async fn a_host_says_what_it_is_even_where_it_wants_a_token() {
    let cases: [(&str, Answer, Kind, &str); 7] = [
        ("/api/v1/version", json(200, v!({"version": "1.27.0"})), Kind::Gitea, "/api/v1"),
        ("/api/v1/version", json(403, v!({"message": "", "url": "http://h/api/swagger"})), Kind::Gitea, "/api/v1"),
        ("/api/v3/meta", json(200, v!({"installed_version": "3.19.0"})), Kind::GitHub, "/api/v3"),
        (
            "/api/v3/meta",
            json(401, v!({"message": "Must authenticate"})).header("x-github-request-id", "1"),
            Kind::GitHub,
            "/api/v3",
        ),
        ("/api/v4/version", json(401, v!({"message": "401 Unauthorized"})), Kind::GitLab, "/api/v4"),
        ("/api/v4/version", json(200, v!({"version": "19.1.0"})), Kind::GitLab, "/api/v4"),
        ("/api/v4/version", text(404, "").header("x-gitlab-meta", "{}"), Kind::GitLab, "/api/v4"),
    ];
    for (path, answer, kind, api) in cases {
        let stub = Stub::start().await;
        stub.on(&format!("GET {path}"), [answer]);
        let place = find_kind(&format!("{}/o/r.git", stub.address), None).await.unwrap();
        assert_eq!((place.kind, place.api.path()), (kind, api));
        assert!(stub.all().iter().all(|seen| !seen.headers.contains_key("authorization")));
    }
}

#[tokio::test]
async fn a_host_that_is_no_forge_gets_a_sentence() {
    let stub = Stub::start().await;
    for path in ["/api/v1/version", "/api/v3/meta", "/api/v4/version"] {
        stub.on(&format!("GET {path}"), [text(200, "<html>Welcome</html>")]);
    }
    let error = find_kind(&format!("{}/o/r", stub.address), None).await.unwrap_err();
    assert!(matches!(error, ForgeError::Unsupported { .. }) && error.is_misconfiguration(), "{error}");
    // A person knows better.
    let place = find_kind(&format!("{}/g/sub/r", stub.address), Some(Kind::GitLab)).await.unwrap();
    assert_eq!((place.kind, place.repository.owner.as_str()), (Kind::GitLab, "g/sub"));
}

#[tokio::test]
async fn a_host_that_does_not_respond_is_unavailable_and_not_unsupported() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = find_kind(&format!("http://{address}/o/r"), None).await.unwrap_err();
    assert!(error.is_infrastructure(), "{error}");
}
