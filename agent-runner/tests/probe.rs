//! What is said about a model's address that can't be used, before any work starts.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use secrecy::SecretString;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use terarchitect_agent_runner::probe::{Probe, ProbeError};
use terarchitect_agent_runner::wire::Wire;
use terarchitect_outbound::api_base;
use url::Url;
use wiremock::matchers::{any, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn probe(url: &str) -> Probe {
    Probe {
        whose: "the agent's model",
        url_setting: "WORKER_LLM_URL",
        model_setting: "WORKER_MODEL",
        key_setting: "WORKER_API_KEY",
        base: api_base(url).unwrap(),
        model: "large".to_owned(),
        key: Some(SecretString::from("sk-hidden")),
        wire: Wire::Chat,
    }
}

async fn run(url: &str) -> Result<Url, ProbeError> {
    probe(url).run_with(Duration::ZERO).await
}

/// What is said where the server responds to everything like this.
async fn said(response: ResponseTemplate) -> Result<Url, ProbeError> {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response).mount(&server).await;
    run(&server.uri()).await
}

fn models() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({ "object": "list", "data": [{ "id": "large" }] }))
}

fn refusal(status: u16, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({ "error": { "message": message } }))
}

fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn a_server_with_a_list_of_models_is_asked_once_and_with_its_key() {
    let server = MockServer::start().await;
    let list = Mock::given(path("/v1/models")).and(header("authorization", "Bearer sk-hidden"));
    list.respond_with(models()).expect(1).mount(&server).await;
    assert_eq!(run(&server.uri()).await.unwrap().as_str(), format!("{}/v1", server.uri()));
}

#[tokio::test]
async fn a_server_without_a_list_is_asked_for_one_token() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200).set_body_json(json!({ "choices": [] }));
    Mock::given(method("POST")).and(path("/v1/chat/completions")).respond_with(answer).mount(&server).await;
    run(&server.uri()).await.unwrap();
    let asked: Value = server.received_requests().await.unwrap()[1].body_json().unwrap();
    assert_eq!((&asked["model"], &asked["max_tokens"]), (&json!("large"), &json!(1)));
}

#[tokio::test]
async fn an_address_with_or_without_its_version_works() {
    for (given, real) in [("/v1", ""), ("/openai", "/openai/v1"), ("/api/v1", "/api")] {
        let server = MockServer::start().await;
        Mock::given(path(format!("{real}/models"))).respond_with(models()).mount(&server).await;
        let found = run(&format!("{}{given}", server.uri())).await.unwrap();
        let expected: Url = format!("{}{real}", server.uri()).parse().unwrap();
        assert_eq!(found, expected, "{given}");
    }
}

#[tokio::test]
async fn lm_studio_says_200_for_a_path_that_it_does_not_have() {
    let server = MockServer::start().await;
    Mock::given(path("/v1/models")).respond_with(models()).mount(&server).await;
    let unexpected = json!({ "error": "Unexpected endpoint or method. (POST /api/chat/completions)" });
    Mock::given(any()).respond_with(ResponseTemplate::new(200).set_body_json(unexpected)).mount(&server).await;
    let error = run(&format!("{}/api", server.uri())).await.unwrap_err();
    assert!(matches!(error, ProbeError::NotApi { .. }), "{error}");
}

#[tokio::test]
async fn a_wrong_setting_is_named_with_the_address_and_without_the_key() {
    let page = ResponseTemplate::new(200).set_body_raw("<html>Welcome</html>", "text/html");
    let moved = ResponseTemplate::new(302).insert_header("location", "https://login.example/");
    for (response, setting, words) in [
        (refusal(401, "Incorrect key sk-hidden"), "WORKER_API_KEY", "401"),
        (refusal(403, "no"), "WORKER_API_KEY", "403"),
        (refusal(404, "The model `large` does not exist"), "WORKER_MODEL", "large"),
        (ResponseTemplate::new(404), "WORKER_LLM_URL", "404"),
        (page, "WORKER_LLM_URL", "Welcome"),
        (moved, "WORKER_LLM_URL", "https://login.example/"),
    ] {
        let error = said(response).await.unwrap_err();
        let text = error.to_string();
        assert!(error.is_misconfiguration(), "{text}");
        for part in [setting, words, "http://127.0.0.1:"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("sk-hidden") && !format!("{error:?}").contains("sk-hidden"), "{text}");
    }
}

#[tokio::test]
async fn a_server_that_is_busy_or_has_its_reasons_is_left_to_the_first_question() {
    for status in [429, 500, 503] {
        said(refusal(status, "loading")).await.unwrap();
    }
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(403)).mount(&server).await;
    Mock::given(method("POST")).respond_with(refusal(400, "max_tokens is not supported")).mount(&server).await;
    run(&server.uri()).await.unwrap();
}

#[tokio::test]
async fn a_key_is_not_sent_to_another_host() {
    let elsewhere = MockServer::start().await;
    let to = elsewhere.uri().replace("127.0.0.1", "localhost");
    let error = said(ResponseTemplate::new(307).insert_header("location", to.as_str())).await.unwrap_err();
    assert!(matches!(&error, ProbeError::Moved { location, .. } if *location == to), "{error}");
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_server_that_can_not_be_reached_is_named_within_the_limit() {
    let refused = format!("http://127.0.0.1:{}/v1", closed_port());
    let both = async {
        let (refused, unknown) = (probe(&refused), probe("http://model.invalid:8000/v1"));
        tokio::join!(refused.run(), unknown.run())
    };
    let (nowhere, unknown) = tokio::time::timeout(Duration::from_secs(20), both).await.expect("within the limit");
    let (nowhere, unknown) = (nowhere.unwrap_err(), unknown.unwrap_err());
    assert!(!nowhere.is_misconfiguration() && !unknown.is_misconfiguration());
    let text = nowhere.to_string();
    assert!(text.contains(&refused) && text.contains("the connection is refused"), "{text}");
    assert!(unknown.to_string().contains("at http://model.invalid:8000/v1: "), "{unknown}");
    assert!(unknown.to_string().contains("WORKER_LLM_URL"), "{unknown}");
}

/// A TLS server with a certificate of its own, ended when dropped.
struct Tls {
    server: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Tls {
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext \
            subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem";
        let mut openssl = Command::new("openssl");
        let made = openssl.args(request.split(' ').filter(|word| !word.is_empty())).current_dir(folder.path()).output();
        if !made.is_ok_and(|made| made.status.success()) {
            eprintln!("SKIPPED: no openssl here");
            return None;
        }
        let serve = "s_server -accept 127.0.0.1:0 -key key.pem -cert cert.pem -www";
        let mut server = Command::new("openssl")
            .args(serve.split(' '))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| line.strip_prefix("ACCEPT ")?.rsplit(':').next()?.trim().parse().ok());
        // What it prints later goes nowhere; it must not fail because of that.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { server, port: port.unwrap(), _folder: folder })
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = (self.server.kill(), self.server.wait());
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_a_setting() {
    let Some(tls) = Tls::start() else { return };
    let error = run(&format!("https://127.0.0.1:{}/v1", tls.port)).await.unwrap_err();
    assert!(matches!(error, ProbeError::Untrusted { .. }), "{error:?}");
    assert!(error.is_misconfiguration() && error.to_string().contains("SSL_CERT_FILE"), "{error}");
}
