//! What the calls of models came to: reported by runners, added up for people.

use crate::support::TestApp;
use serde_json::{Value, json};

fn usage(whose: &str, model: &str, calls: i64, input: i64, output: i64) -> Value {
    json!({"whose": whose, "model": model, "calls": calls, "input": input, "output": output})
}

#[tokio::test]
async fn a_ticket_s_attempts_are_added_up_and_an_older_report_changes_nothing() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    app.move_to(&ticket, "in_progress").await;
    app.claim_as("one", json!({})).await.unwrap();
    let path = format!("{ticket}/usage");
    let first = usage("agent", "large", 3, 1_000_000, 10);
    app.put(&path, json!({"models": [first]})).await.expect(200);
    let models = json!([usage("agent", "large", 5, 2_000_000, 100_000), usage("director", "other", 1, 7, 3)]);
    app.put(&path, json!({"models": models})).await.expect(200);
    app.put(&path, json!({"models": [usage("agent", "large", 3, 1_000_000, 10)]})).await.expect(200);

    let known = app.get(&path).await.expect(200);
    assert_eq!(known["attempts"].as_array().unwrap().len(), 2, "{known}");
    assert_eq!((&known["attempts"][0]["calls"], &known["attempts"][0]["attempt"]), (&json!(5), &json!(1)));
    let total = json!({"calls": 6, "tokens": 2_100_010, "cost_usd": null, "cost_unknown": ["large", "other"]});
    assert_eq!(known["total"], total, "without prices the cost is not known, and not nothing");

    let prices = json!({"MODEL_PRICES": r#"{"large": {"input": 3, "output": 15}}"#});
    app.put("/api/settings", prices).await.expect(200);
    let known = app.get(&path).await.expect(200);
    assert_eq!((&known["total"]["cost_usd"], &known["total"]["cost_unknown"]), (&json!(7.5), &json!(["other"])));
    assert_eq!((&known["attempts"][0]["cost_usd"], &known["attempts"][1]["cost_usd"]), (&json!(7.5), &Value::Null));

    // Another attempt, without a job: started by hand.
    let other = app.ticket(&project).await;
    app.put(&format!("{other}/usage"), json!({"models": [usage("agent", "large", 1, 1_000_000, 0)]})).await.expect(200);
    let all = app.get(&format!("{project}/usage?days=7")).await.expect(200);
    assert_eq!((&all["days"], &all["total"]["cost_usd"], &all["total"]["calls"]), (&json!(7), &json!(10.5), &json!(7)));
    assert_eq!(
        all["models"][0],
        json!({"whose": "agent", "model": "large", "calls": 6, "uncounted": 0, "failed": 0,
        "input": 3_000_000, "output": 100_000, "reasoning": 0, "cache_read": 0, "cache_write": 0})
    );
}

#[tokio::test]
async fn what_is_no_report_and_no_price_is_refused() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    let path = format!("{ticket}/usage");
    for wrong in [usage("cook", "m", 1, 1, 1), usage("agent", "", 1, 1, 1), usage("agent", "m", -1, 1, 1)] {
        assert_eq!(app.put(&path, json!({"models": [wrong]})).await.error(400), "invalid_field");
    }
    let unknown = format!("{project}/tickets/{}/usage", uuid::Uuid::new_v4());
    assert_eq!(app.put(&unknown, json!({"models": []})).await.error(404), "not_found");
    assert_eq!(app.get(&unknown).await.error(404), "not_found");
    assert_eq!(app.get(&format!("{project}/usage?days=0")).await.error(400), "invalid_field");
    let refused = app.put("/api/settings", json!({"MODEL_PRICES": "3 dollars"})).await;
    assert!(refused.body["error"].as_str().unwrap().contains("MODEL_PRICES"), "{}", refused.body);
    assert_eq!(refused.error(400), "invalid_field");
}

#[tokio::test]
async fn what_a_ticket_may_use_is_told_by_what_earlier_ones_used() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let next = app.ticket(&project).await;
    let expected = format!("{next}/usage/expected");
    let nothing = json!({"like": "project", "tickets": 0, "tokens": null, "cost_usd": null, "minutes": null});
    assert_eq!(app.get(&expected).await.expect(200), nothing);
    app.put("/api/settings", json!({"MODEL_PRICES": r#"{"large": {"input": 1, "output": 1}}"#})).await.expect(200);
    for millions in 1..=10 {
        let ticket = app.ticket(&project).await;
        app.move_to(&ticket, "in_progress").await;
        let job = app.claim_as("one", json!({})).await.unwrap();
        let used =
            [usage("agent", "large", 1, millions * 900_000, 0), usage("director", "large", 1, millions * 100_000, 0)];
        app.put(&format!("{ticket}/usage"), json!({"models": used})).await.expect(200);
        app.post(&format!("{ticket}/complete"), json!({})).await.expect(200);
        app.post(&format!("{}/complete", TestApp::job_path(&job)), json!({"attempt": 1})).await.expect(200);
    }
    // One that failed says nothing about what it takes to complete one.
    let failed = app.ticket(&project).await;
    app.move_to(&failed, "in_progress").await;
    let job = app.claim_as("one", json!({})).await.unwrap();
    app.put(&format!("{failed}/usage"), json!({"models": [usage("agent", "large", 1, 900_000_000, 0)]}))
        .await
        .expect(200);
    app.post(&format!("{}/fail", TestApp::job_path(&job)), json!({"attempt": 1, "retry": false})).await.expect(200);

    let known = app.get(&expected).await.expect(200);
    assert_eq!((&known["like"], &known["tickets"]), (&json!("project"), &json!(10)), "{known}");
    assert_eq!(known["tokens"], json!({"median": 5_000_000.0, "p90": 9_000_000.0}));
    assert_eq!(known["cost_usd"], json!({"median": 5.0, "p90": 9.0}));
    assert!(known["minutes"]["median"].as_f64().is_some_and(|minutes| (0.0..1.0).contains(&minutes)), "{known}");
    let unknown = format!("{project}/tickets/{}/usage/expected", uuid::Uuid::new_v4());
    assert_eq!(app.get(&unknown).await.error(404), "not_found");
    // Another project's tickets are not like these.
    let elsewhere = app.ticket(&app.project().await).await;
    assert_eq!(app.get(&format!("{elsewhere}/usage/expected")).await.expect(200), nothing);
}
