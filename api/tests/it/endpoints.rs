//! Every endpoint, its key, and the document that describes it. An endpoint without a case here fails these tests.

use crate::support::{ADMIN_KEY, TestApp};
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
    /// `TERARCHITECT_WORKER_API_KEY`, or the job token of a running job of the ticket.
    Runner,
    /// Either key.
    Both,
}

const P: &str = "/api/projects/{project_id}";
const T: &str = "/api/projects/{project_id}/tickets/{ticket_id}";
const J: &str = "/api/worker/jobs/{job_id}";

fn table() -> Vec<(Method, String, Guard)> {
    use Guard::{Application, Both, Public, Runner, Worker};
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
        (post.clone(), format!("{T}/logs"), Runner),
        (get.clone(), format!("{T}/logs/{{log_id}}"), Application),
        (get.clone(), format!("{T}/timeline"), Application),
        (get.clone(), format!("{T}/diffs"), Application),
        (put.clone(), format!("{T}/diffs"), Runner),
        (get.clone(), format!("{T}/diffs/{{diff_id}}"), Application),
        (get.clone(), format!("{T}/messages"), Application),
        (post.clone(), format!("{T}/messages"), Application),
        (post.clone(), format!("{T}/messages/take"), Runner),
        (post.clone(), format!("{T}/messages/delivered"), Runner),
        (get.clone(), format!("{T}/worker-context"), Runner),
        (post.clone(), format!("{T}/complete"), Runner),
        (get.clone(), format!("{T}/cancel-requested"), Runner),
        (get.clone(), format!("{P}/notes"), Application),
        (post.clone(), format!("{P}/notes"), Application),
        (get.clone(), format!("{P}/notes/{{note_id}}"), Application),
        (patch, format!("{P}/notes/{{note_id}}"), Application),
        (delete.clone(), format!("{P}/notes/{{note_id}}"), Application),
        (get.clone(), "/api/settings".into(), Application),
        (put.clone(), "/api/settings".into(), Application),
        (get.clone(), "/api/settings/check".into(), Application),
        (get.clone(), "/api/jobs".into(), Application),
        (get.clone(), "/api/jobs/{job_id}".into(), Application),
        (post.clone(), "/api/jobs/{job_id}/retry".into(), Application),
        (post.clone(), "/api/jobs/{job_id}/cancel".into(), Application),
        (post.clone(), format!("{T}/jobs"), Application),
        (get.clone(), "/api/coordinators".into(), Application),
        (put.clone(), "/api/coordinators/{worker_id}".into(), Application),
        (delete.clone(), "/api/coordinators/{worker_id}".into(), Application),
        (get.clone(), "/api/events".into(), Application),
        (get.clone(), "/metrics".into(), Both),
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
    let app = TestApp::start_guarded().await;
    let id = "00000000-0000-0000-0000-000000000000";
    for (method, path, guard) in table() {
        let path = path
            .replace("{project_id}", id)
            .replace("{ticket_id}", id)
            .replace("{note_id}", id)
            .replace("{log_id}", id)
            .replace("{diff_id}", id)
            .replace("{job_id}", id)
            .replace("{worker_id}", id);
        let what = format!("{method} {path}");
        let status =
            async |key: Option<&str>| app.request(method.clone(), &path, key, Some(&json!({}))).await.status.as_u16();
        let opens: BTreeMap<&str, bool> = BTreeMap::from([
            ("app-key", matches!(guard, Guard::Application | Guard::Both)),
            ("worker-key", matches!(guard, Guard::Worker | Guard::Runner | Guard::Both)),
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

/// A job token gives access to a runner's endpoints of its own ticket while its attempt runs, and to nothing else.
#[tokio::test]
async fn a_job_token_opens_its_own_ticket_and_nothing_else() {
    let app = TestApp::start_guarded().await;
    app.may_leave_jobs_live();
    let send = async |method: Method, path: &str, key: &str, body: Value| {
        app.request(method, path, Some(key), Some(&body)).await
    };
    let body = json!({"name": "Demo", "github_url": "https://github.com/demo/hello", "is_existing_repo": true});
    let project = app.as_admin().post("/api/projects", body).await.expect(201);
    let project = project["id"].as_str().unwrap();
    let mut tickets = Vec::new();
    for _ in 0..2 {
        let path = format!("/api/projects/{project}/tickets");
        let ticket = app.as_admin().post(&path, json!({"title": "Say hello", "column_id": "in_progress"})).await;
        tickets.push(ticket.expect(201)["id"].as_str().unwrap().to_owned());
    }
    let start = "/api/worker/jobs/start";
    let job = app.as_worker().post(start, json!({"worker_id": "one"})).await.expect(200);
    let token = job["job_token"].as_str().unwrap();
    let (own, job_id) = (job["ticket_id"].as_str().unwrap(), job["job_id"].as_str().unwrap());
    let other = tickets.iter().find(|ticket| *ticket != own).unwrap();
    let path = |path: &str, ticket: &str| {
        let path = path.replace("{project_id}", project).replace("{ticket_id}", ticket).replace("{job_id}", job_id);
        let path = path.replace("{log_id}", own).replace("{diff_id}", own);
        path.replace("{note_id}", own).replace("{worker_id}", "one")
    };
    let body = json!({"session_id": "s"});
    for (method, template, guard) in table() {
        let opens = async |ticket: &str, token: &str| {
            send(method.clone(), &path(&template, ticket), token, body.clone()).await.status != 401
        };
        // These requests also complete the ticket. That changes later responses, but not what a token gives access to.
        let expected = guard == Guard::Public || guard == Guard::Runner;
        assert_eq!(opens(own, token).await, expected, "{method} {template}");
        assert_eq!(opens(other, token).await, guard == Guard::Public, "{method} {template} of another ticket");
        let mut forged = token.to_owned();
        let last = if forged.pop() == Some('A') { 'E' } else { 'A' };
        forged.push(last);
        assert_eq!(opens(own, &forged).await, guard == Guard::Public, "{method} {template} with a changed token");
    }
    let report = json!({"attempt": 1, "worker_id": "one"});
    app.as_worker().post(&format!("/api/worker/jobs/{job_id}/complete"), report).await.expect(200);
    // The worker key gives no access to application endpoints, and a caller without a key has access to neither.
    app.as_worker().get("/api/projects").await.error(401);
    app.anonymous().get("/api/projects").await.error(401);
    app.anonymous().post(start, json!({})).await.error(401);
    let context = path("/api/projects/{project_id}/tickets/{ticket_id}/worker-context", own);
    assert_eq!(send(Method::GET, &context, token, json!({})).await.error(401), "job_token_refused");
}

/// While no key is set, this machine has access to everything, but a job token still gives access to its own ticket
/// only.
#[tokio::test]
async fn a_job_token_opens_nothing_else_where_no_key_is_set() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    app.move_to(&ticket, "in_progress").await;
    let job = app.claim_as("one", json!({})).await.unwrap();
    let token = job["job_token"].as_str();
    let get = async |path: String| app.request(Method::GET, &path, token, None).await.status.as_u16();
    assert_eq!(get(format!("{ticket}/worker-context")).await, 200);
    assert_eq!(get("/api/projects".into()).await, 401);
    assert_eq!(get(format!("{}/worker-context", app.ticket(&project).await)).await, 401);
}

#[tokio::test]
async fn without_keys_only_this_machine_is_let_in() {
    let app = TestApp::start().await;
    let call = |header: &'static str, value: &'static str| {
        TestApp::reply(app.http().get(format!("{}/api/projects", app.base)).header(header, value))
    };
    assert_eq!(call("x-forwarded-for", "192.0.2.1").await.error(403), "this_machine_only");
    assert_eq!(call("forwarded", "for=192.0.2.1").await.error(403), "this_machine_only");
    assert_eq!(call("sec-fetch-site", "cross-site").await.error(403), "foreign_origin");
    assert_eq!(call("host", "evil.example").await.error(403), "this_machine_only");
    call("host", "localhost:5010").await.expect(200);
    call("host", "[::1]:5010").await.expect(200);
}

/// Without keys, a page that a browser on this machine shows must not be able to change anything, whatever its origin: of
/// the internet, of another port, of a file, or of a name that resolves to this machine. No endpoint is left out.
#[tokio::test]
async fn without_keys_pages_of_other_origins_change_nothing() {
    let app = TestApp::start().await;
    let authority = app.base.strip_prefix("http://").unwrap();
    let own = format!("http://{authority}");
    let other_port = format!("http://{}:1", authority.split(':').next().unwrap());
    let foreign: Vec<(Vec<(&str, &str)>, &str)> = vec![
        (vec![("origin", "https://evil.example")], "foreign_origin"),
        (vec![("origin", "null")], "foreign_origin"),
        (vec![("origin", "")], "foreign_origin"),
        (vec![("origin", &other_port)], "foreign_origin"),
        (vec![("origin", &own), ("origin", &other_port)], "foreign_origin"),
        (vec![("sec-fetch-site", "cross-site")], "foreign_origin"),
        (vec![("sec-fetch-site", "same-site")], "foreign_origin"),
        (vec![("host", "evil.example"), ("origin", "http://evil.example")], "this_machine_only"),
    ];
    let own: [Vec<(&str, &str)>; 3] =
        [vec![], vec![("origin", &own)], vec![("origin", &own), ("sec-fetch-site", "same-origin")]];
    let id = "00000000-0000-0000-0000-000000000000";
    let mut tried = 0;
    for (method, path) in documented().into_iter().filter(|(method, _)| method != "GET") {
        let path =
            path.split('/').map(|part| if part.starts_with('{') { id } else { part }).collect::<Vec<_>>().join("/");
        let method: Method = method.parse().unwrap();
        // As a form sends it, or a script that may not set a type: without a body.
        let send = async |headers: &[(&str, &str)]| {
            let request = app.http().request(method.clone(), format!("{}{path}", app.base));
            TestApp::reply(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
        };
        for (headers, code) in &foreign {
            assert_eq!(send(headers).await.error(403), *code, "{method} {path} with {headers:?}");
        }
        for headers in &own {
            assert_ne!(send(headers).await.status, 403, "{method} {path} with {headers:?}");
        }
        tried += 1;
    }
    assert!(tried > 15, "{tried}");
}

/// With keys nothing of that matters: who has a key may call from anywhere.
#[tokio::test]
async fn with_keys_pages_of_any_origin_may_call() {
    let app = TestApp::start_guarded().await;
    let projects =
        app.http().post(format!("{}/api/projects", app.base)).bearer_auth("app-key").json(&json!({"name": "x"}));
    let headers = [("origin", "https://board.example"), ("sec-fetch-site", "cross-site"), ("host", "api.example")];
    let request = headers.iter().fold(projects, |request, (name, value)| request.header(*name, *value));
    TestApp::reply(request).await.expect(201);
}

/// A front end that is served elsewhere may call where its origin is allowed, with keys and without; others may not.
#[tokio::test]
async fn an_allowed_origin_may_call_from_a_browser() {
    for app in [
        TestApp::start_with_origin("https://board.example", None).await,
        TestApp::start_with_origin("https://board.example", Some(ADMIN_KEY)).await,
    ] {
        let url = format!("{}/api/projects", app.base);
        let asks = |origin: &'static str| {
            let asked = app.http().request(Method::OPTIONS, &url).header("origin", origin);
            asked
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "authorization")
        };
        let allowed = asks("https://board.example").send().await.unwrap();
        assert_eq!(allowed.headers()["access-control-allow-origin"], "https://board.example");
        assert!(allowed.headers()["access-control-allow-headers"].to_str().unwrap().contains("authorization"));
        let refused = asks("https://evil.example").send().await.unwrap();
        assert!(!refused.headers().contains_key("access-control-allow-origin"));
        let creates = |origin: &'static str| {
            let request = app.http().post(&url).bearer_auth(ADMIN_KEY).json(&json!({"name": "x"}));
            request.header("origin", origin).header("sec-fetch-site", "cross-site")
        };
        let created = creates("https://board.example").send().await.unwrap();
        assert_eq!(
            (created.status().as_u16(), &created.headers()["access-control-allow-origin"]),
            (201, &"https://board.example".parse().unwrap())
        );
    }
    let app = TestApp::start_with_origin("https://board.example", None).await;
    let foreign = app.http().post(format!("{}/api/projects", app.base)).header("origin", "https://evil.example");
    assert_eq!(TestApp::reply(foreign).await.error(403), "foreign_origin");
}

/// Without an allowed origin, no response says anything to browsers about other pages.
#[tokio::test]
async fn without_an_allowed_origin_there_is_no_cors() {
    let app = TestApp::start_guarded().await;
    let request = app.http().get(format!("{}/api/projects", app.base)).bearer_auth(ADMIN_KEY);
    let response = request.header("origin", "https://board.example").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!response.headers().keys().any(|name| name.as_str().starts_with("access-control")));
}

/// `openapi.json` and `docs/errors.md` are generated from the code; `cargo xtask openapi` renews them.
#[test]
fn the_committed_documents_are_the_codes() {
    let document = terarchitect_api::app::openapi().to_pretty_json().unwrap() + "\n";
    for (name, made) in [("openapi.json", document), ("docs/errors.md", terarchitect_api::app::errors_page())] {
        let path = format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == made, "{name} is out of date: run cargo xtask openapi");
    }
}

#[tokio::test]
async fn the_document_and_its_page_are_served() {
    let app = TestApp::start().await;
    let document = app.get("/openapi.json").await.expect(200);
    assert_eq!(document["info"]["title"], "Terarchitect");
    let page = app.http().get(format!("{}/docs/", app.base)).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("swagger-ui"), "{page}");
}
