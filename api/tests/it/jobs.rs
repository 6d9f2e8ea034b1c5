//! What applications do with jobs, and what operators see: enqueue with terms, retry, cancel, metrics, coordinators.

use crate::support::TestApp;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use terarchitect_api::config::Limits;
use terarchitect_api::metrics::Metrics;
use terarchitect_api::queue::{Claim, Queue};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[tokio::test]
async fn a_job_is_enqueued_once_per_idempotency_key() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    let body = json!({"idempotency_key": "moved-1", "priority": 3});
    let first = app.post(&format!("{ticket}/jobs"), body.clone()).await.expect(201);
    let again = app.post(&format!("{ticket}/jobs"), body).await.expect(200);
    assert_eq!((&first["id"], &first["priority"]), (&again["id"], &json!(3)));
    assert_eq!(app.get(&ticket).await.expect(200)["column_id"], "in_progress");
    assert_eq!(app.post(&format!("{ticket}/jobs"), json!({})).await.error(409), "job_exists");
    assert_eq!(app.jobs().await.len(), 1);
}

#[tokio::test]
async fn priority_goes_first_and_a_delayed_job_waits_for_its_time() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let mut ids = Vec::new();
    for terms in [json!({"delay_sec": 1.5}), json!({}), json!({"priority": 5})] {
        let ticket = app.ticket(&project).await;
        ids.push(app.post(&format!("{ticket}/jobs"), terms).await.expect(201)["id"].clone());
    }
    let mut claimed = Vec::new();
    for _ in 0..2 {
        claimed.push(app.claim_as("one", json!({})).await.unwrap()["job_id"].clone());
    }
    assert_eq!(claimed, [ids[2].clone(), ids[1].clone()]);
    assert!(app.claim_as("one", json!({})).await.is_none());
    assert_eq!(app.claim_as("one", json!({"wait_ms": 20_000})).await.unwrap()["job_id"], ids[0]);
}

#[tokio::test]
async fn terms_that_make_no_sense_are_refused() {
    let app = TestApp::start().await;
    let ticket = app.ticket(&app.project().await).await;
    for terms in [
        json!({"delay_sec": -1}),
        json!({"delay_sec": 1e300}),
        json!({"delay_sec": 1, "run_at": "2030-01-01T00:00:00Z"}),
        json!({"run_at": "2999-01-01T00:00:00Z"}),
        json!({"kind": "review"}),
        json!({"kind": "review", "pr_number": 0}),
        json!({"idempotency_key": "k".repeat(300)}),
    ] {
        assert_eq!(app.post(&format!("{ticket}/jobs"), terms.clone()).await.error(400), "invalid_field", "{terms}");
    }
    assert!(app.jobs().await.is_empty());
}

#[tokio::test]
async fn a_failed_job_is_tried_again_as_a_new_one() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    let job = app.post(&format!("{ticket}/jobs"), json!({"priority": 2})).await.expect(201);
    let retry = format!("/api/jobs/{}/retry", job["id"].as_str().unwrap());
    assert_eq!(app.post(&retry, json!({})).await.error(409), "not_ended");
    let claimed = app.claim(&project).await.unwrap();
    app.post(&format!("{}/fail", TestApp::job_path(&claimed)), json!({})).await.expect(200);
    assert_eq!(app.get(&ticket).await.expect(200)["status"], "failed");
    let again = app.post(&retry, json!({})).await.expect(201);
    assert_eq!((&again["retry_of"], &again["priority"], &again["status"]), (&job["id"], &json!(2), &json!("pending")));
    assert_eq!(app.get(&ticket).await.expect(200)["status"], "in_progress");
    assert_eq!(app.post(&retry, json!({})).await.error(409), "job_exists");
}

