//! What the tests of the programs rely on: a claim repeated gets the same job, and an attempt is accepted once.

use super::*;

async fn post(api: &ApiServer, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/api/{path}", api.url());
    let response = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

#[tokio::test]
async fn a_repeated_claim_gets_the_same_job_and_its_end_is_accepted_once() {
    let api = ApiServer::start().await.unwrap();
    let id = api.add_job();
    let claim = json!({"worker_id": "w", "request_id": "r"});
    for _ in 0..2 {
        let (status, job) = post(&api, "worker/jobs/start", claim.clone()).await;
        assert_eq!((status, &job["job_id"], &job["attempt"]), (200, &json!(id), &json!(1)));
    }
    assert_eq!(post(&api, "worker/jobs/start", json!({"worker_id": "w", "request_id": "other"})).await.0, 204);
    let report = json!({"attempt": 1});
    assert_eq!(post(&api, &format!("worker/jobs/{id}/complete"), report.clone()).await.0, 200);
    let (status, refusal) = post(&api, &format!("worker/jobs/{id}/complete"), report).await;
    assert_eq!((status, &refusal["code"]), (409, &json!("stale_attempt")));
    let accepted: Vec<bool> = api.reports().iter().map(|report| report.accepted).collect();
    assert_eq!(accepted, [true, false]);
    api.until_all_ended().await;
}

#[tokio::test]
async fn a_held_job_is_cancelled_or_lost_by_heartbeat_and_waiting_claims_get_what_is_put_back() {
    let api = ApiServer::start().await.unwrap();
    let id = Uuid::now_v7();
    api.hold_job(id, 4);
    let beat = json!({"worker_id": "w", "jobs": [{"job_id": id, "attempt": 4}]});
    assert_eq!(post(&api, "worker/heartbeat", beat.clone()).await.1["jobs"][0]["state"], "held");
    api.cancel_job(id);
    assert_eq!(post(&api, "worker/heartbeat", beat.clone()).await.1["jobs"][0]["state"], "cancel");
    let fail = format!("worker/jobs/{id}/fail");
    let (claimed, failed) = tokio::join!(
        post(&api, "worker/jobs/start", json!({"worker_id": "w", "request_id": "r", "wait_ms": 20_000})),
        post(&api, &fail, json!({"attempt": 4, "reason": "engine_error"})),
    );
    assert_eq!((&failed.1["status"], &claimed.1["attempt"]), (&json!("pending"), &json!(5)));
    api.give_jobs_to_others();
    assert_eq!(post(&api, "worker/heartbeat", beat).await.1["jobs"][0]["state"], "lost");
}

#[tokio::test]
async fn faults_hold_until_they_are_cleared() {
    let api = ApiServer::start().await.unwrap();
    api.set_fault(Endpoint::Claim, Fault::Refuse(503, "unavailable"));
    assert_eq!(post(&api, "worker/jobs/start", json!({})).await.0, 503);
    api.set_fault_everywhere(Fault::ProxyNotFound);
    let (status, body) = post(&api, "worker/heartbeat", json!({"jobs": []})).await;
    assert_eq!((status, body), (404, Value::Null));
    api.set_fault_everywhere(Fault::Silent);
    let (response, ()) = tokio::join!(post(&api, "worker/jobs/start", json!({})), async { api.clear_faults() });
    assert_eq!(response.0, 204);
    assert_eq!(api.calls("/jobs/start").len(), 2);
}

#[tokio::test]
async fn a_runner_finds_its_ticket() {
    let api = ApiServer::start().await.unwrap();
    let get = async |path: &str| {
        let response = reqwest::get(format!("{}/api/projects/p/tickets/t/{path}", api.url())).await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    assert_eq!(get("worker-context").await.0, 404);
    api.set_context(json!({"project_name": "Hello"}));
    assert_eq!(get("worker-context").await, (200, json!({"project_name": "Hello"})));
    api.set_cancel_requested(true);
    assert_eq!(get("cancel-requested").await.1, json!({"cancel_requested": true}));
    assert_eq!(post(&api, "projects/p/tickets/t/logs", json!({"step": "plan"})).await.0, 200);
    assert_eq!(api.calls("/logs")[0].body["step"], "plan");
    assert_eq!(post(&api, "projects/p/tickets/t/complete", json!({})).await.0, 200);
    assert_eq!(post(&api, "projects/p/memory/index", json!({})).await.0, 200);
}
