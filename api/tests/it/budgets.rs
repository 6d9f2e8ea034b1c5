//! Budgets: set for a project and for a ticket, counted against what all attempts used, and granted once more by a person.

use crate::support::TestApp;
use serde_json::{Value, json};

fn usage(model: &str, calls: i64, input: i64) -> Value {
    json!({"models": [{"whose": "agent", "model": model, "calls": calls, "input": input}]})
}

fn limit(level: &str, unit: &str, amount: f64, left: f64) -> Value {
    json!({"level": level, "unit": unit, "amount": amount, "left": left})
}

/// A ticket whose job runs.
async fn running(app: &TestApp, project: &str) -> String {
    let ticket = app.ticket(project).await;
    app.move_to(&ticket, "in_progress").await;
    app.claim_as("one", json!({})).await.unwrap();
    ticket
}

async fn told(app: &TestApp, ticket: &str) -> Value {
    app.get(&format!("{ticket}/worker-context")).await.expect(200)["budget"].clone()
}

/// Opens the checkpoint of a runner whose budget is used up, and returns its path.
async fn ask_for_more(app: &TestApp, ticket: &str, key: &str, level: &str, unit: &str) -> String {
    let body = json!({
        "key": key, "type": "approval_required", "stage": "budget", "message": "The budget is used up",
        "data": {"budget": {"level": level, "unit": unit}},
    });
    let opened = app.post(&format!("{ticket}/checkpoints"), body).await.expect(200);
    format!("/api/checkpoints/{}", opened["id"].as_str().unwrap())
}

#[tokio::test]
async fn an_attempt_is_told_the_narrowest_of_what_all_levels_leave() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = running(&app, &project).await;
    assert_eq!(told(&app, &ticket).await, Value::Null, "nothing is limited");
    let nothing = json!({"set": {}, "limits": [], "notes": []});
    assert_eq!(app.get(&format!("{project}/budget")).await.expect(200), nothing);

    let of_project =
        json!({"ticket": {"tokens": 1000}, "project": {"tokens": 1500, "calls": 50}, "day": {"tokens": 5000}});
    let set = app.put(&format!("{project}/budget"), of_project).await.expect(200);
    assert_eq!(set["limits"].as_array().unwrap().len(), 3, "those of its tickets are theirs: {set}");
    let narrowest = json!([limit("ticket", "tokens", 1000.0, 1000.0), limit("project", "calls", 50.0, 50.0)]);
    let first = told(&app, &ticket).await;
    assert_eq!((&first["limits"], &first["attempt"]), (&narrowest, &json!(1)));

    // Its own use is not taken off, another ticket's is.
    let answer = app.put(&format!("{ticket}/usage"), usage("large", 3, 400)).await.expect(200);
    assert_eq!(answer["budget"], first);
    let other = running(&app, &project).await;
    app.put(&format!("{other}/usage"), usage("large", 7, 900)).await.expect(200);
    let answer = app.put(&format!("{ticket}/usage"), usage("large", 4, 500)).await.expect(200);
    let left = json!([limit("project", "tokens", 1500.0, 600.0), limit("project", "calls", 50.0, 43.0)]);
    assert_eq!(answer["budget"]["limits"], left);

    // A ticket's own wins over its project's, and people see every limit.
    let view = app.put(&format!("{ticket}/budget"), json!({"ticket": {"tokens": 700}})).await.expect(200);
    let all = json!([
        limit("ticket", "tokens", 700.0, 200.0),
        limit("project", "tokens", 1500.0, 100.0),
        limit("project", "calls", 50.0, 39.0),
        limit("day", "tokens", 5000.0, 3600.0)
    ]);
    assert_eq!((&view["limits"], &view["set"]["ticket"]), (&all, &json!({"tokens": 700})));
    assert_eq!(app.get(&format!("{ticket}/budget")).await.expect(200), view);
    app.put(&format!("{ticket}/budget"), json!({})).await.expect(200);
    assert_eq!(
        app.get(&format!("{ticket}/budget")).await.expect(200)["limits"][0],
        limit("ticket", "tokens", 1000.0, 500.0)
    );
}

