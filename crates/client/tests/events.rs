//! The stream of events over connections that break: nothing is lost, and nothing comes twice.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use terarchitect_client::{Client, EventFilter, EventStream, Happened};
use tokio::net::TcpListener;

const PATIENCE: Duration = Duration::from_secs(20);

/// What each connection is sent, and with which position each came.
#[derive(Clone, Default)]
struct Script {
    parts: Arc<Mutex<Vec<Vec<&'static str>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

async fn serve(State(script): State<Script>, Query(query): Query<HashMap<String, String>>) -> Response {
    script.asked.lock().unwrap().push(query["after"].clone());
    let mut connections = script.parts.lock().unwrap();
    if connections.is_empty() {
        let refused = axum::http::StatusCode::UNAUTHORIZED;
        return (refused, r#"{"error": "Sign in.", "code": "unauthorized"}"#).into_response();
    }
    let parts = connections.remove(0).into_iter().map(|part| Ok::<_, Infallible>(Bytes::from(part)));
    Body::from_stream(tokio_stream(parts.collect())).into_response()
}

/// The parts one by one, each as a piece of its own.
fn tokio_stream(parts: Vec<Result<Bytes, Infallible>>) -> impl futures::Stream<Item = Result<Bytes, Infallible>> {
    futures::stream::iter(parts)
}

async fn start(connections: Vec<Vec<&'static str>>) -> (EventStream, Script) {
    let script = Script { parts: Arc::new(Mutex::new(connections)), ..Script::default() };
    let router = Router::new().route("/api/events", axum::routing::get(serve)).with_state(script.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let client = Client::new(&url, None).unwrap();
    (client.events(EventFilter::default(), "p0".to_owned(), PATIENCE), script)
}

/// What the stream says until it is refused.
async fn told(mut stream: EventStream) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        told.push(match stream.next().await {
            Ok(Happened::Connected) => "connected".to_owned(),
            Ok(Happened::Event(event)) => format!("{} {}", event.seq, event.kind),
            Ok(Happened::Resync) => "resync".to_owned(),
            Ok(Happened::Lost(_)) => "lost".to_owned(),
            Err(error) => {
                told.push(error.to_string());
                return told;
            }
        });
    }
}

#[tokio::test]
async fn a_broken_connection_is_made_again_after_the_last_event() {
    let (stream, script) = start(vec![
        vec![
            "retry: 1000\n\n: hello\n\nid: p1\nda",
            "ta: {\"seq\":1,\"kind\":\"a.b\"}\n\nid: p2\ndata: {\"seq\":2,\"ki",
        ],
        vec!["id: p2\ndata: {\"seq\":2,\"kind\":\"a.b\",\"newer\":[]}\r\n\r\n", ": keep-alive\nid: p9\n\n"],
        vec!["event: resync\nid: p10\ndata: {}\n\n", "id: p11\ndata: {\"seq\":3,\ndata: \"kind\":\"c\"}\n\n"],
    ])
    .await;
    let told = told(stream).await;
    let expected =
        ["connected", "1 a.b", "lost", "connected", "2 a.b", "lost", "connected", "resync", "3 c", "lost", "Sign in."];
    assert_eq!(told, expected);
    // Half an event is none, and a comment moves the position on.
    assert_eq!(*script.asked.lock().unwrap(), ["p0", "p1", "p9", "p11"]);
}

#[tokio::test]
async fn what_is_no_event_ends_the_stream() {
    let (stream, _) = start(vec![vec!["data: <html>\n\n"]]).await;
    let told = told(stream).await;
    assert!(told[1].contains("(event)"), "{told:?}");
}

#[tokio::test]
async fn patience_has_an_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::new(&url, None).unwrap();
    let mut stream = client.events(EventFilter::default(), "p0".to_owned(), Duration::from_millis(300));
    assert!(matches!(stream.next().await, Ok(Happened::Lost(_))));
    assert!(stream.next().await.unwrap_err().is_unreachable());
}
