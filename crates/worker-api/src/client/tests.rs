//! The client against a real HTTP server: what it sends, what it retries, and what its errors say.

use super::*;
use serde_json::json;
use wiremock::matchers::{body_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn client(server: &MockServer) -> WorkerClient {
    WorkerClient::new(&server.uri(), Some("key".to_owned().into())).unwrap()
}

#[tokio::test]
async fn a_claim_sends_what_the_contract_says_and_204_is_no_job() {
    let server = MockServer::start().await;
    let project = ProjectId::new();
    Mock::given(method("POST"))
        .and(path("/api/worker/jobs/start"))
        .and(header("authorization", "Bearer key"))
        .and(body_json(json!({"project_id": project})))
        .respond_with(ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
    let request = StartJobRequest { project_id: Some(project), ..StartJobRequest::default() };
    assert_eq!(client(&server).start_job(&request, Retry::Never).await.unwrap(), None);
}

#[tokio::test]
async fn a_passing_failure_is_retried_and_a_refusal_is_not() {
    let server = MockServer::start().await;
    let (job, lost) = (JobId::new(), JobId::new());
    Mock::given(path(format!("/api/worker/jobs/{job}/complete")))
        .respond_with(ResponseTemplate::new(503))
        .up_to_n_times(2)
        .mount(&server)
        .await;
    Mock::given(path(format!("/api/worker/jobs/{job}/complete")))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"job_id": job, "status": "completed"})))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path(format!("/api/worker/jobs/{lost}/complete")))
        .respond_with(ResponseTemplate::new(409).set_body_json(json!({"error": "too late", "code": "stale_attempt"})))
        .expect(1)
        .mount(&server)
        .await;
    let client = client(&server);
    let report = JobReport::default();
    assert!(client.complete_job(job, &report, Retry::Forever).await.is_ok());
    let error = client.complete_job(lost, &report, Retry::Forever).await.unwrap_err();
    assert_eq!((error.status(), error.code()), (Some(StatusCode::CONFLICT), Some("stale_attempt")));
}

#[tokio::test]
async fn errors_name_the_call_and_never_the_key() {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(200).set_body_string("<html>")).mount(&server).await;
    let client = WorkerClient::new(&server.uri(), Some("hunter2".to_owned().into())).unwrap();
    let error = client.worker_jobs("w", Retry::Never).await.unwrap_err();
    assert!(error.chain().contains("check that this is the address of Terarchitect's API"), "{}", error.chain());
    assert!(!format!("{error:?} {client:?} {}", error.chain()).contains("hunter2"));
}

#[test]
fn an_address_without_a_scheme_is_refused() {
    for bad in ["localhost:5010", "", "ftp://x", "http://"] {
        assert!(matches!(WorkerClient::new(bad, None), Err(ClientError::InvalidUrl(_))), "{bad}");
    }
}
