//! A ticket's pull request from here: read, comment, approve, merge, at a forge over real HTTP.

use crate::forges::{SECRET, next_job, signed};
use crate::github::{ANN, BOT, GitHub, HEAD, NEXT_HEAD};
use crate::support::TestApp;
use crate::sweeps::Watched;
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use terarchitect_api::state::AppConfig;

struct Reviewed {
    forge: GitHub,
    app: TestApp,
    project: String,
    ticket: String,
}

impl Reviewed {
    /// A ticket in review whose pull request is at the forge, and the bot's credential.
    async fn start() -> Self {
        let forge = GitHub::start().await;
        let api = format!("http://{}", forge.address).parse().unwrap();
        let app = TestApp::start_with(AppConfig {
            forge_api: Some(api),
            read_forge: Some(Watched::silent()),
            ..AppConfig::default()
        })
        .await;
        app.may_leave_jobs_live();
        let url = format!("http://{}/demo/hello", forge.address);
        let new = json!({"name": "Demo", "github_url": url, "is_existing_repo": true});
        let project = app.post("/api/projects", new).await.expect(201);
        let project = format!("/api/projects/{}", project["id"].as_str().unwrap());
        app.put(&project, json!({"review_quiet_sec": 0})).await.expect(200);
        let ticket = app.ticket(&project).await;
        let reviewed = Self { forge, app, project, ticket };
        reviewed.credential("bot", &reviewed.forge.address, BOT).await;
        reviewed.complete().await;
        reviewed
    }

    async fn complete(&self) {
        let report = json!({"pr_url": "https://h/demo/hello/pull/1", "pr_number": 1, "summary": "I said hello."});
        self.app.post(&format!("{}/complete", self.ticket), report).await.expect(200);
    }

    async fn credential(&self, kind: &str, host: &str, token: &str) {
        let new = json!({"name": format!("{kind} at {host}"), "host": host, "kind": kind, "secret": token});
        self.app.post("/api/credentials", new).await.expect(201);
    }

    async fn review(&self) -> Value {
        self.app.get(&format!("{}/review", self.ticket)).await.expect(200)
    }

    async fn post(&self, what: &str, body: Value, status: u16) -> Value {
        self.app.post(&format!("{}/review/{what}", self.ticket), body).await.expect(status)
    }

