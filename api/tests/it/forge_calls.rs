//! Calls to a forge with the credentials that are stored here: GitHub's dialect over HTTP, at the local forge.

use crate::forges::{SECRET, decided, next_job, person, signed, verdicts};
use crate::support::TestApp;
use serde_json::{Value, json};
use terarchitect_api::state::AppConfig;
use terarchitect_testbed::forge::Forge;

struct AtForge {
    forge: Forge,
    app: TestApp,
    ticket: String,
}

impl AtForge {
    /// A project at the local forge, and a ticket whose branch has a pull request there. No credential is stored.
    async fn start() -> Self {
        let forge = Forge::start().await.unwrap();
        forge.create_repo("demo", "hello", &[("README.md", "hello\n")]).unwrap();
        let config = AppConfig { forge_api: Some(forge.api_url().parse().unwrap()), ..AppConfig::default() };
        let app = TestApp::start_with(config).await;
        app.may_leave_jobs_live();
        let new =
            json!({"name": "At the forge", "github_url": forge.git_url("demo", "hello"), "is_existing_repo": true});
        let project = app.post("/api/projects", new).await.expect(201);
        let project = format!("/api/projects/{}", project["id"].as_str().unwrap());
        app.put(&project, json!({"review_quiet_sec": 0})).await.expect(200);
        let ticket = app.ticket(&project).await;
        let pull = json!({"title": "One", "head": "main", "base": "main", "body": ""});
        let opened = app.http().post(format!("{}/repos/demo/hello/pulls", forge.api_url()));
        let opened = opened.bearer_auth(forge.token()).json(&pull).send().await.unwrap();
        assert_eq!(opened.status(), 201);
        Self { forge, app, ticket }
    }

    async fn store_credential(&self) {
        let new = json!({"name": "bot", "host": self.forge.address().to_string(), "secret": self.forge.token()});
        self.app.post("/api/credentials", new).await.expect(201);
        // What waited for it need not wait for its next turn.
        sqlx::raw_sql("update forge_posts set next_try_at = now(); update review_comments set decide_at = now()")
            .execute(&self.app.pool)
            .await
            .unwrap();
    }

    async fn complete(&self, body: &str) {
        let url = format!("http://{}/demo/hello/pull/1", self.forge.address());
        let report = json!({"pr_url": url, "pr_number": 1, "summary": "done", "review_comment_body": body});
        self.app.post(&format!("{}/complete", self.ticket), report).await.expect(200);
    }

    async fn posts(&self) -> Vec<(String, Option<String>)> {
        sqlx::query_as("select state, reason from forge_posts order by created_at")
            .fetch_all(&self.app.pool)
            .await
            .unwrap()
    }

    async fn comments(&self) -> Vec<String> {
        let url = format!("{}/repos/demo/hello/issues/1/comments", self.forge.api_url());
        let all = self.app.http().get(url).bearer_auth(self.forge.token()).send().await.unwrap();
        let all: Value = all.json().await.unwrap();
        all.as_array().unwrap().iter().map(|comment| comment["body"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn what_a_runner_says_waits_for_a_credential_and_is_posted_once() {
    let at = AtForge::start().await;
    at.complete("I renamed it.").await;
    at.complete("I renamed it.").await;
    at.app.eventually(async || at.posts().await[0].1.is_some()).await;
    let posts = at.posts().await;
    assert_eq!(posts.len(), 1, "the same words of the same job");
    assert_eq!(posts[0].0, "waiting");
    assert!(posts[0].1.as_ref().unwrap().starts_with("No credential is stored for 127.0.0.1:"), "{posts:?}");
    assert_eq!(at.comments().await, Vec::<String>::new());

    at.store_credential().await;
    at.app.eventually(async || at.posts().await[0].0 == "posted").await;
    let comments = at.comments().await;
    assert_eq!(comments.len(), 1);
    assert!(comments[0].starts_with("I renamed it.\n\n<!-- terarchitect:said:shell:"), "{comments:?}");

    // The response was lost after the forge had it: looked for by its mark, not said again.
    let again = "update forge_posts set state = 'waiting', finished_at = null, next_try_at = now()";
    sqlx::query(again).execute(&at.app.pool).await.unwrap();
    at.app.eventually(async || at.posts().await[0].0 == "posted").await;
    assert_eq!(at.comments().await.len(), 1);
}

#[tokio::test]
async fn a_comment_that_can_never_be_posted_is_in_the_tickets_log() {
    let at = AtForge::start().await;
    sqlx::raw_sql("alter table forge_posts alter column tries set default 19").execute(&at.app.pool).await.unwrap();
    at.complete("I renamed it.").await;
    at.app.eventually(async || at.posts().await[0].0 == "failed").await;
    let log = at.app.get(&format!("{}/logs", at.ticket)).await.expect(200);
    let failed: Vec<_> =
        log.as_array().unwrap().iter().filter(|entry| entry["step"] == "review_comment_failed").collect();
    assert_eq!(failed.len(), 1, "{log}");
    let sentence = failed[0]["summary"].as_str().unwrap();
    assert!(sentence.starts_with("The comment could not be posted to pull request #1: No credential"), "{sentence}");
}

#[tokio::test]
async fn the_forge_says_who_may_write_and_whose_the_bot_is() {
    let at = AtForge::start().await;
    at.forge.set_writers(&["ann"]);
    at.complete("").await;
    at.store_credential().await;
    at.app.post("/api/webhook-secrets", json!({"sender": "github", "secret": SECRET})).await.expect(201);
    let say = async |id: i64, author: Value| {
        let comment =
            json!({"id": id, "user": author, "body": "@terarchitect-bot rename it", "html_url": "https://x.example"});
        let event = json!({
            "action": "created", "issue": {"number": 1, "pull_request": {}}, "comment": comment,
            "repository": {"clone_url": at.forge.git_url("demo", "hello")},
        });
        let sent = signed(&at.app, SECRET, &id.to_string(), "issue_comment", event.to_string().into_bytes());
        TestApp::reply(sent).await.expect(202);
    };
    say(11, person(7, "ann")).await;
    say(12, person(8, "bob")).await;
    say(13, json!({"id": 1, "login": "renamed-bot", "type": "User"})).await;
    decided(&at.app).await;
    let refused = verdicts(&at.app).await;
    assert_eq!(refused.len(), 3, "{refused:?}");
    assert!(refused[1].1.contains("bob"), "{refused:?}");
    assert!(refused[2].1.to_lowercase().contains("bot") || refused[2].1.contains("itself"), "{refused:?}");
    let job = next_job(&at.app).await;
    assert_eq!((&job["kind"], &job["github_comment_id"]), (&json!("review"), &json!(11)));
}