#[tokio::test]
async fn a_budget_in_dollars_counts_what_is_known_and_says_what_is_not() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = running(&app, &project).await;
    let prices = json!({"MODEL_PRICES": r#"{"large": {"input": 2, "output": 15}}"#, "WORKER_MODEL": "unpriced"});
    app.put("/api/settings", prices).await.expect(200);
    let view = app.put(&format!("{project}/budget"), json!({"project": {"usd": 10}})).await.expect(200);
    assert_eq!(
        view["notes"],
        json!([
            "What unpriced costs is not known (MODEL_PRICES), so a budget in dollars counts the rest alone: set one in tokens too."
        ])
    );
    let first = running(&app, &project).await;
    app.put(&format!("{first}/usage"), usage("large", 1, 1_000_000)).await.expect(200);
    let second = running(&app, &project).await;
    app.put(&format!("{second}/usage"), usage("other", 1, 1_000_000)).await.expect(200);
    let budget = told(&app, &ticket).await;
    assert_eq!(budget["limits"], json!([limit("project", "usd", 10.0, 8.0)]));
    assert_eq!(budget["prices"], json!({"large": {"input": 2.0, "output": 15.0}}));
    let notes = app.get(&format!("{project}/budget")).await.expect(200)["notes"].to_string();
    assert!(notes.contains("What other, unpriced costs is not known"), "{notes}");
}

#[tokio::test]
async fn what_a_person_approves_is_granted_once_more_and_for_that_alone() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let (ticket, other) = (running(&app, &project).await, running(&app, &project).await);
    let budgets = json!({"attempt": {"tokens": 400}, "ticket": {"tokens": 500}, "day": {"calls": 5}});
    app.put(&format!("{project}/budget"), budgets).await.expect(200);
    app.put(&format!("{ticket}/usage"), usage("large", 5, 400)).await.expect(200);

    let path = ask_for_more(&app, &ticket, "budget:1", "attempt", "tokens").await;
    app.post(&format!("{path}/approve"), json!({})).await.expect(200);
    assert_eq!(
        told(&app, &ticket).await["limits"][0],
        limit("ticket", "tokens", 500.0, 500.0),
        "the attempt has 800 now"
    );
    assert_eq!(told(&app, &other).await["limits"][0], limit("attempt", "tokens", 400.0, 400.0));

    let path = ask_for_more(&app, &ticket, "budget:2", "ticket", "tokens").await;
    app.post(&format!("{path}/approve"), json!({})).await.expect(200);
    assert_eq!(told(&app, &ticket).await["limits"][0], limit("attempt", "tokens", 800.0, 800.0));
    let view = app.get(&format!("{ticket}/budget")).await.expect(200);
    assert_eq!(view["limits"], json!([limit("ticket", "tokens", 1000.0, 600.0), limit("day", "calls", 5.0, 0.0)]));

    // A day's is granted to all of the project.
    let path = ask_for_more(&app, &ticket, "budget:3", "day", "calls").await;
    app.post(&format!("{path}/approve"), json!({})).await.expect(200);
    assert_eq!(told(&app, &other).await["limits"][1], limit("day", "calls", 10.0, 5.0));

    // What is rejected is not granted, and ends the job with the reason.
    let path = ask_for_more(&app, &ticket, "budget:4", "day", "calls").await;
    app.post(&format!("{path}/reject"), json!({"reason": "Too dear."})).await.expect(200);
    assert_eq!(told(&app, &other).await["limits"][1], limit("day", "calls", 10.0, 5.0));
    let jobs = app.get(&format!("/api/jobs?project_id={}", project.rsplit('/').next().unwrap())).await.expect(200);
    let failed = jobs["jobs"].as_array().unwrap().iter().find(|job| job["status"] == "failed").unwrap();
    assert_eq!(failed["outcome_reason"], "checkpoint_rejected");
    assert!(ticket.ends_with(failed["ticket_id"].as_str().unwrap()));
}

#[tokio::test]
async fn a_work_order_is_not_launched_once_its_project_s_budget_is_used_up() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = running(&app, &project).await;
    app.put(&format!("{project}/budget"), json!({"day": {"calls": 3}})).await.expect(200);
    app.put(&format!("{ticket}/usage"), usage("large", 3, 10)).await.expect(200);
    let repo = project.rsplit('/').next().unwrap();
    let order = app.post("/api/v1/work-orders", json!({"objective": "Add login", "repo_id": repo})).await.expect(201);
    let id = order["work_order_id"].as_str().unwrap();
    let found = app.get(&format!("/api/v1/work-orders/{id}")).await.expect(200);
    let reason = "The budget of this project for a day (3 calls) is used up.";
    assert!(found.to_string().contains(reason), "{found}");
    assert_eq!(found["status"], "pending");

    app.put(&format!("{project}/budget"), json!({"day": {"calls": 30}})).await.expect(200);
    let launched = app.post(&format!("/api/v1/work-orders/{id}/launch"), json!({})).await.expect(200);
    assert!(!launched.to_string().contains("used up"), "{launched}");
}

#[tokio::test]
async fn what_can_t_be_a_budget_is_refused() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    for (path, body, said) in [
        (&project, json!({"day": {"usd": 0}}), "'day.usd' is more than 0"),
        (&project, json!({"day": {"usd": -0.5}}), "'day.usd'"),
        (&project, json!({"attempt": {"usd": 1e300}}), "at most 1000000000 dollars"),
        (&project, json!({"ticket": {"tokens": -1}}), "'ticket.tokens'"),
        (&project, json!({"project": {"calls": 9_000_000_000_i64}}), "'project.calls'"),
        (&ticket, json!({"day": {"calls": 1}}), "A ticket has budgets for"),
    ] {
        let refused = app.put(&format!("{path}/budget"), body).await;
        let text = refused.body.to_string();
        assert!(refused.status == 400 && text.contains(said), "{text}");
    }
    for body in [json!({"dya": {"usd": 1}}), json!({"day": {"euro": 1}}), json!({"day": {"tokens": 1.5}})] {
        assert_eq!(app.put(&format!("{project}/budget"), body).await.error(422), "invalid_body");
    }
    assert_eq!(app.get(&format!("{project}/budget")).await.expect(200), json!({"set": {}, "limits": [], "notes": []}));
    let unknown = format!("{project}/tickets/{}/budget", uuid::Uuid::new_v4());
    assert_eq!(app.get(&unknown).await.error(404), "not_found");
    assert_eq!(app.put(&unknown, json!({})).await.error(404), "not_found");
    app.put(&format!("{ticket}/budget"), json!({"attempt": {"calls": 1}})).await.expect(200);
    app.request(reqwest::Method::DELETE, &ticket, None, None).await.expect(200);
    assert_eq!(app.get(&format!("{ticket}/budget")).await.error(404), "not_found");
}