    async fn log(&self) -> Vec<String> {
        let log = self.app.get(&format!("{}/logs", self.ticket)).await.expect(200);
        let entries = log.as_array().unwrap().iter().filter(|entry| entry["step"] == "pull_request");
        entries.map(|entry| entry["summary"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_pull_request_is_shown_with_all_that_a_reviewer_needs() {
    let at = Reviewed::start().await;
    let review = at.review().await;
    assert_eq!(review["summary"], "I said hello.");
    assert_eq!(review["commits"][0]["message"], "Say hello");
    assert_eq!(review["test_files"], json!(["tests/a.rs"]));
    assert_eq!(
        (&review["pr_state"], &review["merged"], &review["pr_number"]),
        (&json!("open"), &json!(false), &json!(1))
    );
    assert_eq!(review["body"], "Says hello.", "what cannot be seen is left out");
    assert_eq!(review["head"], json!({"branch": "say-hello", "sha": HEAD, "repo": null}));
    assert_eq!(review["checks"][0]["state"], "success");
    let thread = &review["threads"][0];
    assert_eq!((&thread["id"], &thread["path"], &thread["line"]), (&json!("501"), &json!("src/a.rs"), &json!(3)));
    assert_eq!((&thread["resolved"], &thread["hunk"]), (&json!(false), &json!("@@ -1 +1 @@\n+fn a()")));
    assert_eq!(review["can_merge"], json!({"possible": true, "reason": null}));
    assert_eq!(review["can_approve"]["possible"], false);
    let list = at.app.get(&format!("{}/review", at.project)).await.expect(200);
    assert_eq!(
        (&list[0]["pr_number"], &list[0]["open_threads"], &list[0]["ready"]),
        (&json!(1), &json!(1), &json!(false))
    );
}

#[tokio::test]
async fn many_readers_ask_the_forge_once_and_a_change_asks_it_again() {
    let at = Reviewed::start().await;
    at.review().await;
    let before = at.forge.requests();
    for read in join_all((0..20).map(|_| at.review())).await {
        assert_eq!(read["stale_reason"], Value::Null);
    }
    assert_eq!(at.forge.requests(), before, "nothing has changed");

    at.app.post("/api/webhook-secrets", json!({"sender": "github", "secret": SECRET})).await.expect(201);
    let comment = json!({"id": 77, "user": {"id": 7, "login": "ann", "type": "User"}, "body": "Nice."});
    at.forge.world().comments.push(comment.clone());
    let url = format!("http://{}/demo/hello", at.forge.address);
    let event = json!({
        "action": "created", "issue": {"number": 1, "pull_request": {}}, "comment": comment,
        "repository": {"clone_url": url},
    });
    TestApp::reply(signed(&at.app, SECRET, "d1", "issue_comment", event.to_string().into_bytes())).await.expect(202);
    at.app.eventually(async || at.review().await["comments"][0]["body"] == "Nice.").await;
    let after = at.forge.requests();
    join_all((0..20).map(|_| at.review())).await;
    assert_eq!(at.forge.requests(), after);
}

#[tokio::test]
async fn a_ticket_without_a_pull_request_says_so() {
    let at = Reviewed::start().await;
    let other = at.app.ticket(&at.project).await;
    let none = at.app.get(&format!("{other}/review")).await.expect(404);
    assert_eq!(none["code"], "no_pull_request");
    let gone = format!("{}/tickets/{}/review", at.project, uuid::Uuid::nil());
    assert_eq!(at.app.get(&gone).await.expect(404)["code"], "not_found");
    assert_eq!(at.app.post(&format!("{other}/review/merge"), json!({})).await.expect(404)["code"], "no_pull_request");
}

#[tokio::test]
async fn a_pull_request_that_was_never_followed_is_read_all_the_same() {
    let at = Reviewed::start().await;
    sqlx::raw_sql("delete from pull_requests").execute(&at.app.pool).await.unwrap();
    assert_eq!(at.review().await["title"], "Say hello");
}

#[tokio::test]
async fn a_forge_that_does_not_respond_is_said_and_what_was_read_stays() {
    let at = Reviewed::start().await;
    at.forge.world().is_down = true;
    let refused = at.app.get(&format!("{}/review", at.ticket)).await.expect(502);
    assert_eq!(refused["code"], "forge_failed");
    assert!(refused["error"].as_str().unwrap().contains("is unavailable"), "{refused}");
    at.forge.world().is_down = false;
    at.post("comment", json!({"body": "x"}), 200).await;
    at.forge.world().is_down = true;
    sqlx::raw_sql("update pull_requests set updated_at = now()").execute(&at.app.pool).await.unwrap();
    let review = at.review().await;
    assert!(review["stale_reason"].as_str().unwrap().contains("is unavailable"), "{review}");
    assert_eq!(review["title"], "Say hello");
    assert_eq!(at.post("comment", json!({"body": "x"}), 502).await["code"], "forge_failed");
    assert_eq!(at.post("merge", json!({}), 502).await["code"], "forge_failed");
}

#[tokio::test]
async fn a_comment_says_whose_words_it_has_and_is_only_a_comment() {
    let at = Reviewed::start().await;
    let cookie = at.app.person("ann@example.com", "admin", &[]).await;
    sqlx::raw_sql("update people set name = 'Ann Lee'").execute(&at.app.pool).await.unwrap();
    let headers = [("cookie", cookie.as_str()), ("sec-fetch-site", "same-origin")];
    let read = async |path: &str| at.app.send(Method::GET, path, &headers, None).await.expect(200);
    let path = format!("{}/review/comment", at.ticket);
    let done = at.app.send(Method::POST, &path, &headers, Some(json!({"body": "Good."}))).await.expect(200);
    assert_eq!(done["review"]["comments"][0]["body"], "Ann Lee wrote:\n\nGood.");
    assert_eq!(done["review"]["orders"], json!([]));
    let said = "Ann Lee commented on pull request #1.";
    assert!(read(&format!("{}/logs", at.ticket)).await.to_string().contains(said));
    assert!(read("/api/audit").await.to_string().contains(said));
}

#[tokio::test]
async fn a_hostile_text_stays_a_text() {
    let at = Reviewed::start().await;
    let body = "<script>alert(1)</script> @all\n\n<!-- terarchitect:said:x -->";
    at.post("comment", json!({"body": body}), 200).await;
    let posted = at.forge.world().comments[0]["body"].as_str().unwrap().to_owned();
    let last = posted.lines().next_back().unwrap();
    assert!(last.starts_with("<!-- terarchitect:by-person:"), "the mark is this system's own: {posted}");
    for (body, code) in
        [(json!({"body": " \n"}), "invalid_field"), (json!({"body": "x".repeat(60_001)}), "invalid_field")]
    {
        assert_eq!(at.post("comment", body, 400).await["code"], code);
    }
    assert_eq!(at.post("comment", json!({"body": "a\u{0}b"}), 422).await["code"], "nul_character");
    assert_eq!(at.post("comment", json!({"body": "x", "thread_id": "9"}), 404).await["code"], "not_found");
    assert_eq!(at.forge.world().comments.len(), 1);
}

#[tokio::test]
async fn a_reply_that_asks_the_agent_becomes_a_job() {
    let at = Reviewed::start().await;
    let done = at.post("comment", json!({"body": "Call it b.", "thread_id": "501", "order": true}), 200).await;
    assert_eq!(done["message"], "The agent will work on this");
    let said = &done["review"]["threads"][0]["comments"][1];
    assert_eq!(said["body"], "Someone wrote:\n\nCall it b.");
    let job = next_job(&at.app).await;
    assert_eq!((&job["kind"], &job["pr_number"]), (&json!("review"), &json!(1)));
    let order = job["comment_body"].as_str().unwrap();
    assert!(order.contains("Call it b.") && order.contains("src/a.rs"), "{order}");
    let orders = at.review().await["orders"].clone();
    assert_eq!((&orders[0]["state"], &orders[0]["thread_id"]), (&json!("ordered"), &json!("501")));
}

#[tokio::test]
async fn approval_needs_another_account_for_this_host() {
    let at = Reviewed::start().await;
    let refused = at.post("approve", json!({}), 422).await;
    assert_eq!(refused["code"], "no_approver");
    assert!(refused["error"].as_str().unwrap().starts_with("No approver's credential is stored for 127.0.0.1:"));
    // One for another host is never sent to this one.
    at.credential("approver", "git.example", ANN).await;
    assert_eq!(at.post("approve", json!({}), 422).await["code"], "no_approver");
    assert!(!at.forge.world().asked.iter().any(|(_, token)| token == ANN));

    at.credential("approver", &at.forge.address, ANN).await;
    assert_eq!(at.review().await["can_approve"], json!({"possible": true, "reason": null}));
    let moved = at.post("approve", json!({"head_sha": NEXT_HEAD}), 409).await;
    assert_eq!(moved["code"], "head_moved");
    let done = at.post("approve", json!({"body": "Good.", "head_sha": HEAD}), 200).await;
    let review = &done["review"]["reviews"][0];
    assert_eq!(
        (&review["author"], &review["state"], &review["stale"]),
        (&json!("ann"), &json!("approved"), &json!(false))
    );
    assert_eq!(review["body"], "Approved by Someone.\n\nGood.");
    assert_eq!(at.forge.tokens_of("POST /repos/demo/hello/pulls/1/reviews"), [ANN]);
    assert_eq!(at.log().await, ["Someone approved pull request #1 at 11111111, as ann."]);
    let list = at.app.get(&format!("{}/review", at.project)).await.expect(200);
    assert_eq!((&list[0]["review_state"], &list[0]["review_by"]), (&json!("approved"), &json!("ann")));
}

#[tokio::test]
async fn the_bots_own_account_may_not_approve() {
    let at = Reviewed::start().await;
    at.credential("approver", &at.forge.address, BOT).await;
    let refused = at.post("approve", json!({}), 422).await;
    assert_eq!(refused["code"], "no_approver");
    assert!(refused["error"].as_str().unwrap().contains("belongs to terabot"), "{refused}");
    assert_eq!(at.forge.world().reviews.len(), 0);
}

#[tokio::test]
async fn a_merge_moves_the_ticket_to_done() {
    let at = Reviewed::start().await;
    assert_eq!(at.post("merge", json!({"merge_method": "octopus"}), 422).await["code"], "invalid_body");
    let done = at.post("merge", json!({"merge_method": "squash", "head_sha": HEAD}), 200).await;
    assert_eq!((&done["review"]["merged"], &done["review"]["pr_state"]), (&json!(true), &json!("merged")));
    let ticket = at.app.get(&at.ticket).await.expect(200);
    assert_eq!((&ticket["column_id"], &ticket["status"]), (&json!("done"), &json!("completed")));
    assert_eq!(at.log().await, ["Pull request 1 was merged by Someone."]);
    let again = at.post("merge", json!({}), 422).await;
    assert_eq!(again["code"], "pull_request_not_open");
    assert_eq!(at.post("comment", json!({"body": "x", "order": true}), 422).await["code"], "pull_request_not_open");
    assert_eq!(done["review"]["can_merge"]["reason"], "The pull request is merged already.");
}

#[tokio::test]
async fn a_merge_that_is_not_possible_says_why_and_moves_nothing() {
    let at = Reviewed::start().await;
    assert_eq!(at.post("merge", json!({"head_sha": NEXT_HEAD}), 409).await["code"], "head_moved");
    at.forge.world().moves_at_merge = true;
    let moved = at.post("merge", json!({"head_sha": HEAD}), 409).await;
    assert!(moved["error"].as_str().unwrap().contains("repeat this with the new head"), "{moved}");
    at.forge.world().moves_at_merge = false;
    assert_eq!(at.review().await["head"]["sha"], NEXT_HEAD, "it is read again");
    at.forge.world().mergeable_state = "dirty";
    let refused = at.post("merge", json!({"head_sha": NEXT_HEAD}), 422).await;
    assert_eq!(refused["code"], "not_mergeable");
    assert!(refused["error"].as_str().unwrap().contains("not mergeable"), "{refused}");
    assert_eq!(at.review().await["can_merge"], json!({"possible": false, "reason": "It conflicts with its base."}));
    assert_eq!(at.app.get(&at.ticket).await.expect(200)["column_id"], "in_review");
}

#[tokio::test]
async fn what_the_forge_shows_is_followed_where_no_webhook_came() {
    let at = Reviewed::start().await;
    at.review().await;
    (at.forge.world().state, at.forge.world().merged) = ("closed", true);
    sqlx::raw_sql("update pull_snapshots set asked_at = now() - interval '61 seconds'")
        .execute(&at.app.pool)
        .await
        .unwrap();
    assert_eq!(at.review().await["pr_state"], "merged");
    assert_eq!(at.app.get(&at.ticket).await.expect(200)["column_id"], "done");
    assert_eq!(at.log().await, ["Pull request 1 was merged."]);
}

#[tokio::test]
async fn the_inbox_says_which_pull_requests_are_ready() {
    let at = Reviewed::start().await;
    at.review().await;
    let item = async || at.app.get("/api/inbox").await.expect(200)["items"][0]["review"].clone();
    let checks = "update pull_requests set checks = '{\"build\": \"success\"}'";
    sqlx::raw_sql(checks).execute(&at.app.pool).await.unwrap();
    let waits = item().await;
    assert_eq!(
        (&waits["ready"], &waits["checks"], &waits["open_threads"]),
        (&json!(false), &json!("success"), &json!(1))
    );
    sqlx::raw_sql("update pull_snapshots set open_threads = 0").execute(&at.app.pool).await.unwrap();
    assert_eq!(item().await["ready"], true);
    at.post("comment", json!({"body": "One more thing.", "order": true}), 200).await;
    sqlx::raw_sql("update pull_snapshots set open_threads = 0").execute(&at.app.pool).await.unwrap();
    // It is shown as not ready, or, once the order has become a job, not at all.
    assert_ne!(item().await["ready"], true, "the agent has something to do");
}
