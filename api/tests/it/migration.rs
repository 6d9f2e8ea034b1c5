//! A database of the version before this one, with data in it, migrates and goes on.

use crate::support::TestApp;
use serde_json::json;
use sqlx::migrate::Migrator;
use terarchitect_api::db;
use terarchitect_testbed::postgres::TestPostgres;

/// The last migration of the version before the event log.
const BEFORE: i64 = 3;

#[tokio::test]
async fn a_database_of_the_version_before_keeps_its_data_and_its_running_job() {
    let postgres = TestPostgres::shared();
    let database = postgres.create_database(None).unwrap();
    let pool = db::connect(postgres.url(&database).parse().unwrap(), 4).await.unwrap();
    let old: Vec<_> = db::MIGRATIONS.iter().filter(|migration| migration.version <= BEFORE).cloned().collect();
    assert_eq!(old.len(), 3);
    Migrator::with_migrations(old).run(&pool).await.unwrap();
    sqlx::raw_sql(
        "insert into projects (id, name, github_url) values
             ('00000000-0000-0000-0000-000000000001', 'Old', 'https://github.com/demo/hello');
         insert into graphs (project_id) select id from projects;
         insert into kanban_boards (project_id, columns)
             select id, '[{\"id\": \"backlog\", \"title\": \"Backlog\", \"order\": 0},
                 {\"id\": \"in_progress\", \"title\": \"In Progress\", \"order\": 1},
                 {\"id\": \"in_review\", \"title\": \"In Review\", \"order\": 2}]' from projects;
         insert into tickets (id, project_id, column_id, title, status)
             select id, id, 'in_progress', 'Begun before', 'in_progress' from projects;
         insert into agent_jobs (id, ticket_id, project_id, status, attempt, worker_id, claimed_at, lease_expires_at)
             select id, id, project_id, 'running', 1, 'old-worker', now(), now() + interval '1 hour' from tickets;
         insert into execution_logs (project_id, ticket_id, session_id, step, summary)
             select project_id, id, 's', 'turn', 'said before' from tickets;
         insert into settings (key, value) values ('AGENT_MODEL', 'some-model');
         insert into coordinators (worker_id, name) values ('old-worker', 'host');",
    )
    .execute(&pool)
    .await
    .unwrap();
    db::MIGRATIONS.run(&pool).await.unwrap();
    let app = TestApp::on_database(pool, database).await;
    let id = "00000000-0000-0000-0000-000000000001";
    let ticket = format!("/api/projects/{id}/tickets/{id}");
    assert_eq!(app.get(&ticket).await.expect(200)["title"], "Begun before");
    assert_eq!(app.get(&format!("{ticket}/logs")).await.expect(200)[0]["summary"], "said before");
    assert_eq!(app.get("/api/settings").await.expect(200)["AGENT_MODEL"], "some-model");
    // The coordinator that ran before the migration continues with its job.
    let beat = json!({"worker_id": "old-worker", "jobs": [{"job_id": id, "attempt": 1}]});
    let beat = app.post("/api/worker/heartbeat", beat).await.expect(200);
    assert_eq!(beat["jobs"][0]["state"], "held");
    let report = json!({"attempt": 1, "worker_id": "old-worker"});
    app.post(&format!("/api/worker/jobs/{id}/complete"), report).await.expect(200);
    // The log begins with the migration.
    let page = app.get("/api/events?kind=job,attempt").await.expect(200);
    let kinds: Vec<_> = page["events"].as_array().unwrap().iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(kinds, ["attempt.ended"]);
    // And new work is claimed.
    app.patch(&ticket, json!({"column_id": "backlog"})).await.expect(200);
    app.move_to(&ticket, "in_progress").await;
    let job = app.claim_as("new-worker", json!({})).await.unwrap();
    app.post(&format!("{}/complete", TestApp::job_path(&job)), json!({"attempt": 1})).await.expect(200);
}
