//! The gateway to models: calls pass, the key stays, what was used is known, and failures end.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::time::Duration;
use terarchitect_agent_runner::gateway::{Entrance, Gateway, ModelFailure, Spent, Tokens, Upstream};
use terarchitect_worker_api::{BudgetLeft, BudgetLevel, BudgetLimit, BudgetUnit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::{body_partial_json, header, header_exists, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

const KEY: &str = "sk-the-models-own-key";

const STREAM: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"},\"finish_reason\":null}]}\n\n\
    data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
    data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";

async fn gateway_to(base: &str, patience: Duration, silence: Duration) -> (Gateway, Entrance) {
    let key = Some(SecretString::from(KEY));
    let of = Upstream { name: "agent", base: base.parse().unwrap(), key, model: None, patience, silence };
    let gateway = Gateway::start([of]).await.unwrap();
    let entrance = gateway.entrance("agent").unwrap();
    (gateway, entrance)
}

async fn patient_gateway(model: &MockServer) -> (Gateway, Entrance) {
    gateway_to(&format!("{}/v1", model.uri()), Duration::from_secs(20), Duration::from_secs(20)).await
}

fn call(entrance: &Entrance, below: &str, body: &Value) -> reqwest::RequestBuilder {
    reqwest::Client::new().post(format!("{}/{below}", entrance.base)).json(body)
}

async fn ask(entrance: &Entrance) -> (StatusCode, String) {
    let body = json!({ "model": "m", "stream": true, "messages": [] });
    let call = call(entrance, "chat/completions", &body).bearer_auth(entrance.placeholder.expose_secret());
    let response = call.send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

fn streamed(text: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(text.to_owned(), "text/event-stream")
}

/// A server that says exactly this to every connection, and then closes it, or keeps it open.
async fn raw_server(said: &'static str, stays: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut read = [0; 4096];
                let _ = stream.read(&mut read).await;
                let _ = stream.write_all(said.as_bytes()).await;
                if stays {
                    let _ = stream.read(&mut read).await;
                }
            });
        }
    });
    format!("http://{address}/v1")
}

#[tokio::test]
async fn a_streamed_call_passes_as_it_is_with_the_models_key_and_is_counted() {
    let model = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/chat/completions"))
        .and(header("authorization", format!("Bearer {KEY}")))
        .and(body_partial_json(json!({ "model": "m", "stream_options": { "include_usage": true } })))
        .respond_with(streamed(STREAM))
        .expect(1)
        .mount(&model)
        .await;
    let (gateway, entrance) = patient_gateway(&model).await;
    assert_eq!(ask(&entrance).await, (StatusCode::OK, STREAM.to_owned()));
    let tokens = Tokens { input: 7, output: 3, ..Tokens::default() };
    assert_eq!(gateway.spent("agent"), Spent { calls: 1, uncounted: 0, failed: 0, tokens });
}

