//! Backups of databases that go on working, and what comes back from them.

use crate::support::TestApp;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use terarchitect_api::backup::write_snapshot;
use terarchitect_api::db;
use terarchitect_api::db::backup::{Snapshot, tables_of};
use terarchitect_testbed::postgres::TestPostgres;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

/// The key of [`TestApp`]s.
pub(crate) const KEY: &str = "0101010101010101010101010101010101010101010101010101010101010101";

/// The program, on a database, with its data directory.
pub(crate) fn program(database: &str, data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_terarchitect-api"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("TERARCHITECT_DATA_DIR", data_dir).env("DATABASE_URL", TestPostgres::shared().url(database));
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

#[track_caller]
pub(crate) fn succeeded(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

/// A database without tables.
pub(crate) fn empty_database() -> String {
    TestPostgres::shared().create_database(None).unwrap()
}

pub(crate) async fn connect(database: &str) -> PgConnection {
    PgConnection::connect(&TestPostgres::shared().url(database)).await.unwrap()
}

/// `(table, rows, hash)` of all that a restore must not change: live jobs are fenced, and what is said about that is new.
pub(crate) async fn content(conn: &mut PgConnection, last_event: i64) -> Vec<(String, i64, String)> {
    let mut all = Vec::new();
    for table in tables_of(i64::MAX) {
        let (row, which) = match table.as_str() {
            "agent_jobs" => ("t", "t.finished_at is not null".to_owned()),
            "agent_job_attempts" => ("t", "t.reason <> 'restored'".to_owned()),
            "events" => ("to_jsonb(t) - 'tx'", format!("t.seq <= {last_event}")),
            "event_retention" => ("t.only_row", "true".to_owned()),
            _ => ("t", "true".to_owned()),
        };
        let sql = format!(
            "select count(*), coalesce(md5(string_agg(md5(({row})::text), '' order by md5(({row})::text))), '')
             from {table} as t where {which}"
        );
        let (count, hash) = sqlx::query_as(AssertSqlSafe(sql)).fetch_one(&mut *conn).await.unwrap();
        all.push((table, count, hash));
    }
    all
}

pub(crate) async fn last_event(conn: &mut PgConnection) -> i64 {
    sqlx::query_scalar("select coalesce(max(seq), 0) from events").fetch_one(conn).await.unwrap()
}

/// Every kind of row, with what is hard to carry: megabytes, all separators of the text form, any script, bytes.
pub(crate) async fn fill(app: &TestApp) -> String {
    let project = app.project().await;
    let odd = "tab\there\nnew line\r\\N \\. \\\\ \u{1} 漢字 ä 🦀 \"quoted\"";
    let body = json!({"title": "Größe 漢字", "column_id": "backlog", "description": odd});
    let ticket = app.post(&format!("{project}/tickets"), body).await.expect(201);
    let ticket = format!("{project}/tickets/{}", ticket["id"].as_str().unwrap());
    app.put("/api/settings", json!({"AGENT_API_KEY": "schlüssel", "AGENT_MODEL": "some-model"})).await.expect(200);
    let credential = json!({"name": "bot", "host": "github.com", "secret": "ghp_a-token-of-the-bot"});
    app.post("/api/credentials", credential).await.expect(201);
    app.post("/api/webhook-secrets", json!({"sender": "gitea"})).await.expect(201);
    app.put(&format!("{project}/secrets/NPM_TOKEN"), json!({"value": "schlüssel\nzwei"})).await.expect(200);
    sqlx::query(
        "insert into execution_logs (project_id, ticket_id, session_id, step, summary, raw_output)
         select project_id, id, 's', 'turn', $1, repeat($1, 100000) from tickets",
    )
    .bind(odd)
    .execute(&app.pool)
    .await
    .unwrap();
    sqlx::query("insert into memory_documents (project_id, content, content_sha256) select id, $1, $2 from projects")
        .bind(odd)
        .bind((0..=255).collect::<Vec<u8>>())
        .execute(&app.pool)
        .await
        .unwrap();
    app.move_to(&ticket, "in_progress").await;
    ticket
}

/// Moves tickets, claims and completes jobs until it is stopped; counts its rounds.
async fn work(app: Arc<TestApp>, project: String, rounds: tokio::sync::watch::Sender<u64>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let ticket = app.ticket(&project).await;
        app.move_to(&ticket, "in_progress").await;
        if let Some(job) = app.claim(&project).await {
            let body = json!({"attempt": job["attempt"]});
            app.post(&format!("{}/complete", TestApp::job_path(&job)), body).await.expect(200);
        }
        rounds.send_modify(|rounds| *rounds += 1);
    }
}

#[tokio::test]
async fn a_backup_of_a_working_server_is_one_moment_of_it() {
    let app = Arc::new(TestApp::start().await);
    app.may_leave_jobs_live();
    let ticket = fill(&app).await;
    let project = ticket.split("/tickets").next().unwrap().to_owned();
    let held = app.claim_as("old", json!({})).await.unwrap();
    let (rounds, mut seen) = tokio::sync::watch::channel(0);
    let stop = CancellationToken::new();
    let working = tokio::spawn(work(app.clone(), project.clone(), rounds, stop.clone()));
    seen.wait_for(|rounds| *rounds >= 3).await.unwrap();

    let url = TestPostgres::shared().url(&app.database);
    let mut snapshot = Snapshot::begin(url.parse().unwrap()).await.unwrap();
    let last = last_event(snapshot.conn()).await;
    let before = content(snapshot.conn(), last).await;
    let now = *seen.borrow();
    seen.wait_for(|rounds| *rounds >= now + 3).await.unwrap();
    let (bytes, totals) = write_snapshot(&mut snapshot, None, Vec::new()).await.unwrap();
    stop.cancel();
    working.await.unwrap();
    assert_eq!(totals["projects"], 1);
    assert_ne!(before, content(&mut connect(&app.database).await, i64::MAX).await, "the server went on working");

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("b");
    std::fs::write(&file, bytes).unwrap();
    let database = empty_database();
    let mut restore = program(&database, dir.path());
    restore.env("TERARCHITECT_SECRET_KEY", KEY).arg("restore").arg(&file);
    let said = succeeded(&restore.output().await.unwrap());
    assert!(said.contains("are due again"), "{said}");
    assert_eq!(before, content(&mut connect(&database).await, last).await);
    continues(&database, &held, &project).await;
}

/// The restored server works on, and the coordinator of before is refused.
async fn continues(database: &str, held: &serde_json::Value, project: &str) {
    let pool = db::connect(TestPostgres::shared().url(database).parse().unwrap(), 4).await.unwrap();
    let app = TestApp::on_database(pool, database.to_owned()).await;
    app.may_leave_jobs_live();
    assert_eq!(app.get("/api/settings").await.expect(200)["AGENT_MODEL"], "some-model");
    let beat = json!({"worker_id": "old", "jobs": [{"job_id": held["job_id"], "attempt": held["attempt"]}]});
    let beat = app.post("/api/worker/heartbeat", beat).await.expect(200);
    assert_ne!(beat["jobs"][0]["state"], "held", "{beat}");
    let report = json!({"attempt": held["attempt"], "worker_id": "old"});
    let refused = app.post(&format!("{}/complete", TestApp::job_path(held)), report).await;
    assert_eq!(refused.error(409), "stale_attempt");
    let again = app.claim_as("new", json!({})).await.unwrap();
    assert!(again["attempt"].as_i64().unwrap() > 1000, "{again}");
    // Numbers go on, and the triggers work.
    let ticket = app.ticket(project).await;
    app.move_to(&ticket, "in_progress").await;
    assert!(app.get("/api/events?kind=ticket").await.expect(200)["events"].as_array().is_some_and(|e| !e.is_empty()));
}

#[tokio::test]
async fn every_table_is_in_a_backup_and_every_migration_can_be_part_of_a_restore() {
    let app = TestApp::start().await;
    let mut tables: Vec<String> =
        sqlx::query_scalar("select relname::text from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace and relname <> '_sqlx_migrations'")
            .fetch_all(&app.pool)
            .await
            .unwrap();
    let mut known = tables_of(i64::MAX);
    tables.sort();
    known.sort();
    assert_eq!(tables, known, "tables are found by lines that begin with 'create table NAME'");
    assert!(db::MIGRATIONS.iter().all(|migration| !migration.no_tx), "a restore applies migrations in its transaction");
}

#[tokio::test]
async fn a_backup_of_the_schema_before_is_migrated() {
    let old = empty_database();
    let pool = PgPool::connect(&TestPostgres::shared().url(&old)).await.unwrap();
    let migrations = db::MIGRATIONS.iter().filter(|migration| migration.version <= 3).cloned().collect();
    Migrator::with_migrations(migrations).run(&pool).await.unwrap();
    sqlx::raw_sql(
        "insert into projects (id, name) values ('00000000-0000-0000-0000-000000000001', 'Old');
         insert into tickets (id, project_id, column_id, title) select id, id, 'in_progress', 'Begun before' from projects;
         insert into agent_jobs (id, ticket_id, project_id, status, attempt, worker_id, claimed_at, lease_expires_at)
             select id, id, project_id, 'running', 1, 'w', now(), now() + interval '1 hour' from tickets;",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("b");
    succeeded(&program(&old, dir.path()).arg("backup").arg(&file).output().await.unwrap());
    let new = empty_database();
    succeeded(&program(&new, dir.path()).arg("restore").arg(&file).output().await.unwrap());
    let mut conn = connect(&new).await;
    let version: i64 =
        sqlx::query_scalar("select max(version) from _sqlx_migrations").fetch_one(&mut conn).await.unwrap();
    assert_eq!(version, db::backup::known_version());
    let (status, due, attempt): (String, bool, i32) =
        sqlx::query_as("select status, due, attempt from agent_jobs").fetch_one(&mut conn).await.unwrap();
    assert_eq!((status.as_str(), due, attempt), ("pending", true, 1001));
    TestPostgres::shared().drop_database(&old).unwrap();
    drop(conn);
    TestPostgres::shared().drop_database(&new).unwrap();
}

/// A backup of a filled database, whose API has ended; returns the database.
pub(crate) async fn backup_of_a_filled_database(file: &Path, data_dir: &Path) -> String {
    let database = empty_database();
    let pool = db::connect(TestPostgres::shared().url(&database).parse().unwrap(), 4).await.unwrap();
    db::MIGRATIONS.run(&pool).await.unwrap();
    sqlx::raw_sql(
        "insert into projects (name) values ('Kept');
         insert into tickets (project_id, column_id, title) select id, 'backlog', 'Kept as well' from projects;",
    )
    .execute(&pool)
    .await
    .unwrap();
    let sealer = terarchitect_api::sealing::Sealer::new([1; 32]);
    sqlx::query("insert into settings (key, sealed, key_id) values ('AGENT_API_KEY', $1, $2)")
        .bind(sealer.seal("AGENT_API_KEY", "hunter2"))
        .bind(sealer.key_id())
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    let mut command = program(&database, data_dir);
    succeeded(&command.env("TERARCHITECT_SECRET_KEY", KEY).arg("backup").arg(file).output().await.unwrap());
    database
}

/// The file with another header, and the right checksum.
pub(crate) fn with_header(file: &[u8], change: impl Fn(&mut serde_json::Value)) -> Vec<u8> {
    let first = file.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let second = first + file[first..].iter().position(|byte| *byte == b'\n').unwrap();
    let mut header = serde_json::from_slice(&file[first..second]).unwrap();
    change(&mut header);
    let mut changed = [&file[..first], header.to_string().as_bytes(), &file[second..file.len() - 32]].concat();
    changed.extend(Sha256::digest(&changed));
    changed
}
