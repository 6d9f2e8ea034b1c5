//! A forge for tests: what it sends and how it signs, and what it says when it is asked about people.

use crate::support::{Reply, TestApp};
use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use terarchitect_api::actions::forges::ask::{AskForge, ForgePlace, NoAnswer};
use terarchitect_api::domain::forges::conversation::Thread;
use terarchitect_api::domain::forges::{Account, CommentKind, Permission};
use terarchitect_api::state::AppConfig;

/// The secret of every webhook here.
pub(crate) const SECRET: &str = "It's a Secret to Everybody";
/// The account of the bot.
pub(crate) const BOT_ID: i64 = 99;
/// So that no test waits for the real pauses.
const SOON: Duration = Duration::from_millis(50);
/// The head of every pull request here.
pub(crate) const HEAD: &str = "1111111111111111111111111111111111111111";

/// A forge at which these accounts may write, and all others read.
#[derive(Debug, Default)]
pub(crate) struct ScriptedForge {
    writers: Vec<&'static str>,
    /// Whether it responds at all.
    is_down: Mutex<bool>,
    /// Whether the checks of the base pass.
    base: Mutex<Option<bool>>,
    /// The threads of each pull request.
    pub(crate) threads: Mutex<HashMap<i64, Vec<Thread>>>,
    /// Whether it refuses to show them.
    pub(crate) hides_threads: Mutex<bool>,
    /// The log of every failed check.
    pub(crate) log: Mutex<Option<String>>,
    /// How often it was asked about each account.
    pub(crate) asked: Mutex<HashMap<String, usize>>,
    /// What was said: the pull request, the text and its key.
    pub(crate) said: Mutex<Vec<(i64, String, String)>>,
    /// Replies: the pull request, the thread, the text and its key.
    pub(crate) replies: Mutex<Vec<(i64, String, String, String)>>,
    /// Threads that are gone.
    pub(crate) gone: Mutex<HashSet<String>>,
    /// On which comments there is a reaction.
    pub(crate) reactions: Mutex<Vec<(i64, CommentKind, String)>>,
    /// Whether it knows none.
    pub(crate) has_no_reactions: Mutex<bool>,
    /// The pull requests that are open for branches.
    pub(crate) of_branches: Mutex<HashMap<String, String>>,
    /// The branches that were deleted.
    pub(crate) deleted: Mutex<Vec<String>>,
}

impl ScriptedForge {
    pub(crate) fn with_writers(writers: &[&'static str]) -> Arc<Self> {
        Arc::new(Self { writers: writers.to_vec(), base: Mutex::new(Some(true)), ..Self::default() })
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        *self.is_down.lock().unwrap() = is_down;
    }

    pub(crate) fn set_base(&self, passes: Option<bool>) {
        *self.base.lock().unwrap() = passes;
    }

    fn respond(&self) -> Result<(), NoAnswer> {
        if *self.is_down.lock().unwrap() {
            return Err(NoAnswer { sentence: "The forge does not respond.".to_owned(), retry_after: Some(SOON) });
        }
        Ok(())
    }
}

#[async_trait]
impl AskForge for ScriptedForge {
    async fn me(&self, _: &ForgePlace) -> Result<Account, NoAnswer> {
        self.respond()?;
        Ok(Account { id: Some(BOT_ID.to_string()), login: "terabot[bot]".to_owned(), is_bot: true })
    }

    async fn permission(&self, _: &ForgePlace, login: &str) -> Result<Permission, NoAnswer> {
        self.respond()?;
        *self.asked.lock().unwrap().entry(login.to_owned()).or_default() += 1;
        Ok(if self.writers.contains(&login) { Permission::Write } else { Permission::Read })
    }

    async fn passes(&self, _: &ForgePlace, _: &str) -> Result<Option<bool>, NoAnswer> {
        self.respond()?;
        Ok(*self.base.lock().unwrap())
    }

    async fn threads(&self, _: &ForgePlace, pull: i64, _: &str) -> Result<Vec<Thread>, NoAnswer> {
        self.respond()?;
        if *self.hides_threads.lock().unwrap() {
            return Err(NoAnswer { sentence: "The forge hides its threads.".to_owned(), retry_after: Some(SOON) });
        }
        Ok(self.threads.lock().unwrap().get(&pull).cloned().unwrap_or_default())
    }

    async fn check_log(&self, _: &ForgePlace, _: &str, _: &str, bytes: usize) -> Result<Option<String>, NoAnswer> {
        self.respond()?;
        let log = self.log.lock().unwrap().clone();
        Ok(log.map(|log| log[log.len().saturating_sub(bytes)..].to_owned()))
    }