#[tokio::test]
async fn a_job_is_cancelled_wherever_it_stands() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let (waiting, running) = (app.ticket(&project).await, app.ticket(&project).await);
    let job = app.post(&format!("{running}/jobs"), json!({})).await.expect(201);
    let cancel = |job: &Value| format!("/api/jobs/{}/cancel", job["id"].as_str().unwrap());
    app.claim_as("one", json!({})).await.unwrap();
    assert_eq!(app.post(&cancel(&job), json!({})).await.expect(200)["message"], "Cancellation requested");
    assert_eq!(app.get(&format!("{running}/cancel-requested")).await.expect(200)["cancel_requested"], true);
    let job = app.post(&format!("{waiting}/jobs"), json!({})).await.expect(201);
    for _ in 0..2 {
        assert_eq!(app.post(&cancel(&job), json!({})).await.expect(200)["message"], "The job is cancelled");
    }
    assert_eq!(app.get(&waiting).await.expect(200)["status"], "cancelled");
    // Every ended job has the record of an attempt, even one that was never claimed.
    let detail = app.get(&format!("/api/jobs/{}", job["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(
        (&detail["attempts"][0]["outcome"], &detail["attempts"][0]["attempt"]),
        (&json!("cancelled"), &json!(0))
    );
}

#[tokio::test]
async fn one_job_comes_with_its_attempts_and_its_log() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    app.post(&format!("{ticket}/logs"), json!({"session_id": "s", "step": "before"})).await.expect(200);
    app.move_to(&ticket, "in_progress").await;
    let job = app.claim_as("one", json!({})).await.unwrap();
    app.post(&format!("{ticket}/logs"), json!({"session_id": "s", "step": "turn"})).await.expect(200);
    let report = json!({"attempt": 1, "worker_id": "one", "exit_code": 0, "log_tail": "done"});
    app.post(&format!("{}/complete", TestApp::job_path(&job)), report).await.expect(200);
    let detail = app.get(&format!("/api/jobs/{}", job["job_id"].as_str().unwrap())).await.expect(200);
    let steps: Vec<_> = detail["logs"].as_array().unwrap().iter().map(|entry| entry["step"].clone()).collect();
    assert_eq!(steps, ["turn"]);
    assert_eq!((&detail["attempts"][0]["log_tail"], &detail["attempts"][0]["exit_code"]), (&json!("done"), &json!(0)));
}

#[tokio::test]
async fn coordinators_are_listed_and_told_to_drain() {
    let app = TestApp::start().await;
    let beat = json!({"worker_id": "one", "name": "host", "version": "1", "slots": 4});
    let directive = async || app.post("/api/worker/heartbeat", beat.clone()).await.expect(200)["directive"].clone();
    assert_eq!(directive().await, "run");
    let listed = app.get("/api/coordinators").await.expect(200);
    assert_eq!(
        (&listed[0]["worker_id"], &listed[0]["slots"], &listed[0]["name"]),
        (&json!("one"), &json!(4), &json!("host"))
    );
    app.put("/api/coordinators/one", json!({"directive": "drain"})).await.expect(200);
    assert_eq!(directive().await, "drain");
    assert_eq!(app.put("/api/coordinators/two", json!({"directive": "run"})).await.error(404), "not_found");
    // Another process on the same database learns of a change as well.
    let (other, _replica) = app.replica().await;
    let ask = async || {
        let request = app.http().post(format!("{other}/api/worker/heartbeat")).json(&beat);
        TestApp::reply(request).await.expect(200)["directive"].clone()
    };
    assert_eq!(ask().await, "drain");
    app.put("/api/coordinators/one", json!({"directive": "run"})).await.expect(200);
    app.eventually(async || ask().await == "run").await;
    app.put("/api/coordinators/one", json!({"directive": "drain"})).await.expect(200);
    assert_eq!(directive().await, "drain");
    app.eventually(async || ask().await == "drain").await;
    app.delete("/api/coordinators/one").await.expect(200);
    assert_eq!(app.delete("/api/coordinators/one").await.error(404), "not_found");
    // One that was removed but still runs is listed again, as if it were new.
    assert_eq!(directive().await, "run");
    app.eventually(async || ask().await == "run").await;
    assert_eq!(app.put("/api/coordinators/%00", json!({"directive": "run"})).await.error(400), "invalid_path");
}

