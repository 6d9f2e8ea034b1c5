//! An API of its own for each test: its own database, its own port, stopped and deleted at the end.

use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection, PgPool};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use terarchitect_api::access::AllowedOrigins;
use terarchitect_api::app::router;
use terarchitect_api::background::Background;
use terarchitect_api::changes::{Database, Hub};
use terarchitect_api::config::Limits;
use terarchitect_api::db;
use terarchitect_api::random_token::RandomToken;
use terarchitect_api::sealing::Sealer;
use terarchitect_api::serving::{self, Patience, Seats};
use terarchitect_api::state::{App, AppConfig};
use terarchitect_testbed::postgres::TestPostgres;
use tokio::sync::OnceCell;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

/// The database that every test's is a copy of: migrated once per cluster and set of migrations, also where many test
/// processes share one.
async fn template() -> &'static str {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let postgres = TestPostgres::shared();
            let name = template_name();
            let mut admin = PgConnection::connect(&postgres.url("postgres")).await.unwrap();
            // Held until this connection closes: the other processes wait here for the first one's template.
            sqlx::query("select pg_advisory_lock(0)").execute(&mut admin).await.unwrap();
            let found = sqlx::query("select from pg_database where datname = $1").bind(&name);
            if found.fetch_optional(&mut admin).await.unwrap().is_none() {
                let unfinished = postgres.create_database(None).unwrap();
                let pool = db::connect(postgres.url(&unfinished).parse().unwrap(), 2).await.unwrap();
                db::MIGRATIONS.run(&pool).await.unwrap();
                pool.close().await;
                postgres.execute("postgres", &format!("alter database {unfinished} rename to {name}")).unwrap();
            }
            admin.close().await.unwrap();
            name
        })
        .await
}

fn template_name() -> String {
    let mut hash = Sha256::new();
    for migration in db::MIGRATIONS.iter() {
        hash.update(&migration.checksum);
    }
    hash.finalize().iter().take(8).fold("template_".to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

/// A running API with a database of its own.
pub(crate) struct TestApp {
    pub(crate) base: String,
    pub(crate) pool: PgPool,
    pub(crate) database: String,
    http: reqwest::Client,
    may_leave_jobs_live: AtomicBool,
    server: DropGuard,
}

/// The caller.
#[derive(Clone, Copy)]
pub(crate) struct CallerOf<'a> {
    app: &'a TestApp,
    key: Option<&'static str>,
}

impl CallerOf<'_> {
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.app.request(Method::GET, path, self.key, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.app.request(Method::POST, path, self.key, Some(&body)).await
    }
}

/// The keys of [`TestApp::start_guarded`].
pub(crate) const ADMIN_KEY: &str = "app-key";
const WORKER_KEY: &str = "worker-key";

impl Drop for TestApp {
    /// A test ends what it starts: one that leaves a job live fails, unless it says that it may.
    fn drop(&mut self) {
        if !self.may_leave_jobs_live.load(Ordering::Relaxed) && !std::thread::panicking() {
            let sql = "do $$ begin if exists (select from agent_jobs where status in ('pending', 'running')) then
                raise exception 'a job is live'; end if; end $$";
            let ended = TestPostgres::shared().execute(&self.database, sql);
            assert!(ended.is_ok(), "the test leaves a job live: end it, or call may_leave_jobs_live()");
        }
        let _ = TestPostgres::shared().drop_database(&self.database);
    }
}

/// A response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Reply {
    /// The body, if the status is this one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    /// The code of an error with this status.
    #[track_caller]
    pub(crate) fn error(self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert!(self.body["error"].as_str().is_some_and(|sentence| sentence.ends_with('.')), "{}", self.body);
        assert!(self.body["request_id"].is_string(), "{}", self.body);
        self.body["code"].as_str().unwrap().to_owned()
    }
}

impl TestApp {
    /// Without keys.
    pub(crate) async fn start() -> Self {
        Self::start_with(AppConfig::default()).await
    }

    /// With both keys.
    pub(crate) async fn start_with_keys(api_key: &str, worker_key: &str) -> Self {
        let key = |text: &str| Some(SecretString::from(text.to_owned()));
        Self::start_with(AppConfig { api_key: key(api_key), worker_key: key(worker_key), ..AppConfig::default() }).await
    }