    async fn comment(&self, _: &ForgePlace, pull: i64, body: &str, key: &str) -> Result<(), NoAnswer> {
        self.respond()?;
        let said = (pull, body.to_owned(), key.to_owned());
        let mut all = self.said.lock().unwrap();
        // As the real ones do, by the marker.
        if !all.contains(&said) {
            all.push(said);
        }
        Ok(())
    }

    async fn comment_issue(&self, place: &ForgePlace, issue: i64, body: &str, key: &str) -> Result<(), NoAnswer> {
        self.comment(place, issue, body, key).await
    }

    async fn reply(
        &self,
        _: &ForgePlace,
        pull: i64,
        thread: &str,
        _: &[&str],
        body: &str,
        key: &str,
    ) -> Result<bool, NoAnswer> {
        self.respond()?;
        if self.gone.lock().unwrap().contains(thread) {
            return Ok(false);
        }
        let reply = (pull, thread.to_owned(), body.to_owned(), key.to_owned());
        let mut all = self.replies.lock().unwrap();
        // As the real ones do, by the marker.
        if !all.contains(&reply) {
            all.push(reply);
        }
        Ok(true)
    }

    async fn react(&self, _: &ForgePlace, pull: i64, kind: CommentKind, comment: &str) -> Result<(), NoAnswer> {
        self.respond()?;
        if *self.has_no_reactions.lock().unwrap() {
            return Err(NoAnswer { sentence: "There are no reactions.".to_owned(), retry_after: Some(SOON) });
        }
        self.reactions.lock().unwrap().push((pull, kind, comment.to_owned()));
        Ok(())
    }

    async fn pull_of_branch(&self, _: &ForgePlace, branch: &str) -> Result<Option<String>, NoAnswer> {
        self.respond()?;
        Ok(self.of_branches.lock().unwrap().get(branch).cloned())
    }

    async fn delete_branch(&self, _: &ForgePlace, branch: &str) -> Result<(), NoAnswer> {
        self.respond()?;
        self.deleted.lock().unwrap().push(branch.to_owned());
        Ok(())
    }
}

/// An API that asks this forge, with a secret for GitHub's webhooks.
pub(crate) async fn start(forge: Arc<ScriptedForge>) -> TestApp {
    let app = TestApp::start_with(AppConfig { ask_forge: Some(forge), ..AppConfig::default() }).await;
    app.may_leave_jobs_live();
    app.post("/api/webhook-secrets", json!({"sender": "github", "secret": SECRET})).await.expect(201);
    app
}

/// A project whose reviews become jobs at once, and a ticket in review with this pull request.
pub(crate) struct Reviewed {
    pub(crate) project: String,
    pub(crate) ticket: String,
    pub(crate) number: i64,
}

impl Reviewed {
    pub(crate) async fn new(app: &TestApp, number: i64) -> Self {
        let project = app.project().await;
        app.put(&project, json!({"review_quiet_sec": 0})).await.expect(200);
        let reviewed = Self { ticket: app.ticket(&project).await, project, number };
        reviewed.complete(app).await;
        reviewed
    }

    /// What the runner reports.
    pub(crate) async fn complete(&self, app: &TestApp) {
        let url = format!("https://github.com/demo/hello/pull/{}", self.number);
        let body = json!({"pr_url": url, "pr_number": self.number, "summary": "done"});
        app.post(&format!("{}/complete", self.ticket), body).await.expect(200);
    }

    pub(crate) fn ticket_id(&self) -> &str {
        self.ticket.rsplit('/').next().unwrap()
    }

    /// As GitHub describes it.
    pub(crate) fn pull(&self, more: Value) -> Value {
        let mut pull = json!({
            "number": self.number, "state": "open", "merged": false, "draft": false,
            "html_url": format!("https://github.com/demo/hello/pull/{}", self.number),
            "head": {"ref": format!("ticket-{}", self.ticket_id()), "sha": HEAD, "repo": {"id": 1}},
            "base": {"ref": "main", "repo": {"id": 1}}, "updated_at": "2026-11-02T10:00:00Z",
        });
        pull.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        pull
    }

    /// A comment on the pull request.
    pub(crate) fn comment(&self, id: i64, author: Value, body: &str) -> (&'static str, Value) {
        let comment = json!({"id": id, "user": author, "body": body, "html_url": "https://github.com/c"});
        let issue = json!({"number": self.number, "pull_request": {}});
        ("issue_comment", json!({"action": "created", "issue": issue, "comment": comment}))
    }