#[tokio::test]
async fn an_answer_to_a_review_and_the_work_on_its_ticket_do_not_disturb_each_other() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    let review = json!({"kind": "review", "pr_number": 1, "comment_body": "Why?"});
    let review = app.post(&format!("{ticket}/jobs"), review).await.expect(201);
    app.move_to(&ticket, "in_progress").await;
    let kinds: Vec<String> =
        sqlx::query_scalar("select kind from agent_jobs order by seq").fetch_all(&app.pool).await.unwrap();
    assert_eq!(kinds, ["review", "ticket"]);

    let (one, two) = (app.claim_as("w", json!({})).await.unwrap(), app.claim_as("w", json!({})).await.unwrap());
    let (of_review, of_ticket) = if one["kind"] == "review" { (one, two) } else { (two, one) };
    app.post(&format!("/api/jobs/{}/cancel", review["id"].as_str().unwrap()), json!({})).await.expect(200);
    let asked = async |job: &Value| {
        let request = app.http().get(format!("{}{ticket}/cancel-requested", app.base));
        let request = request.bearer_auth(job["job_token"].as_str().unwrap());
        TestApp::reply(request).await.expect(200)["cancel_requested"].clone()
    };
    assert_eq!((asked(&of_review).await, asked(&of_ticket).await), (json!(true), json!(false)));
    let plain = app.get(&format!("{ticket}/cancel-requested")).await.expect(200);
    assert_eq!(plain["cancel_requested"], false);
    // Its end does not change the ticket.
    let over = json!({"attempt": of_review["attempt"], "worker_id": "w", "reason": "cancelled"});
    app.post(&format!("{}/fail", TestApp::job_path(&of_review)), over).await.expect(200);
    assert_eq!(app.get(&ticket).await.expect(200)["status"], "in_progress");
    app.move_to(&ticket, "backlog").await;
    assert_eq!(asked(&of_ticket).await, true);
}

#[tokio::test]
async fn who_claimed_without_its_name_may_name_itself_later() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    app.move_to(&ticket, "in_progress").await;
    let job = app.claim(&project).await.unwrap();
    let beat = async |worker: &str, attempt: i64| {
        let jobs = json!([{"job_id": job["job_id"], "attempt": attempt}]);
        let body = json!({"worker_id": worker, "slots": 1, "jobs": jobs});
        app.post("/api/worker/heartbeat", body).await.expect(200)["jobs"][0]["state"].clone()
    };
    let attempt = job["attempt"].as_i64().unwrap();
    assert_eq!(beat("one", attempt + 1).await, "lost");
    assert_eq!(beat("one", attempt).await, "held");
    assert_eq!(beat("two", attempt).await, "lost", "it has a holder now");
}

#[tokio::test]
async fn work_that_is_handed_in_and_sent_back_is_done_again_after_the_run_has_ended() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    app.move_to(&ticket, "in_progress").await;
    let job = app.claim_as("w", json!({})).await.unwrap();
    app.post(&format!("{ticket}/complete"), json!({})).await.expect(200);
    app.move_to(&ticket, "in_progress").await;
    assert_eq!(app.jobs().await.len(), 1);
    let done = json!({"attempt": job["attempt"], "worker_id": "w", "exit_code": 0});
    app.post(&format!("{}/complete", TestApp::job_path(&job)), done).await.expect(200);
    let statuses: Vec<String> = app.jobs().await.into_iter().map(|(status, _)| status).collect();
    assert_eq!(statuses, ["completed", "pending"]);
}

