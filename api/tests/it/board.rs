//! Moves of a ticket, and what they do to its job.

use crate::support::TestApp;
use serde_json::json;

#[tokio::test]
async fn moving_to_in_progress_enqueues_one_job() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    let moved = app.move_to(&ticket, "in_progress").await;
    assert_eq!((moved["column_id"].as_str(), moved["status"].as_str()), (Some("in_progress"), Some("in_progress")));
    app.move_to(&ticket, "in_progress").await;
    assert_eq!(app.jobs().await, [("pending".to_owned(), None)]);
}

#[tokio::test]
async fn many_moves_at_once_make_one_job() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    let moves = (0..8).map(|_| app.patch(&ticket, json!({"column_id": "in_progress"})));
    for reply in futures::future::join_all(moves).await {
        reply.expect(200);
    }
    assert_eq!(app.jobs().await.len(), 1);
}

#[tokio::test]
async fn a_project_without_a_repository_is_refused_and_nothing_moves() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let made = app.post("/api/projects", json!({"name": "Bare", "is_existing_repo": true})).await.expect(201);
    let project = format!("/api/projects/{}", made["id"].as_str().unwrap());
    let ticket = app.ticket(&project).await;
    let refused = app.patch(&ticket, json!({"column_id": "in_progress"})).await;
    assert_eq!(refused.error(400), "invalid_field");
    assert_eq!(app.get(&ticket).await.expect(200)["column_id"], "backlog");
    app.put(&project, json!({"execution_mode": "local", "project_path": "/srv/bare"})).await.expect(200);
    app.move_to(&ticket, "in_progress").await;
    assert_eq!(app.claim(&project).await.unwrap()["project_path"], "/srv/bare");
}

#[tokio::test]
async fn moving_away_cancels_a_waiting_job() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    app.move_to(&ticket, "in_progress").await;
    assert_eq!(app.move_to(&ticket, "backlog").await["status"], "cancelled");
    assert_eq!(app.jobs().await, [("cancelled".to_owned(), Some("cancelled".to_owned()))]);
    assert!(app.claim(&project).await.is_none());
}

#[tokio::test]
async fn cancelling_asks_a_running_job_to_stop_and_the_request_survives_a_restart() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    app.move_to(&ticket, "in_progress").await;
    let job = app.claim(&project).await.unwrap();
    let poll = format!("{ticket}/cancel-requested");
    assert_eq!(app.get(&poll).await.expect(200), json!({"cancel_requested": false}));
    app.post(&format!("{ticket}/cancel"), json!({})).await.expect(200);
    let (other, _replica) = app.replica().await;
    let seen = TestApp::reply(app.http().get(format!("{other}{poll}"))).await.expect(200);
    assert_eq!(seen, json!({"cancel_requested": true}));

    let path = TestApp::job_path(&job);
    let ended = app.post(&format!("{path}/fail"), json!({"exit_code": 130})).await.expect(200);
    assert_eq!(ended["status"], "cancelled");
    assert_eq!(app.get(&ticket).await.expect(200)["status"], "cancelled");
    assert_eq!(app.jobs().await, [("cancelled".to_owned(), Some("cancelled".to_owned()))]);
}

#[tokio::test]
async fn a_ticket_moved_back_while_its_run_stops_runs_again_afterwards() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    app.move_to(&ticket, "in_progress").await;
    let job = app.claim(&project).await.unwrap();
    app.move_to(&ticket, "backlog").await;
    app.move_to(&ticket, "in_progress").await;
    assert!(app.claim(&project).await.is_none());
    app.post(&format!("{}/fail", TestApp::job_path(&job)), json!({})).await.expect(200);
    let again = app.claim(&project).await.unwrap();
    assert_ne!(again["job_id"], job["job_id"]);
    assert_eq!(app.get(&format!("{ticket}/cancel-requested")).await.expect(200)["cancel_requested"], false);
    assert_eq!(app.get(&ticket).await.expect(200)["status"], "in_progress");
}

#[tokio::test]
async fn a_failed_ticket_is_tried_again_by_saying_in_progress_once_more() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    app.move_to(&ticket, "in_progress").await;
    let job = app.claim(&project).await.unwrap();
    app.post(&format!("{}/fail", TestApp::job_path(&job)), json!({"reason": "agent_failed"})).await.expect(200);
    assert_eq!(app.get(&ticket).await.expect(200)["status"], "failed");
    assert_eq!(app.move_to(&ticket, "in_progress").await["status"], "in_progress");
    assert!(app.claim(&project).await.is_some());
}

#[tokio::test]
async fn a_runner_from_a_shell_can_be_cancelled_without_a_job() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    let reply = app.post(&format!("{ticket}/cancel"), json!({})).await.expect(200);
    assert_eq!(reply, json!({"message": "Cancellation requested"}));
    let poll = format!("{ticket}/cancel-requested");
    assert_eq!(app.get(&poll).await.expect(200)["cancel_requested"], true);
    app.move_to(&ticket, "in_progress").await;
    assert_eq!(app.get(&poll).await.expect(200)["cancel_requested"], false);
}

#[tokio::test]
async fn jobs_are_claimed_in_order_once_each_and_by_project() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let (first, second) = (app.project().await, app.project().await);
    let mut expected = Vec::new();
    for _ in 0..4 {
        let ticket = app.ticket(&first).await;
        app.move_to(&ticket, "in_progress").await;
        expected.push(ticket.rsplit('/').next().unwrap().to_owned());
    }
    assert!(app.claim(&second).await.is_none());
    let mut claimed = Vec::new();
    while let Some(job) = app.claim(&first).await {
        claimed.push(job["ticket_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(claimed, expected);
}

#[tokio::test]
async fn claims_at_once_never_get_the_same_job() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    for _ in 0..6 {
        let ticket = app.ticket(&project).await;
        app.move_to(&ticket, "in_progress").await;
    }
    let claims = (0..12).map(|_| app.claim(&project));
    let mut ids: Vec<_> = futures::future::join_all(claims)
        .await
        .into_iter()
        .flatten()
        .map(|job| job["job_id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    let count = ids.len();
    ids.dedup();
    assert_eq!((count, ids.len()), (6, 6));
}

#[tokio::test]
async fn a_board_keeps_the_columns_that_are_needed() {
    let app = TestApp::start().await;
    let project = app.project().await;
    app.ticket(&project).await;
    let column = |id: &str| json!({"id": id, "title": id, "order": 0});
    let board = format!("{project}/kanban");
    let columns = |ids: &[&str]| json!({"columns": ids.iter().map(|id| column(id)).collect::<Vec<_>>()});
    assert_eq!(app.put(&board, columns(&["backlog", "in_progress"])).await.error(400), "invalid_field");
    assert_eq!(app.put(&board, columns(&["in_progress", "in_review"])).await.error(409), "column_in_use");
    assert_eq!(app.put(&board, columns(&["a", "a", "in_progress", "in_review"])).await.error(400), "invalid_field");
    let wanted = columns(&["backlog", "in_progress", "in_review", "shipped"]);
    app.put(&board, wanted.clone()).await.expect(200);
    assert_eq!(app.get(&board).await.expect(200)["columns"], wanted["columns"]);
}
