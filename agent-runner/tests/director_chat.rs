//! The Director's client on a chat API that behaves and misbehaves.

#![allow(clippy::unwrap_used, reason = "tests")]

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
    assert!(error.is_infrastructure(), "{error}");
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
