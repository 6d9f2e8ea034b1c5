//! A real API process with a database of its own, and what a coordinator would tell it.

use crate::program::{Person, programs};
use reqwest::Method;
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use terarchitect_testbed::postgres::TestPostgres;

pub(crate) const KEY: &str = "app-key-of-this-test";
const WORKER_KEY: &str = "worker-key-of-this-test";

pub(crate) struct Api {
    child: Child,
    dir: TempDir,
    database: String,
    pub(crate) url: String,
}

impl Api {
    pub(crate) async fn start() -> Self {
        let postgres = tokio::task::spawn_blocking(TestPostgres::shared).await.unwrap();
        let database = postgres.create_database(None).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let child = spawn(&dir, &postgres.url(&database), "127.0.0.1:0");
        let mut api = Self { child, dir, database, url: String::new() };
        api.url = api.ready().await;
        api
    }

    async fn ready(&mut self) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Ok(text) = std::fs::read_to_string(self.dir.path().join("ready.json"))
                && let Ok(said) = serde_json::from_str::<Value>(&text)
            {
                return said["urls"][0].as_str().unwrap().to_owned();
            }
            let log = || std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(self.child.try_wait().unwrap().is_none(), "the API ended: {}", log());
            assert!(Instant::now() < deadline, "the API was not ready in time: {}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it as a loss of power would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::fs::remove_file(self.dir.path().join("ready.json")).unwrap();
    }

    /// Starts it again at the same address.
    pub(crate) async fn start_again(&mut self) {
        let listen = self.url.trim_start_matches("http://").to_owned();
        self.child = spawn(&self.dir, &TestPostgres::shared().url(&self.database), &listen);
        assert_eq!(self.ready().await, self.url);
    }

    pub(crate) fn person(&self) -> Person {
        Person::at(&self.url, KEY)
    }

    /// A call with a key; panics unless it succeeds.
    async fn call(&self, method: Method, path: &str, key: &str, body: Value) -> Value {
        let request = reqwest::Client::new().request(method, format!("{}{path}", self.url)).bearer_auth(key);
        let response = request.json(&body).send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Someone joins by an invitation, and is signed in in a browser; returns the cookie.
    pub(crate) async fn join(&self, role: &str) -> String {
        let email = format!("{role}@example.com");
        let invitation = json!({"email": email, "role": role});
        let made = self.call(Method::POST, "/api/invitations", KEY, invitation).await;
        let (_, token) = made["link"].as_str().unwrap().split_once('#').unwrap();
        let body = json!({"token": token, "name": role, "password": "correct horse battery"});
        let request = reqwest::Client::new().post(format!("{}/api/links/use", self.url)).json(&body);
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    /// A call as a page of the API makes it.
    pub(crate) async fn as_browser(&self, cookie: &str, method: Method, path: &str) {
        let request = reqwest::Client::new().request(method, format!("{}{path}", self.url));
        let response = request.header("cookie", cookie).header("origin", &self.url).send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
    }

    /// A project, by its name; returns its id.
    pub(crate) async fn project(&self, name: &str) -> String {
        let body = json!({"name": name, "github_url": "https://forge.example/o/r", "is_existing_repo": true});
        let project = self.call(Method::POST, "/api/projects", KEY, body).await;
        project["id"].as_str().unwrap().to_owned()
    }

    /// A schedule for each night; returns its id.
    pub(crate) async fn schedule(&self, name: &str, project: &str) -> String {
        let body = json!({"name": name, "cron_expression": "0 3 * * *", "timezone": "Europe/Berlin", "repo_id": project,
            "work_order_template": {"objective": "Tidy up"}});
        let made = self.call(Method::POST, "/api/v1/jobs", KEY, body).await;
        made["job"]["id"].as_str().unwrap().to_owned()
    }

    /// Claims a job as a coordinator does, and waits for one.
    pub(crate) async fn claim(&self) -> Value {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let body = json!({"worker_id": "host-1", "wait_ms": 5000});
            let job = self.call(Method::POST, "/api/worker/jobs/start", WORKER_KEY, body).await;
            if job["job_id"].is_string() {
                return job;
            }
            assert!(Instant::now() < deadline, "no job came");
        }
    }

    fn ticket_path(job: &Value) -> String {
        let part = |name: &str| job[name].as_str().unwrap().to_owned();
        format!("/api/projects/{}/tickets/{}", part("project_id"), part("ticket_id"))
    }

    pub(crate) async fn log(&self, job: &Value, step: &str, summary: &str) {
        let body = json!({"session_id": "s", "step": step, "summary": summary, "success": true});
        self.call(Method::POST, &format!("{}/logs", Self::ticket_path(job)), WORKER_KEY, body).await;
    }

    /// Reports the pull request and the job's end.
    pub(crate) async fn complete(&self, job: &Value, pr_url: &str) {
        let body = json!({"pr_url": pr_url, "pr_number": 1});
        self.call(Method::POST, &format!("{}/complete", Self::ticket_path(job)), WORKER_KEY, body).await;
        self.report(job, "complete", json!({})).await;
    }

    /// Reports the job's end.
    pub(crate) async fn report(&self, job: &Value, how: &str, mut body: Value) {
        body["attempt"] = job["attempt"].clone();
        body["worker_id"] = json!("host-1");
        let path = format!("/api/worker/jobs/{}/{how}", job["job_id"].as_str().unwrap());
        self.call(Method::POST, &path, WORKER_KEY, body).await;
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        // It fails only where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = TestPostgres::shared().drop_database(&self.database);
    }
}

fn spawn(dir: &TempDir, database_url: &str, listen: &str) -> Child {
    let log = std::fs::File::create(dir.path().join("log")).unwrap();
    Command::new(programs().join("terarchitect-api"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("DATABASE_URL", database_url)
        .env("TERARCHITECT_DATA_DIR", dir.path())
        .env("TERARCHITECT_LISTEN", listen)
        .env("TERARCHITECT_READY_FILE", dir.path().join("ready.json"))
        .env("TERARCHITECT_API_KEY", KEY)
        .env("TERARCHITECT_WORKER_API_KEY", WORKER_KEY)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}
