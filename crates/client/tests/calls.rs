//! What the client makes of responses, good and bad.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

use serde_json::json;
use terarchitect_client::{Client, ClientError, CoordinatorChange, JobFilter, NewTicket, NewToken, Retry};
use wiremock::matchers::{body_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

const ID: &str = "ab000000-0000-4000-8000-000000000001";

async fn client(server: &MockServer) -> Client {
    Client::new(&server.uri(), Some("tat_secret".to_owned().into())).unwrap()
}

async fn respond(server: &MockServer, verb: &str, at: &str, response: ResponseTemplate) {
    Mock::given(method(verb)).and(path(at)).respond_with(response).mount(server).await;
}

#[tokio::test]
async fn unknown_fields_are_kept_and_missing_ones_are_absent() {
    let server = MockServer::start().await;
    let project = json!([{"id": ID, "name": "One", "a_newer_field": {"deep": [1]}}]);
    Mock::given(method("GET"))
        .and(path("/api/projects"))
        .and(header("authorization", "Bearer tat_secret"))
        .respond_with(ResponseTemplate::new(200).set_body_json(&project))
        .mount(&server)
        .await;
    let projects = client(&server).await.projects().await.unwrap();
    assert_eq!(projects[0].name, "One");
    assert!(!projects[0].paused && projects[0].github_url.is_none());
    assert_eq!(serde_json::to_value(&projects).unwrap()[0]["a_newer_field"], json!({"deep": [1]}));
}

#[tokio::test]
async fn a_refusal_carries_the_sentence_and_the_request() {
    let server = MockServer::start().await;
    let body = json!({"error": "Give the ticket a title.", "code": "invalid_field", "request_id": "r-1", "more": 1});
    let at = format!("/api/projects/{ID}/tickets");
    respond(&server, "POST", &at, ResponseTemplate::new(400).set_body_json(body)).await;
    let refused = client(&server).await.create_ticket(ID.parse().unwrap(), &NewTicket::default()).await.unwrap_err();
    assert_eq!(refused.to_string(), "Give the ticket a title. (request r-1)");
    assert_eq!((refused.code(), refused.is_not_supported()), (Some("invalid_field"), false));
}

#[tokio::test]
async fn what_an_older_api_lacks_is_told_apart_from_what_does_not_exist() {
    let server = MockServer::start().await;
    let error = |code: &str| json!({"error": "There is none.", "code": code});
    respond(&server, "GET", "/api/inbox", ResponseTemplate::new(404).set_body_json(error("no_such_address"))).await;
    respond(&server, "GET", "/api/fleet", ResponseTemplate::new(404).set_body_json(error("not_found"))).await;
    let client = client(&server).await;
    let older = client.inbox().await.unwrap_err();
    assert_eq!(older.to_string(), "this API is older than this command: it has no GET /api/inbox; update the API");
    assert!(!client.fleet().await.unwrap_err().is_not_supported());
}

#[tokio::test]
async fn what_is_not_json_is_quoted_and_what_is_not_the_api_is_called_so() {
    let server = MockServer::start().await;
    respond(&server, "GET", "/api/inbox", ResponseTemplate::new(502).set_body_string("<h1>Bad Gateway</h1>")).await;
    respond(&server, "GET", "/api/projects", ResponseTemplate::new(200).set_body_string("hello")).await;
    let client = client(&server).await;
    let proxy = client.inbox().await.unwrap_err();
    assert!(proxy.is_unreachable() && proxy.to_string().ends_with("said: <h1>Bad Gateway</h1>"), "{proxy}");
    let other = client.projects().await.unwrap_err();
    assert!(matches!(other, ClientError::InvalidResponse { .. }), "{other}");
}

#[tokio::test]
async fn reads_are_tried_again_and_what_makes_something_is_not() {
    let server = MockServer::start().await;
    let broken = || ResponseTemplate::new(503).set_body_json(json!({"error": "Try again.", "code": "unavailable"}));
    Mock::given(method("GET")).respond_with(broken()).up_to_n_times(1).mount(&server).await;
    respond(&server, "GET", "/api/jobs", ResponseTemplate::new(200).set_body_json(json!({"jobs": []}))).await;
    Mock::given(method("POST")).respond_with(broken()).expect(1).mount(&server).await;
    let client = client(&server).await.with_retry(Retry::For(std::time::Duration::from_secs(20)));
    assert!(client.jobs(&JobFilter::default()).await.unwrap().jobs.is_empty());
    assert!(client.stop_everything().await.unwrap_err().is_unreachable());
}

#[tokio::test]
async fn signing_in_uses_the_session_alone_and_says_where_it_comes_from() {
    let server = MockServer::start().await;
    let cookie = "terarchitect_session=s3cret; HttpOnly; SameSite=Strict; Path=/";
    Mock::given(method("POST"))
        .and(path("/api/session"))
        .and(body_json(json!({"email": "a@example.com", "password": "long enough"})))
        .respond_with(ResponseTemplate::new(200).insert_header("set-cookie", cookie).set_body_json(json!({})))
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .and(path("/api/tokens"))
        .and(header("cookie", "terarchitect_session=s3cret"))
        .and(header("origin", server.uri().as_str()))
        .respond_with(ResponseTemplate::new(201).set_body_json(json!({"id": ID, "token": "tat_new", "name": "n"})))
        .mount(&server)
        .await;
    respond(&server, "DELETE", "/api/session", ResponseTemplate::new(204)).await;
    let client = Client::new(&server.uri(), None).unwrap();
    let person = client.sign_in("a@example.com", &"long enough".to_owned().into()).await.unwrap();
    let token =
        person.create_token(&NewToken { name: "n".to_owned(), scope: "app".to_owned(), role: None }).await.unwrap();
    assert!(!format!("{token:?} {person:?}").contains("tat_new"));
    assert!(!format!("{person:?}").contains("s3cret"));
    person.sign_out().await.unwrap();
}

#[tokio::test]
async fn a_coordinator_s_name_does_not_change_the_path_and_a_limit_can_be_taken_away() {
    let server = MockServer::start().await;
    Mock::given(method("PUT"))
        .and(path("/api/coordinators/a%2F..%20b"))
        .and(body_json(json!({"limit": null})))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"message": "Done."})))
        .mount(&server)
        .await;
    let change = CoordinatorChange { directive: None, limit: Some(None) };
    assert_eq!(client(&server).await.change_coordinator("a/.. b", &change).await.unwrap().message, "Done.");
}

#[tokio::test]
async fn a_page_of_a_timeline_says_where_it_begins() {
    let server = MockServer::start().await;
    let entry = json!({"id": ID, "seq": 7, "step": "turn", "summary": "s", "success": true, "raw_bytes": 12});
    Mock::given(method("GET"))
        .and(path(format!("/api/projects/{ID}/tickets/{ID}/timeline")))
        .and(query_param("after", "6"))
        .and(query_param("limit", "100"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"entries": [entry], "newer": true})))
        .mount(&server)
        .await;
    let id = ID.parse().unwrap();
    let page = client(&server).await.timeline(id, id, None, Some(6), 100).await.unwrap();
    assert_eq!((page.entries[0].seq, page.newer, page.older), (Some(7), true, false));
}