    /// A comment on a line, of a review.
    pub(crate) fn line(&self, id: i64, review: i64, author: Value, body: &str) -> (&'static str, Value) {
        let comment = json!({
            "id": id, "pull_request_review_id": review, "user": author, "body": body, "path": "src/a.rs", "line": 3,
            "diff_hunk": "@@ -1 +1 @@\n+fn a()", "commit_id": HEAD,
        });
        let event = json!({"action": "created", "comment": comment, "pull_request": self.pull(json!({}))});
        ("pull_request_review_comment", event)
    }

    /// A review.
    pub(crate) fn review(&self, id: i64, author: Value, state: &str, body: &str) -> (&'static str, Value) {
        let review = json!({
            "id": id, "user": author, "state": state, "body": body, "commit_id": HEAD,
            "submitted_at": "2026-11-02T10:00:00Z",
        });
        let event = json!({"action": "submitted", "review": review, "pull_request": self.pull(json!({}))});
        ("pull_request_review", event)
    }

    /// A check of a commit.
    pub(crate) fn check(&self, id: i64, name: &str, conclusion: &str, sha: &str) -> (&'static str, Value) {
        let run = json!({
            "id": id, "name": name, "status": "completed", "conclusion": conclusion, "head_sha": sha,
            "pull_requests": [{"number": self.number}], "output": {"title": "2 tests failed"},
        });
        ("check_run", json!({"action": "completed", "check_run": run}))
    }
}

pub(crate) fn person(id: i64, login: &str) -> Value {
    json!({"id": id, "login": login, "type": "User"})
}

pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// A delivery of GitHub, signed with this secret.
pub(crate) fn signed(app: &TestApp, secret: &str, id: &str, event: &str, body: Vec<u8>) -> RequestBuilder {
    let signature = format!("sha256={}", hex::encode(hmac(secret.as_bytes(), &[&body])));
    let request = app.http().post(format!("{}/webhooks/github", app.base)).header("x-github-delivery", id);
    let request = request.header("x-github-event", event).header("x-hub-signature-256", signature);
    request.header("content-type", "application/json").body(body)
}

/// Sends an event of the repository that every project here has.
pub(crate) async fn send(app: &TestApp, id: &str, (event, mut said): (&str, Value)) -> Reply {
    said["repository"] = json!({"clone_url": "https://github.com/demo/hello.git"});
    TestApp::reply(signed(app, SECRET, id, event, said.to_string().into_bytes())).await
}

/// Sends events that must all be taken, in this order.
pub(crate) async fn send_all(app: &TestApp, events: Vec<(&str, Value)>) {
    for (number, event) in events.into_iter().enumerate() {
        send(app, &format!("delivery-{number}-{}", uuid::Uuid::new_v4()), event).await.expect(202);
    }
}

/// Waits until no delivery waits that could be worked on now.
pub(crate) async fn worked_on(app: &TestApp) {
    let waits = "select exists (select from deliveries where state = 'waiting' and next_try_at <= now())";
    app.eventually(async || !sqlx::query_scalar::<_, bool>(waits).fetch_one(&app.pool).await.unwrap()).await;
}

/// Waits until everything that was said is decided, and what can become a job has become one.
pub(crate) async fn decided(app: &TestApp) {
    worked_on(app).await;
    let waits = "select exists (select from review_comments where state = 'waiting' and accepted_at is null)";
    app.eventually(async || !sqlx::query_scalar::<_, bool>(waits).fetch_one(&app.pool).await.unwrap()).await;
}

/// `(forge_id, state, reason)` of everything that was said, in the order of its ids.
pub(crate) async fn said(app: &TestApp) -> Vec<(String, String, Option<String>)> {
    let all = "select forge_id, state, reason from review_comments order by length(forge_id), forge_id";
    sqlx::query_as(all).fetch_all(&app.pool).await.unwrap()
}

/// Claims the next job, once there is one.
pub(crate) async fn next_job(app: &TestApp) -> Value {
    app.claim_as("one", json!({"wait_ms": 20_000})).await.expect("no job was made in time")
}

/// `(state, reason)` by the forge's id.
pub(crate) async fn verdicts(app: &TestApp) -> Vec<(String, String)> {
    let all = said(app).await.into_iter();
    all.map(|(id, state, reason)| (id, reason.map_or(state.clone(), |reason| format!("{state}: {reason}")))).collect()
}

/// Reports that a job is done.
pub(crate) async fn complete(app: &TestApp, job: &Value) {
    let report = json!({"worker_id": "one", "attempt": job["attempt"]});
    app.post(&format!("{}/complete", TestApp::job_path(job)), report).await.expect(200);
}
