//! The Director's client on a chat API that behaves and misbehaves.

#![allow(clippy::unwrap_used, reason = "tests")]

use base64::Engine;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::time::Duration;
use terarchitect_agent_runner::director::chat::{ChatError, ChatMessage, ChatModel, Role};
use wiremock::matchers::{body_partial_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn answer(text: &str) -> ResponseTemplate {
    let choice = json!({ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" });
    ResponseTemplate::new(200)
        .set_body_json(json!({ "choices": [choice], "usage": { "prompt_tokens": 12, "completion_tokens": 3 } }))
}

fn refusal(status: u16, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({ "error": { "message": message } }))
}

fn question() -> Vec<ChatMessage> {
    vec![ChatMessage { role: Role::User, content: "Well?".to_owned() }]
}

fn client(server: &MockServer) -> ChatModel {
    let key = SecretString::from("sk-hidden");
    ChatModel::new(&server.uri(), "large", Some(key)).unwrap().with_patience(Duration::from_secs(2))
}

/// What the client returns if the server responds to every request like this.
async fn asked(response: ResponseTemplate) -> Result<String, ChatError> {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(response).mount(&server).await;
    client(&server).ask(&question()).await.map(|answer| answer.text)
}

#[tokio::test]
async fn a_question_has_the_form_of_an_openai_request() {
    let server = MockServer::start().await;
    let body = json!({ "model": "large", "stream": false, "messages": [{ "role": "user", "content": "Well?" }],
        "response_format": { "type": "json_object" } });
    Mock::given(path("/v1/chat/completions"))
        .and(header("authorization", "Bearer sk-hidden"))
        .and(body_partial_json(body))
        .respond_with(answer("{}"))
        .mount(&server)
        .await;
    let answer = client(&server).ask(&question()).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.tokens_in, answer.tokens_out), ("{}", Some(12), Some(3)));
    let sent: Value = server.received_requests().await.unwrap()[0].body_json().unwrap();
    assert!(sent.get("temperature").is_none(), "{sent}");
}

#[tokio::test]
async fn a_server_without_json_mode_is_asked_without_and_that_is_remembered() {
    let server = MockServer::start().await;
    Mock::given(body_partial_json(json!({ "response_format": { "type": "json_object" } })))
        .respond_with(refusal(400, "response_format is not supported"))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(method("POST")).respond_with(answer("{}")).expect(2).mount(&server).await;
    let client = client(&server);
    client.ask(&question()).await.unwrap();
    client.ask(&question()).await.unwrap();
}

#[tokio::test]
async fn failures_that_pass_are_retried() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(refusal(503, "busy")).up_to_n_times(1).mount(&server).await;
    let slow_down = refusal(429, "slow down").insert_header("retry-after", "0");
    Mock::given(method("POST")).respond_with(slow_down).up_to_n_times(1).mount(&server).await;
    Mock::given(method("POST")).respond_with(answer("at last")).mount(&server).await;
    assert_eq!(client(&server).ask(&question()).await.unwrap().text, "at last");
}

#[tokio::test]
async fn a_server_that_stays_down_counts_as_infrastructure() {
    let error = asked(refusal(500, "broken")).await.unwrap_err();
    assert!(error.is_infrastructure() && error.to_string().contains("broken"), "{error}");

    let error = asked(ResponseTemplate::new(200).set_body_json(json!({ "error": { "message": "upstream" } }))).await;
    assert!(error.unwrap_err().is_infrastructure());
}

#[tokio::test]
async fn an_unreachable_server_counts_as_infrastructure() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let client = ChatModel::new(&format!("http://127.0.0.1:{port}"), "large", None).unwrap();
    let error = client.with_patience(Duration::from_millis(300)).ask(&question()).await.unwrap_err();
    assert!(error.is_infrastructure() && error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
}

#[tokio::test]
async fn a_wrong_key_model_or_address_names_the_settings_and_shows_no_key() {
    for (status, message) in [(401, "Incorrect key sk-hidden"), (403, "no"), (404, "no such model")] {
        let error = asked(refusal(status, message)).await.unwrap_err();
        let text = error.to_string();
        assert!(error.is_misconfiguration() && !error.is_infrastructure(), "{text}");
        for setting in ["AGENT_LLM_URL", "AGENT_MODEL", "AGENT_API_KEY"] {
            assert!(text.contains(setting), "{text}");
        }
        assert!(!text.contains("sk-hidden") && !format!("{error:?}").contains("sk-hidden"), "{text}");
    }
}

