//! The page's files, as the API serves them.

use crate::support::TestApp;
use reqwest::{Method, Response, StatusCode};

async fn get(app: &TestApp, path: &str, headers: &[(&'static str, &str)]) -> Response {
    let mut request = app.http().request(Method::GET, format!("{}{path}", app.base));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

#[tokio::test]
async fn every_address_that_the_page_draws_gets_its_html_without_a_key() {
    let app = TestApp::start_guarded().await;
    for path in ["/", "/inbox", "/projects/one/board", "/settings/", "/link"] {
        let response = get(&app, path, &[BROWSER]).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8", "{path}");
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(response.text().await.unwrap().starts_with("<!doctype html>"), "{path}");
    }
}

#[tokio::test]
async fn what_is_not_a_page_stays_an_error_in_json() {
    let app = TestApp::start().await;
    for (path, headers) in [
        ("/api/no-such-thing", vec![BROWSER]),
        ("/missing.js", vec![BROWSER]),
        ("/inbox", vec![("accept", "application/json")]),
        ("/../etc/passwd.txt", vec![BROWSER]),
    ] {
        let response = get(&app, path, &headers).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(response.headers()["content-type"], "application/json", "{path}");
    }
    let posted = app.http().post(format!("{}/inbox", app.base)).header("accept", "text/html").send().await.unwrap();
    assert_eq!(posted.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_browser_that_has_the_file_is_not_sent_it_again() {
    let app = TestApp::start().await;
    let first = get(&app, "/", &[BROWSER]).await;
    assert_eq!(first.headers()["cache-control"], "no-cache");
    let etag = first.headers()["etag"].to_str().unwrap().to_owned();
    let again = get(&app, "/", &[BROWSER, ("if-none-match", &etag)]).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(again.headers()["etag"].to_str().unwrap(), etag);
    assert!(again.bytes().await.unwrap().is_empty());
    let changed = get(&app, "/", &[BROWSER, ("if-none-match", "W/\"other\"")]).await;
    assert_eq!(changed.status(), StatusCode::OK);
}

#[tokio::test]
async fn files_are_sent_compressed_to_those_who_accept_it() {
    let app = TestApp::start().await;
    let raw = get(&app, "/app.js", &[]).await;
    assert!(raw.headers().get("content-encoding").is_none());
    let packed = get(&app, "/app.js", &[("accept-encoding", "br, gzip;q=0.5")]).await;
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert_eq!(packed.headers()["vary"], "accept-encoding");
    let refused = get(&app, "/app.js", &[("accept-encoding", "gzip;q=0")]).await;
    assert!(refused.headers().get("content-encoding").is_none());
    let (raw, packed) = (raw.bytes().await.unwrap(), packed.bytes().await.unwrap());
    assert!(packed.len() * 2 < raw.len(), "{} of {} bytes", packed.len(), raw.len());
}