    /// With an allowed origin, and with or without a key.
    pub(crate) async fn start_with_origin(origin: &str, api_key: Option<&str>) -> Self {
        let origins = AllowedOrigins::parse(origin).unwrap();
        let api_key = api_key.map(SecretString::from);
        Self::start_with(AppConfig { origins, api_key, ..AppConfig::default() }).await
    }

    /// Without keys, with a forge whose API is at this address.
    pub(crate) async fn start_with_forge(api: &str) -> Self {
        Self::start_with(AppConfig { forge_api: Some(api.parse().unwrap()), ..AppConfig::default() }).await
    }

    /// With both keys, for [`TestApp::as_admin`] and [`TestApp::as_worker`].
    pub(crate) async fn start_guarded() -> Self {
        Self::start_with_keys(ADMIN_KEY, WORKER_KEY).await
    }

    /// The application, with its key.
    pub(crate) fn as_admin(&self) -> CallerOf<'_> {
        CallerOf { app: self, key: Some(ADMIN_KEY) }
    }

    /// A coordinator or runner, with the worker key.
    pub(crate) fn as_worker(&self) -> CallerOf<'_> {
        CallerOf { app: self, key: Some(WORKER_KEY) }
    }

    /// A caller without a key.
    pub(crate) fn anonymous(&self) -> CallerOf<'_> {
        CallerOf { app: self, key: None }
    }

    /// For tests whose subject ends while a job still waits or runs.
    pub(crate) fn may_leave_jobs_live(&self) {
        self.may_leave_jobs_live.store(true, Ordering::Relaxed);
    }

    /// Without keys, with leases that run out soon.
    pub(crate) async fn start_with_lease(lease: Duration) -> Self {
        let limits = Limits { lease, ..Limits::default() };
        Self::start_with(AppConfig { limits, ..AppConfig::default() }).await
    }

    /// A claim by a worker that sends heartbeats.
    pub(crate) async fn claim_as(&self, worker: &str, more: Value) -> Option<Value> {
        let mut body = json!({"worker_id": worker});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let reply = self.post("/api/worker/jobs/start", body).await;
        if reply.status == StatusCode::NO_CONTENT { None } else { Some(reply.expect(200)) }
    }

    pub(crate) async fn start_with(config: AppConfig) -> Self {
        let postgres = TestPostgres::shared();
        let database = postgres.create_database(Some(template().await)).unwrap();
        let pool = db::connect(postgres.url(&database).parse().unwrap(), 8).await.unwrap();
        let (base, server) = serve(pool.clone(), config).await;
        Self { base, pool, database, http: reqwest::Client::new(), may_leave_jobs_live: AtomicBool::new(false), server }
    }

    /// The database as actions get it.
    pub(crate) fn database(&self) -> Database {
        Database::new(self.pool.clone(), Arc::new(Hub::new(self.pool.clone())), Arc::default())
    }

    /// On a database that the test has made itself; it is deleted at the end.
    pub(crate) async fn on_database(pool: PgPool, database: String) -> Self {
        let (base, server) = serve(pool.clone(), AppConfig::default()).await;
        let may_leave_jobs_live = AtomicBool::new(false);
        Self { base, pool, database, http: reqwest::Client::new(), may_leave_jobs_live, server }
    }

    /// Ends this API as a kill does, and starts another one on the same database, which works on what the first one left.
    pub(crate) async fn restart(&mut self, config: AppConfig) {
        let (base, server) = serve(self.pool.clone(), config).await;
        self.base = base;
        drop(std::mem::replace(&mut self.server, server));
    }

    /// Another API process on the same database, as far as a test can tell: nothing is shared but the database.
    pub(crate) async fn replica(&self) -> (String, DropGuard) {
        let url = TestPostgres::shared().url(&self.database);
        let pool = db::connect(url.parse().unwrap(), 4).await.unwrap();
        serve(pool, AppConfig::default()).await
    }

    /// Another listener of this API, with this patience.
    pub(crate) async fn with_patience(&self, patience: Patience) -> (String, DropGuard) {
        serve_patiently(self.pool.clone(), AppConfig::default(), patience).await
    }

    pub(crate) async fn request(&self, method: Method, path: &str, key: Option<&str>, body: Option<&Value>) -> Reply {
        // JSON, so that the event log comes as a page and not as an endless stream.
        let mut request =
            self.http.request(method, format!("{}{path}", self.base)).header("accept", "application/json");
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Self::reply(request).await
    }

    /// A signed-in person with this role everywhere, and these roles in single projects; returns the cookie.
    pub(crate) async fn person(&self, email: &str, role: &str, projects: &[(&str, &str)]) -> String {
        let insert = "insert into people (email, name, role) values ($1, $1, $2) returning id";
        let id: Uuid = sqlx::query_scalar(insert).bind(email).bind(role).fetch_one(&self.pool).await.unwrap();
        for (project, role) in projects {
            let insert = "insert into project_roles (person_id, project_id, role) values ($1, $2::uuid, $3)";
            let project = project.rsplit('/').next();
            sqlx::query(insert).bind(id).bind(project).bind(role).execute(&self.pool).await.unwrap();
        }
        let secret = RandomToken::new();
        let insert = "insert into sessions (hash, person_id, expires_at) values ($1, $2, now() + interval '1 hour')";
        sqlx::query(insert).bind(secret.hash()).bind(id).execute(&self.pool).await.unwrap();
        format!("terarchitect_session={}", secret.text())
    }

    /// A request with these headers.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Reply {
        let request = self.http.request(method, format!("{}{path}", self.base)).header("accept", "application/json");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Self::reply(body.into_iter().fold(request, |request, body| request.json(&body))).await
    }

    pub(crate) async fn reply(request: reqwest::RequestBuilder) -> Reply {
        let response = request.send().await.unwrap();
        let status = response.status();
        let bytes = response.bytes().await.unwrap();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or(Value::Null) };
        Reply { status, body }
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.request(Method::GET, path, None, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.request(Method::POST, path, None, Some(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.request(Method::PUT, path, None, Some(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.request(Method::PATCH, path, None, Some(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.request(Method::DELETE, path, None, None).await
    }

    /// A project with a repository and nothing in it; returns its path.
    pub(crate) async fn project(&self) -> String {
        let body = json!({"name": "Demo", "github_url": "https://github.com/demo/hello", "is_existing_repo": true});
        let project = self.post("/api/projects", body).await.expect(201);
        format!("/api/projects/{}", project["id"].as_str().unwrap())
    }

    /// A ticket in the backlog; returns its path.
    pub(crate) async fn ticket(&self, project: &str) -> String {
        let body = json!({"title": "Say hello", "column_id": "backlog", "description": "In the README."});
        let ticket = self.post(&format!("{project}/tickets"), body).await.expect(201);
        format!("{project}/tickets/{}", ticket["id"].as_str().unwrap())
    }

    /// Moves a ticket and returns it.
    pub(crate) async fn move_to(&self, ticket: &str, column: &str) -> Value {
        self.patch(ticket, json!({"column_id": column})).await.expect(200)
    }

    /// Claims a job as a client of the plain contract.
    pub(crate) async fn claim(&self, project: &str) -> Option<Value> {
        let id = project.rsplit('/').next().unwrap();
        let reply = self.post("/api/worker/jobs/start", json!({"project_id": id})).await;
        match reply.status {
            StatusCode::NO_CONTENT => None,
            _ => Some(reply.expect(200)),
        }
    }

    /// `(status, outcome_reason)` of every job, the oldest first.
    pub(crate) async fn jobs(&self) -> Vec<(String, Option<String>)> {
        sqlx::query_as("select status, outcome_reason from agent_jobs order by seq")
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }

    /// Waits until this is true, up to a time limit.
    pub(crate) async fn eventually(&self, so: impl AsyncFn() -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while !so().await {
            assert!(tokio::time::Instant::now() < deadline, "not in time");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The path of a claimed job.
    pub(crate) fn job_path(job: &Value) -> String {
        format!("/api/worker/jobs/{}", job["job_id"].as_str().unwrap())
    }
}

async fn serve(pool: PgPool, config: AppConfig) -> (String, DropGuard) {
    serve_patiently(pool, config, Patience::default()).await
}

async fn serve_patiently(pool: PgPool, config: AppConfig, patience: Patience) -> (String, DropGuard) {
    let stop = CancellationToken::new();
    let app = App::new(pool, Sealer::new([1; 32]), config, stop.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    // The tasks end with the token; nothing waits for them here.
    let _ = Background::start(&app, &stop);
    let seats = Seats::new(serving::Limits::of(4_000));
    tokio::spawn(serving::serve(listener, router(app), seats, patience, stop.clone()));
    (base, stop.drop_guard())
}
