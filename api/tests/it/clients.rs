//! Clients that are not quite what one expects: compressed bodies, marks before JSON, weights, slashes, slowness.
//! docs/attacks.md names the reports.

use crate::support::TestApp;
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use std::io::Write;
use std::time::Duration;
use terarchitect_api::serving::Patience;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LONG: Duration = Duration::from_secs(1_000);
const SHORT: Duration = Duration::from_millis(300);
/// For a whole test; the slow clients would go on for much longer.
const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_compressed_body_is_refused_as_such() {
    let app = TestApp::start().await;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(br#"{"name": "x"}"#).unwrap();
    let compressed = gzip.finish().unwrap();
    let plain = br#"{"name": "x"}"#.to_vec();
    let send = async |encoding: &str, body: &[u8]| {
        let request = app.http().post(format!("{}/api/projects", app.base)).header("content-type", "application/json");
        TestApp::reply(request.header("content-encoding", encoding).body(body.to_vec())).await
    };
    for (encoding, body) in
        [("gzip", &compressed), ("br", &compressed), ("identity, gzip", &compressed), ("gzip", &plain)]
    {
        assert_eq!(send(encoding, body).await.error(415), "encoded_body", "{encoding}");
    }
    assert_eq!(app.get("/api/projects").await.expect(200), serde_json::json!([]));
    send("identity", &plain).await.expect(201);
}

#[tokio::test]
async fn a_byte_order_mark_before_json_is_ignored() {
    let app = TestApp::start().await;
    let send = async |body: &str| {
        let request = app.http().post(format!("{}/api/projects", app.base)).header("content-type", "application/json");
        TestApp::reply(request.body(body.to_owned())).await
    };
    assert_eq!(send("\u{feff}{\"name\": \"marked\"}").await.expect(201)["name"], "marked");
    assert_eq!(send("\u{feff}\u{feff}{}").await.error(400), "malformed_json");
    assert_eq!(send("\u{feff}").await.error(400), "malformed_json");
}

#[tokio::test]
async fn weights_decide_between_pages_and_the_stream() {
    let app = TestApp::start().await;
    for (accept, kind) in [
        ("text/event-stream;q=0, application/json", "application/json"),
        ("application/json, text/event-stream;q=0.5", "application/json"),
        ("application/json;q=0, */*", "text/event-stream"),
        ("application/json;q=0.2, text/event-stream", "text/event-stream"),
    ] {
        let request = app.http().get(format!("{}/api/events", app.base)).header("accept", accept);
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], kind, "{accept}");
    }
}

#[tokio::test]
async fn a_slash_at_the_end_changes_nothing() {
    let app = TestApp::start_guarded().await;
    let admin = app.as_admin();
    admin.post("/api/projects/", serde_json::json!({"name": "x"})).await.expect(201);
    for path in ["/api/projects/", "/api/projects//", "/api/jobs/?limit=1", "/health/"] {
        admin.get(path).await.expect(200);
    }
    assert_eq!(app.anonymous().get("/api/projects/").await.error(401), "unauthorized");
    assert_eq!(app.as_worker().get("/api/projects/").await.error(401), "unauthorized");
    assert_eq!(app.anonymous().get("/nowhere/").await.error(404), "no_such_address");
    let root = app.http().get(format!("{}//evil.example/", app.base)).send().await.unwrap();
    assert_eq!(root.status(), 404);
    let page = app.http().get(format!("{}/docs/", app.base)).send().await.unwrap();
    assert!(page.text().await.unwrap().contains("swagger"));
}

/// What the server sends until it ends the connection, while a byte is sent to it every few milliseconds.
async fn drip(base: &str, head: &str) -> String {
    let stream = TcpStream::connect(base.trim_start_matches("http://")).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    to.write_all(head.as_bytes()).await.unwrap();
    let dripping = tokio::spawn(async move {
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        loop {
            beat.tick().await;
            if to.write_all(b"x").await.is_err() {
                return;
            }
        }
    });
    let mut received = Vec::new();
    // An end with a reset is one as well.
    let _ = tokio::time::timeout(LIMIT, from.read_to_end(&mut received)).await.expect("the connection ends");
    dripping.abort();
    String::from_utf8_lossy(&received).into_owned()
}

#[tokio::test]
async fn a_body_that_arrives_byte_by_byte_has_a_time_limit() {
    let app = TestApp::start().await;
    let (base, _server) = app.with_patience(Patience { idle: LONG, body_pause: LONG, body: SHORT }).await;
    let head = "POST /api/projects HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n";
    let response = drip(&base, head).await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["code"], "unreadable_body", "{body}");
}

#[tokio::test]
async fn headers_that_arrive_byte_by_byte_have_a_time_limit() {
    let app = TestApp::start().await;
    let (base, _server) = app.with_patience(Patience { idle: SHORT, body_pause: LONG, body: LONG }).await;
    let response = drip(&base, "GET /health HTTP/1.1\r\nhost: localhost\r\nx-slow: ").await;
    assert!(!response.contains("200 OK"), "{response}");
}