#[tokio::test]
async fn a_web_page_is_not_a_chat_api() {
    let page = ResponseTemplate::new(200).set_body_string("<html>Welcome</html>");
    let error = asked(page).await.unwrap_err();
    assert!(error.is_misconfiguration() && error.to_string().contains("AGENT_LLM_URL"), "{error}");
}

/// The recorded shapes, by their names.
fn shapes() -> Vec<(String, Value)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shapes");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let read = |path: std::path::PathBuf| {
        let shape = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        (path.file_stem().unwrap().to_string_lossy().into_owned(), shape)
    };
    files.map(read).collect()
}

fn recorded(shape: &Value) -> ResponseTemplate {
    let body = match (shape["body_base64"].as_str(), shape["body"].as_str()) {
        (Some(bytes), _) => base64::engine::general_purpose::STANDARD.decode(bytes).unwrap(),
        (None, Some(text)) => text.as_bytes().to_vec(),
        (None, None) => shape["json"].to_string().into_bytes(),
    };
    let status = shape["status"].as_u64().map_or(200, |status| u16::try_from(status).unwrap());
    let kind = shape["content_type"].as_str().unwrap_or("application/json");
    ResponseTemplate::new(status).set_body_raw(body, kind)
}

/// What becomes of a question to the API at this address.
async fn ended(base: &str, patience: Duration) -> &'static str {
    let client = ChatModel::new(base, "large", None).unwrap().with_patience(patience);
    match client.ask(&question()).await {
        Ok(_) => "answered",
        Err(error) if error.is_misconfiguration() => "misconfigured",
        Err(error) if error.is_infrastructure() => "unavailable",
        Err(_) => "refused",
    }
}

#[tokio::test]
async fn every_recorded_shape_ends_as_its_table_says() {
    let (server, shapes) = (MockServer::start().await, shapes());
    for (name, shape) in &shapes {
        let to = path(format!("/{name}/v1/chat/completions"));
        Mock::given(to).respond_with(recorded(shape)).mount(&server).await;
    }
    let mut wrong = Vec::new();
    for (name, shape) in &shapes {
        // How often it is asked; a failure that the server reports is retried for as long as the patience lasts.
        let (expected, asks) = match shape["expect"].as_str().unwrap() {
            "approved" | "rejected" | "ask again" => ("answered", Some(1)),
            "nothing" => ("unavailable", Some(3)),
            "foreign" => ("misconfigured", Some(3)),
            "filtered" => ("refused", Some(3)),
            other => (other, None),
        };
        let patience = Duration::from_millis(if asks.is_some() { 3_000 } else { 20 });
        let outcome = ended(&format!("{}/{name}/v1", server.uri()), patience).await;
        let requests = server.received_requests().await.unwrap();
        let asked = requests.iter().filter(|request| request.url.path().starts_with(&format!("/{name}/"))).count();
        if outcome != expected || asks.is_some_and(|asks| asks != asked) {
            wrong.push(format!("{name}: {outcome} after {asked}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn an_answer_follows_a_page_an_empty_body_or_no_choices() {
    for once in [
        ResponseTemplate::new(200).set_body_string("<html>Starting</html>"),
        ResponseTemplate::new(200),
        ResponseTemplate::new(200).set_body_json(json!({ "choices": null })),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(once).up_to_n_times(1).mount(&server).await;
        Mock::given(method("POST")).respond_with(answer("at last")).mount(&server).await;
        assert_eq!(client(&server).ask(&question()).await.unwrap().text, "at last");
    }
}

#[tokio::test]
async fn a_question_is_not_sent_to_another_host_and_its_address_is_named() {
    let elsewhere = MockServer::start().await;
    let moved = elsewhere.uri().replace("127.0.0.1", "localhost");
    let redirect = ResponseTemplate::new(307).insert_header("location", moved.as_str());
    let error = asked(redirect).await.unwrap_err();
    assert!(error.is_misconfiguration() && error.to_string().contains(&moved), "{error}");
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_refused_request_is_not_repeated() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(refusal(400, "too many tokens")).expect(1).mount(&server).await;
    let error = client(&server).ask(&question()).await.unwrap_err();
    assert!(matches!(error, ChatError::Refused { .. }) && !error.is_misconfiguration(), "{error}");
}

#[test]
fn an_invalid_address_is_reported_before_any_call() {
    let error = ChatModel::new("model.internal:8000", "large", None).unwrap_err();
    assert!(error.is_misconfiguration() && error.to_string().contains("AGENT_LLM_URL"), "{error}");
}
