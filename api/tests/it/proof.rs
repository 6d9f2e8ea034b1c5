//! What tickets have to show before they count as done: set for a project and for a ticket, and told to runners.

use crate::support::{Reply, TestApp};
use reqwest::Method;
use serde_json::{Value, json};

async fn put(app: &TestApp, path: &str, body: Value) -> Reply {
    app.request(Method::PUT, path, None, Some(&body)).await
}

#[tokio::test]
async fn a_runner_learns_what_the_project_the_ticket_and_its_order_ask_for() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let nothing = json!({});
    assert_eq!(app.get(&format!("{project}/proof")).await.expect(200), nothing);
    let of_project =
        json!({"setup": ["npm ci", " "], "verification": ["npm test"], "acceptance": ["It is documented."]});
    let stored = put(&app, &format!("{project}/proof"), of_project).await.expect(200);
    assert_eq!(stored["setup"], json!(["npm ci"]), "a blank entry is none");
    assert_eq!(app.get(&format!("{project}/proof")).await.expect(200), stored);

    let repo = project.rsplit('/').next().unwrap();
    let order = json!({
        "objective": "Add login", "repo_id": repo, "verification": {"test_command": "npm run e2e"},
        "lines": [{"id": "1", "title": "Log in", "definition_of_done": "a person can"}]
    });
    let id = app.post("/api/v1/work-orders", order).await.expect(201)["work_order_id"].as_str().unwrap().to_owned();
    let ticket = format!("{project}/tickets/{id}");
    let of_ticket = json!({"verification": ["npm run lint"]});
    put(&app, &format!("{ticket}/proof"), of_ticket.clone()).await.expect(200);
    assert_eq!(app.get(&format!("{ticket}/proof")).await.expect(200), of_ticket);
    let context = app.get(&format!("{ticket}/worker-context")).await.expect(200);
    let all = json!({
        "setup": ["npm ci"], "verification": ["npm test", "npm run lint", "npm run e2e"],
        "acceptance": ["It is documented.", "Log in: a person can"]
    });
    assert_eq!(context["proof"], all);

    let other = app.ticket(&project).await;
    let context = app.get(&format!("{other}/worker-context")).await.expect(200);
    assert_eq!(context["proof"]["verification"], json!(["npm test"]), "another ticket has its project's alone");
    put(&app, &format!("{project}/proof"), json!({})).await.expect(200);
    let context = app.get(&format!("{other}/worker-context")).await.expect(200);
    assert!(context.get("proof").is_none(), "{context}");
}

#[tokio::test]
async fn what_can_t_be_run_or_stored_is_refused_by_name() {
    let app = TestApp::start().await;
    let project = app.project().await;
    for (path, body, said) in [
        (format!("{project}/proof"), json!({"verification": vec!["x"; 51]}), "'verification' has 51 entries"),
        (format!("{project}/proof"), json!({"acceptance": ["x".repeat(5_000)]}), "'acceptance' has 5000 bytes"),
    ] {
        let refused = put(&app, &path, body).await;
        let text = refused.body.to_string();
        assert!(refused.status == 400 && text.contains(said), "{text}");
    }
    put(&app, &format!("{project}/proof"), json!({"verification": ["make"]})).await.expect(200);
    let misspelt = put(&app, &format!("{project}/proof"), json!({"verifcation": ["make"]})).await;
    assert_eq!(misspelt.error(422), "invalid_body", "it would take away what there is");
    assert_eq!(app.get(&format!("{project}/proof")).await.expect(200), json!({"verification": ["make"]}));
    let unknown = format!("{project}/tickets/{}/proof", uuid::Uuid::new_v4());
    assert_eq!(put(&app, &unknown, json!({})).await.error(404), "not_found");
    assert_eq!(app.get(&unknown).await.error(404), "not_found");
}

#[tokio::test]
async fn terms_go_with_their_ticket() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    put(&app, &format!("{ticket}/proof"), json!({"verification": ["true"]})).await.expect(200);
    app.request(Method::DELETE, &ticket, None, None).await.expect(200);
    assert_eq!(app.get(&format!("{ticket}/proof")).await.error(404), "not_found");
}

#[tokio::test]
async fn what_a_runner_proposes_is_shown_and_runs_only_once_it_is_set() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    let (proposed, proposes) = (format!("{project}/proof/proposed"), format!("{ticket}/proof/proposed"));
    assert_eq!(app.get(&proposed).await.expect(200), json!({}));
    let npm = json!({"setup": ["npm ci"], "verification": ["npm test"]});
    put(&app, &proposes, npm.clone()).await.expect(200);
    assert_eq!(app.get(&proposed).await.expect(200), npm);
    let context = app.get(&format!("{ticket}/worker-context")).await.expect(200);
    assert!(context.get("proof").is_none(), "{context}");
    // What another attempt finds takes its place; the same again is no change.
    let make = json!({"verification": ["make test"], "acceptance": ["A runner asks for nothing."]});
    for _ in 0..2 {
        put(&app, &proposes, make.clone()).await.expect(200);
    }
    assert_eq!(app.get(&proposed).await.expect(200), json!({"verification": ["make test"]}));
    let changes: i64 = sqlx::query_scalar("select count(*) from events where kind = 'project.changed'")
        .fetch_one(&app.pool)
        .await
        .unwrap();
    assert_eq!(changes, 2);
    let unknown = format!("{project}/tickets/{}/proof/proposed", uuid::Uuid::new_v4());
    assert_eq!(put(&app, &unknown, json!({})).await.error(404), "not_found");
    assert_eq!(put(&app, &proposes, json!({"setup": vec!["x"; 51]})).await.error(400), "invalid_field");
}

#[tokio::test]
async fn what_was_last_said_about_each_acceptance_line_is_on_the_ticket_s_page() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    let page = format!("{ticket}/page");
    assert_eq!(app.get(&page).await.expect(200)["acceptance"], Value::Null);
    let log = async |lines: Value| {
        let entry = json!({"session_id": "s", "step": "acceptance", "summary": "x", "data": {"kind": "acceptance", "lines": lines}});
        app.post(&format!("{ticket}/logs"), entry).await.expect(200);
    };
    log(json!([{"line": "It greets.", "met": false, "place": ""}])).await;
    let last = json!([{"line": "It greets.", "met": true, "place": "greet.sh"}, {"line": "It sings.", "met": null, "place": ""}]);
    log(last.clone()).await;
    assert_eq!(app.get(&page).await.expect(200)["acceptance"]["lines"], last);
    // What can't be read is nothing, and never an error.
    log(json!("all of them")).await;
    assert_eq!(app.get(&page).await.expect(200)["acceptance"], Value::Null);
}
