//! Every endpoint, its key, and the document that describes it. An endpoint without a case here fails these tests.

use crate::support::TestApp;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Who may call an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    /// Needs no key.
    Public,
    /// `TERARCHITECT_API_KEY`.
    Application,
    /// `TERARCHITECT_WORKER_API_KEY`.
    Worker,
    /// Either.
    Both,
}

const P: &str = "/api/projects/{project_id}";
const T: &str = "/api/projects/{project_id}/tickets/{ticket_id}";
const J: &str = "/api/worker/jobs/{job_id}";

fn table() -> Vec<(Method, String, Guard)> {
    use Guard::{Application, Both, Public, Worker};
    let (get, post, put, patch, delete) = (Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    vec![
        (get.clone(), "/health".into(), Public),
        (get.clone(), "/ready".into(), Public),
        (get.clone(), "/api/projects".into(), Application),
        (post.clone(), "/api/projects".into(), Application),
        (get.clone(), P.into(), Application),
        (put.clone(), P.into(), Application),
        (delete.clone(), P.into(), Application),
        (get.clone(), format!("{P}/graph"), Application),
        (put.clone(), format!("{P}/graph"), Application),
        (get.clone(), format!("{P}/kanban"), Application),
        (put.clone(), format!("{P}/kanban"), Application),
        (get.clone(), format!("{P}/tickets"), Application),
        (post.clone(), format!("{P}/tickets"), Application),
        (get.clone(), T.into(), Application),
        (patch.clone(), T.into(), Application),
        (delete.clone(), T.into(), Application),
        (post.clone(), format!("{T}/cancel"), Application),
        (get.clone(), format!("{T}/logs"), Application),
        (post.clone(), format!("{T}/logs"), Worker),
        (get.clone(), format!("{T}/worker-context"), Worker),
        (post.clone(), format!("{T}/complete"), Worker),
        (get.clone(), format!("{T}/cancel-requested"), Worker),
        (get.clone(), format!("{P}/notes"), Application),
        (post.clone(), format!("{P}/notes"), Application),
        (get.clone(), format!("{P}/notes/{{note_id}}"), Application),
        (patch, format!("{P}/notes/{{note_id}}"), Application),
        (delete, format!("{P}/notes/{{note_id}}"), Application),
        (get.clone(), "/api/settings".into(), Application),
        (put, "/api/settings".into(), Application),
        (get.clone(), "/api/settings/check".into(), Application),
        (get.clone(), "/api/jobs".into(), Application),
        (get.clone(), "/api/jobs/{job_id}".into(), Application),
        (post.clone(), format!("{P}/memory/index"), Both),
        (post.clone(), format!("{P}/memory/retrieve"), Both),
        (post.clone(), format!("{P}/memory/delete"), Application),
        (post.clone(), "/api/worker/jobs/start".into(), Worker),
        (post.clone(), format!("{J}/complete"), Worker),
        (post.clone(), format!("{J}/fail"), Worker),
        (post.clone(), format!("{J}/release"), Worker),
        (post, "/api/worker/heartbeat".into(), Worker),
        (get, "/api/worker/jobs".into(), Worker),
    ]
}

fn documented() -> BTreeSet<(String, String)> {
    let document: Value = serde_json::from_str(&terarchitect_api::app::openapi().to_json().unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |m| (m.to_uppercase(), path.clone())))
        .collect()
}

#[test]
fn every_endpoint_has_a_case() {
    let cases: BTreeSet<_> = table().into_iter().map(|(method, path, _)| (method.to_string(), path)).collect();
    assert_eq!(cases, documented());
}

#[tokio::test]
async fn missing_and_wrong_keys_are_refused_everywhere() {
    let app = TestApp::start_with_keys("app-key", "worker-key").await;
    let id = "00000000-0000-0000-0000-000000000000";
    for (method, path, guard) in table() {
        let path = path
            .replace("{project_id}", id)
            .replace("{ticket_id}", id)
            .replace("{note_id}", id)
            .replace("{job_id}", id);
        let what = format!("{method} {path}");
        let status =
            async |key: Option<&str>| app.request(method.clone(), &path, key, Some(&json!({}))).await.status.as_u16();
        let opens: BTreeMap<&str, bool> = BTreeMap::from([
            ("app-key", matches!(guard, Guard::Application | Guard::Both)),
            ("worker-key", matches!(guard, Guard::Worker | Guard::Both)),
            ("wrong", false),
            ("", false),
        ]);
        let public = guard == Guard::Public;
        assert_eq!(status(None).await == 401, !public, "{what} without a key");
        for (key, opens) in opens {
            assert_eq!(status(Some(key)).await != 401, opens || public, "{what} with the key '{key}'");
        }
    }
}

#[tokio::test]
async fn without_keys_only_this_machine_is_let_in() {
    let app = TestApp::start().await;
    let call = |header: &'static str, value: &'static str| {
        TestApp::answer(app.http().get(format!("{}/api/projects", app.base)).header(header, value))
    };
    assert_eq!(call("x-forwarded-for", "192.0.2.1").await.error(403), "this_machine_only");
    assert_eq!(call("forwarded", "for=192.0.2.1").await.error(403), "this_machine_only");
    assert_eq!(call("sec-fetch-site", "cross-site").await.error(403), "this_machine_only");
    assert_eq!(call("host", "evil.example").await.error(403), "this_machine_only");
    call("host", "localhost:5010").await.expect(200);
    call("host", "[::1]:5010").await.expect(200);
}

/// `openapi.json` is made from the code; `UPDATE_OPENAPI=1` writes it anew.
#[test]
fn the_committed_document_is_the_codes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi.json");
    let made = terarchitect_api::app::openapi().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == made,
        "openapi.json is out of date: run UPDATE_OPENAPI=1 cargo test -p terarchitect-api document"
    );
}

#[tokio::test]
async fn the_document_and_its_page_are_served() {
    let app = TestApp::start().await;
    let document = app.get("/openapi.json").await.expect(200);
    assert_eq!(document["info"]["title"], "Terarchitect");
    let page = app.http().get(format!("{}/docs/", app.base)).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("swagger-ui"), "{page}");
}