#[tokio::test]
async fn a_wish_to_stop_does_not_outlive_what_it_was_for() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let ticket = app.ticket(&app.project().await).await;
    let asked = async || app.get(&format!("{ticket}/cancel-requested")).await.expect(200)["cancel_requested"].clone();
    // A runner from a shell has no job; it is stopped by the ticket, and the next one is not.
    app.get(&format!("{ticket}/worker-context")).await.expect(200);
    app.post(&format!("{ticket}/cancel"), json!({})).await.expect(200);
    assert_eq!(asked().await, true);
    app.get(&format!("{ticket}/worker-context")).await.expect(200);
    assert_eq!(asked().await, false);
    // That of a job which runs stays.
    app.move_to(&ticket, "in_progress").await;
    app.claim_as("w", json!({})).await.unwrap();
    app.post(&format!("{ticket}/cancel"), json!({})).await.expect(200);
    app.get(&format!("{ticket}/worker-context")).await.expect(200);
    assert_eq!(asked().await, true);
}

#[tokio::test]
async fn an_answer_that_nobody_took_gives_its_job_back_unless_the_claim_was_repeated() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let ticket = app.ticket(&app.project().await).await;
    app.move_to(&ticket, "in_progress").await;
    let status = async || app.jobs().await[0].0.clone();
    let request = uuid::Uuid::now_v7();
    for (repeated, then) in [(true, "running"), (false, "pending")] {
        let limits = Limits::default();
        let queue = Queue::new(app.database(), &limits, Arc::new(Metrics::default()));
        let stop = CancellationToken::new();
        let (tasks, last_request) = (TaskTracker::new(), CancellationToken::new());
        queue.start(&tasks, &stop, last_request.clone());
        tasks.close();
        let claim = async || {
            let worker_id = Some("w".parse().unwrap());
            let claim =
                Claim { projects: Vec::new(), worker_id, request_id: Some(request), lease: Duration::from_secs(90) };
            queue.claim(claim, None).await.unwrap().unwrap()
        };
        let nobody_took = claim().await;
        if repeated {
            claim().await.passed_on();
        }
        drop(nobody_took);
        stop.cancel();
        // One of the tasks gives the job back.
        last_request.cancel();
        tasks.wait().await;
        assert_eq!(status().await, then, "repeated: {repeated}");
    }
}

#[tokio::test]
async fn metrics_name_what_is_there_and_forget_what_is_gone() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let id = project.rsplit('/').next().unwrap();
    for _ in 0..3 {
        let ticket = app.ticket(&project).await;
        app.move_to(&ticket, "in_progress").await;
    }
    let job = app.claim_as("one", json!({})).await.unwrap();
    app.post(&format!("{}/complete", TestApp::job_path(&job)), json!({"attempt": 1})).await.expect(200);
    app.post(&format!("{}/complete", TestApp::job_path(&job)), json!({"attempt": 7})).await.error(409);
    let scrape = async || app.http().get(format!("{}/metrics", app.base)).send().await.unwrap().text().await.unwrap();
    let text = scrape().await;
    for line in [
        format!("terarchitect_queue_jobs{{project_id=\"{id}\",state=\"pending\"}} 2"),
        "terarchitect_claims_total{result=\"job\"} 1".to_owned(),
        "terarchitect_attempts_ended_total{outcome=\"completed\",reason=\"completed\"} 1".to_owned(),
        "terarchitect_fenced_reports_total 1".to_owned(),
        "terarchitect_claim_wait_seconds_count 1".to_owned(),
        "terarchitect_attempt_duration_seconds_count{outcome=\"completed\"} 1".to_owned(),
        "route=\"/api/worker/jobs/start\"".to_owned(),
        "terarchitect_database_connections{state=\"used\"}".to_owned(),
        format!("terarchitect_queue_oldest_pending_seconds{{project_id=\"{id}\"}}"),
    ] {
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
    assert_eq!(text.matches("# EOF").count(), 1, "one document");
    app.request(Method::DELETE, &project, None, Some(&json!({"confirm_name": "Demo"}))).await.expect(200);
    assert!(!scrape().await.contains(id), "a project that is gone has no series");
}