#[tokio::test]
async fn nothing_passes_without_the_placeholder_and_nothing_but_calls_of_a_model() {
    let model = MockServer::start().await;
    let (_gateway, entrance) = patient_gateway(&model).await;
    let body = json!({ "model": "m", "messages": [] });
    let send = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status();
    assert_eq!(send(call(&entrance, "chat/completions", &body)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(send(call(&entrance, "chat/completions", &body).bearer_auth(KEY)).await, StatusCode::UNAUTHORIZED);
    for below in ["files", "models/../files", "v1/fine_tuning/jobs", ""] {
        let call = call(&entrance, below, &body).bearer_auth(entrance.placeholder.expose_secret());
        assert_eq!(send(call).await, StatusCode::NOT_FOUND, "{below}");
    }
    let elsewhere = entrance.base.join("/director/chat/completions").unwrap();
    let elsewhere = reqwest::Client::new().post(elsewhere).bearer_auth(entrance.placeholder.expose_secret());
    assert_eq!(send(elsewhere).await, StatusCode::NOT_FOUND);
    assert_eq!(model.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn each_wire_form_gets_its_key_where_it_expects_it() {
    let model = MockServer::start().await;
    let reply = |usage: Value| ResponseTemplate::new(200).set_body_json(usage);
    Mock::given(path("/v1/messages"))
        .and(header("x-api-key", KEY))
        .and(header("anthropic-version", "2023-06-01"))
        .respond_with(reply(json!({ "type": "message", "usage": { "input_tokens": 1, "output_tokens": 2 } })))
        .expect(1)
        .mount(&model)
        .await;
    Mock::given(path("/v1/models/g:generateContent"))
        .and(header("x-goog-api-key", KEY))
        .respond_with(reply(json!({ "usageMetadata": { "promptTokenCount": 10, "candidatesTokenCount": 20 } })))
        .expect(2)
        .mount(&model)
        .await;
    Mock::given(path("/v1/responses"))
        .and(header("authorization", format!("Bearer {KEY}")))
        .and(query_param("api-version", "1"))
        .respond_with(reply(json!({ "usage": { "input_tokens": 100, "output_tokens": 200 } })))
        .expect(1)
        .mount(&model)
        .await;
    let (gateway, entrance) = patient_gateway(&model).await;
    let placeholder = entrance.placeholder.expose_secret();
    let body = json!({ "model": "m" });
    let calls = [
        call(&entrance, "v1/messages", &body)
            .header("x-api-key", placeholder)
            .header("anthropic-version", "2023-06-01")
            .header("cookie", "a=b"),
        call(&entrance, "v1beta/models/g:generateContent", &body).header("x-goog-api-key", placeholder),
        call(&entrance, &format!("v1beta/models/g:generateContent?key={placeholder}"), &body),
        call(&entrance, "responses?api-version=1", &body).bearer_auth(placeholder),
    ];
    for call in calls {
        let response = call.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{}", response.text().await.unwrap());
        response.bytes().await.unwrap();
    }
    let tokens = Tokens { input: 121, output: 242, ..Tokens::default() };
    assert_eq!(gateway.spent("agent"), Spent { calls: 4, uncounted: 0, failed: 0, tokens });
    for request in model.received_requests().await.unwrap() {
        let told = format!("{:?} {:?} {:?}", request.url, request.headers, request.body);
        assert!(!told.contains(placeholder) && !told.contains("a=b"), "{told}");
    }
}

#[tokio::test]
async fn a_refusal_is_passed_on_as_it_is_but_for_the_key() {
    let model = MockServer::start().await;
    let said =
        json!({ "error": { "message": format!("Incorrect API key provided: {KEY}"), "code": "invalid_api_key" } });
    Mock::given(header_exists("authorization"))
        .respond_with(ResponseTemplate::new(401).set_body_json(&said))
        .expect(1)
        .mount(&model)
        .await;
    let (gateway, entrance) = patient_gateway(&model).await;
    let (status, text) = ask(&entrance).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(text.contains("Incorrect API key provided: [secret]") && text.contains("invalid_api_key"), "{text}");
    assert_eq!(gateway.spent("agent"), Spent { failed: 1, ..Spent::default() });
}

#[tokio::test]
async fn what_fails_for_now_is_repeated_as_the_server_asks_and_the_agent_sees_one_answer() {
    let model = MockServer::start().await;
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "0").set_body_string("slow down");
    Mock::given(method("POST")).respond_with(busy).up_to_n_times(2).expect(2).mount(&model).await;
    Mock::given(method("POST")).respond_with(streamed("")).up_to_n_times(1).expect(1).mount(&model).await;
    Mock::given(method("POST")).respond_with(streamed(STREAM)).expect(1).mount(&model).await;
    let (gateway, entrance) = patient_gateway(&model).await;
    assert_eq!(ask(&entrance).await, (StatusCode::OK, STREAM.to_owned()));
    let spent = gateway.spent("agent");
    assert_eq!((spent.calls, spent.failed), (1, 3));
}

#[tokio::test]
async fn what_goes_on_failing_becomes_a_refusal_at_which_agents_stop() {
    let model = MockServer::start().await;
    let down = ResponseTemplate::new(503).set_body_string("overloaded");
    Mock::given(method("POST")).respond_with(down).mount(&model).await;
    let base = format!("{}/v1", model.uri());
    let (_gateway, entrance) = gateway_to(&base, Duration::from_millis(300), Duration::from_secs(20)).await;
    let (status, text) = ask(&entrance).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(ModelFailure::of_gateway(&text), Some(ModelFailure::Unavailable), "{text}");
    let message = serde_json::from_str::<Value>(&text).unwrap()["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(message, format!("{base}: it returned 503 Service Unavailable: overloaded"));
}

#[tokio::test]
async fn a_page_instead_of_an_answer_is_no_model() {
    let model = MockServer::start().await;
    let page = ResponseTemplate::new(200).set_body_raw("<html><body>Sign in</body></html>", "text/html");
    Mock::given(method("POST")).respond_with(page).expect(1).mount(&model).await;
    let (_gateway, entrance) = patient_gateway(&model).await;
    let (status, text) = ask(&entrance).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(ModelFailure::of_gateway(&text), Some(ModelFailure::NotFound), "{text}");
    assert!(text.contains("it is not a model's API") && text.contains("Sign in"), "{text}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
    let base = raw_server("", true).await;
    let (gateway, entrance) = gateway_to(&base, Duration::from_secs(20), Duration::from_millis(200)).await;
    let (status, text) = ask(&entrance).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(ModelFailure::of_gateway(&text), Some(ModelFailure::Unavailable), "{text}");
    assert_eq!(gateway.spent("agent").failed, 1);
}

#[tokio::test]
async fn a_stream_that_breaks_off_or_falls_silent_is_a_failure_and_an_agent_that_repeats_it_is_stopped() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n\
        15\r\ndata: {\"choices\":[]}\n\r\n";
    for stays in [false, true] {
        let base = raw_server(HEAD, stays).await;
        let (gateway, entrance) = gateway_to(&base, Duration::from_secs(20), Duration::from_millis(200)).await;
        let body = json!({ "model": "m", "stream": true, "messages": [] });
        for _ in 0..5 {
            let call = call(&entrance, "chat/completions", &body).bearer_auth(entrance.placeholder.expose_secret());
            let response = call.send().await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            assert!(response.text().await.is_err(), "the agent must see that it is not whole");
        }
        let (status, text) = ask(&entrance).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
        assert!(text.contains("asking is paused after 5 failures"), "{text}");
        let spent = gateway.spent("agent");
        assert_eq!((spent.calls, spent.uncounted, spent.failed), (5, 5, 5));
    }
}

#[tokio::test]
async fn nothing_passes_after_the_gateways_end_also_on_a_connection_that_is_open() {
    let model = MockServer::start().await;
    Mock::given(method("POST")).respond_with(streamed(STREAM)).expect(1).mount(&model).await;
    let (gateway, entrance) = patient_gateway(&model).await;
    let client = reqwest::Client::new();
    let send = || {
        let body = json!({ "model": "m", "messages": [] });
        let url = format!("{}/chat/completions", entrance.base);
        client.post(url).bearer_auth(entrance.placeholder.expose_secret()).json(&body).send()
    };
    send().await.unwrap().bytes().await.unwrap();
    drop(gateway);
    let after = send().await;
    assert!(after.is_err() || after.unwrap().status() == StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn no_way_of_writing_a_path_leads_elsewhere() {
    let model = MockServer::start().await;
    let (_gateway, entrance) = patient_gateway(&model).await;
    let address = entrance.base.socket_addrs(|| None).unwrap()[0];
    let key = entrance.placeholder.expose_secret();
    for below in ["models/%2e%2e/files", "models/.%2E/%2e./files", "models/..\\files", "models/x/%2e%2e/%2e%2e/y"] {
        // As an agent may send it: clients tidy paths up before they send them.
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET /agent/{below} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        assert!(said.starts_with("HTTP/1.1 40"), "{below}: {said}");
    }
    assert_eq!(model.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_caller_that_decides_about_retries_itself_is_never_paused_and_sees_the_servers_own_words() {
    let model = MockServer::start().await;
    let busy = ResponseTemplate::new(503).insert_header("retry-after", "7").set_body_string("overloaded");
    Mock::given(method("POST")).respond_with(busy).up_to_n_times(8).expect(8).mount(&model).await;
    let page = ResponseTemplate::new(200).set_body_raw("<html>Sign in</html>", "text/html");
    Mock::given(method("POST")).respond_with(page).expect(1).mount(&model).await;
    let base = format!("{}/v1", model.uri());
    let (_gateway, entrance) = gateway_to(&base, Duration::ZERO, Duration::from_secs(20)).await;
    for _ in 0..8 {
        let body = json!({ "model": "m", "messages": [] });
        let call = call(&entrance, "chat/completions", &body).bearer_auth(entrance.placeholder.expose_secret());
        let response = call.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "7");
        let said: Value = response.json().await.unwrap();
        assert_eq!(said["error"]["message"], "overloaded");
    }
    assert_eq!(ask(&entrance).await.0, StatusCode::NOT_FOUND, "an address at which no model is");
}

#[tokio::test]
async fn the_key_is_in_no_response_however_a_server_says_it() {
    let model = MockServer::start().await;
    let garbled = [b"wrong key \xc3\x28 ".as_slice(), KEY.as_bytes()].concat();
    let refusal = ResponseTemplate::new(401).set_body_bytes(garbled);
    Mock::given(method("POST")).respond_with(refusal).up_to_n_times(1).mount(&model).await;
    let success = json!({ "error": { "message": format!("Incorrect API key provided: {KEY}") } });
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200).set_body_json(success)).mount(&model).await;
    let (_gateway, entrance) = patient_gateway(&model).await;
    for status in [StatusCode::UNAUTHORIZED, StatusCode::OK] {
        let (said, text) = ask(&entrance).await;
        assert_eq!(said, status);
        assert!(text.contains("[secret]") && !text.contains(KEY), "{text}");
    }
}

#[tokio::test]
async fn once_a_budget_is_used_up_nothing_is_asked_and_each_wire_form_is_told_so() {
    let model = MockServer::start().await;
    Mock::given(method("POST")).respond_with(streamed(STREAM)).expect(2).mount(&model).await;
    let models = ResponseTemplate::new(200).set_body_json(json!({ "data": [] }));
    Mock::given(method("GET")).respond_with(models).expect(1).mount(&model).await;
    let (gateway, entrance) = patient_gateway(&model).await;
    let of = |left| BudgetLimit { level: BudgetLevel::Project, unit: BudgetUnit::Tokens, amount: 20.0, left };
    let limit = |left| gateway.limit(BudgetLeft { limits: vec![of(left)], ..BudgetLeft::default() }, |_| None);
    limit(11.0);
    // The first call uses 10 tokens, and the second more than is left.
    for _ in 0..2 {
        assert_eq!(gateway.reached(), None);
        assert_eq!(ask(&entrance).await.0, StatusCode::OK);
    }
    assert_eq!(gateway.reached(), Some(of(11.0)));
    let body = json!({ "model": "m", "messages": [] });
    for below in ["chat/completions", "responses", "messages", "models/m:generateContent"] {
        let call = call(&entrance, below, &body).bearer_auth(entrance.placeholder.expose_secret());
        let response = call.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "agents stop at this");
        let text = response.text().await.unwrap();
        assert_eq!(ModelFailure::of_gateway(&text), Some(ModelFailure::Budget), "{below}: {text}");
        assert!(text.contains("The budget of this project (20 tokens) is used up."), "{below}: {text}");
    }
    let listed = reqwest::Client::new().get(format!("{}/models", entrance.base));
    let listed = listed.bearer_auth(entrance.placeholder.expose_secret()).send().await.unwrap();
    assert_eq!(listed.status(), StatusCode::OK, "what costs nothing still passes");
    let spent = gateway.spent("agent");
    assert_eq!((spent.calls, spent.failed), (2, 0), "what was not asked has not failed");
}
