//! Projects, graphs, notes and tickets as an application uses them.

use crate::support::TestApp;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_new_project_has_a_graph_a_board_and_a_setup_ticket() {
    let app = TestApp::start().await;
    let made = app.post("/api/projects", json!({"name": "  New  ", "description": "d"})).await.expect(201);
    assert_eq!((&made["name"], &made["execution_mode"]), (&json!("New"), &json!("docker")));
    let project = format!("/api/projects/{}", made["id"].as_str().unwrap());
    let graph = app.get(&format!("{project}/graph")).await.expect(200);
    assert_eq!((&graph["nodes"], &graph["edges"], &graph["version"]), (&json!([]), &json!([]), &json!(1)));
    let board = app.get(&format!("{project}/kanban")).await.expect(200);
    let columns: Vec<_> = board["columns"].as_array().unwrap().iter().map(|column| column["id"].clone()).collect();
    assert_eq!(columns, ["backlog", "in_progress", "in_review", "done"]);
    let tickets = app.get(&format!("{project}/tickets")).await.expect(200);
    assert_eq!(tickets[0]["title"], "Project setup");
    assert_eq!(app.get("/api/projects").await.expect(200).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_project_is_changed_and_deleted_by_its_name_alone() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let changed = app.put(&project, json!({"description": "new", "github_url": null})).await.expect(200);
    assert_eq!(
        (&changed["name"], &changed["description"], &changed["github_url"]),
        (&json!("Demo"), &json!("new"), &json!(null))
    );
    for body in [json!({}), json!({"confirm_name": "demo"})] {
        let refused = app.request(Method::DELETE, &project, None, Some(&body)).await;
        assert_eq!(refused.error(400), "name_not_confirmed");
    }
    let ticket = app.ticket(&project).await;
    let deleted = app.request(Method::DELETE, &project, None, Some(&json!({"confirm_name": "Demo"}))).await.expect(200);
    assert_eq!(deleted, json!({"message": "Project deleted"}));
    assert_eq!(app.get(&project).await.error(404), "not_found");
    assert_eq!(app.get(&ticket).await.error(404), "not_found");
}

#[tokio::test]
async fn a_token_in_a_repository_address_is_refused_and_not_repeated() {
    let app = TestApp::start().await;
    let url = "https://user:hunter2@github.com/a/b";
    let refused = app.post("/api/projects", json!({"name": "x", "github_url": url})).await;
    assert!(!refused.body.to_string().contains("hunter2"));
    assert_eq!(refused.error(400), "invalid_field");
}

#[tokio::test]
async fn the_graph_counts_its_versions() {
    let app = TestApp::start().await;
    let graph = format!("{}/graph", app.project().await);
    assert_eq!(app.put(&graph, json!({"nodes": [{"id": "n"}]})).await.expect(200), json!({"version": 2}));
    assert_eq!(app.put(&graph, json!({"edges": []})).await.expect(200), json!({"version": 3}));
    assert_eq!(app.put(&graph, json!({})).await.error(400), "invalid_field");
    assert_eq!(app.get(&graph).await.expect(200)["nodes"], json!([{"id": "n"}]));
}

#[tokio::test]
async fn notes_are_made_changed_and_deleted() {
    let app = TestApp::start().await;
    let notes = format!("{}/notes", app.project().await);
    assert_eq!(app.post(&notes, json!({})).await.error(400), "invalid_field");
    let note = app.post(&notes, json!({"title": "t", "content": "c", "edge_ids": ["e"]})).await.expect(201);
    let path = format!("{notes}/{}", note["id"].as_str().unwrap());
    let changed = app.patch(&path, json!({"title": null, "content": "new"})).await.expect(200);
    assert_eq!(
        (&changed["title"], &changed["content"], &changed["edge_ids"]),
        (&json!(null), &json!("new"), &json!(["e"]))
    );
    assert_eq!(app.get(&path).await.expect(200), changed);
    app.delete(&path).await.expect(200);
    assert_eq!(app.delete(&path).await.error(404), "not_found");
    assert_eq!(app.get(&notes).await.expect(200), json!([]));
}

#[tokio::test]
async fn a_ticket_needs_a_title_and_a_column_of_the_board() {
    let app = TestApp::start().await;
    let tickets = format!("{}/tickets", app.project().await);
    for body in [
        json!({"title": "x"}),
        json!({"column_id": "backlog"}),
        json!({"title": " ", "column_id": "backlog"}),
        json!({"title": "x", "column_id": "nowhere"}),
    ] {
        assert_eq!(app.post(&tickets, body.clone()).await.error(400), "invalid_field", "{body}");
    }
    let body = json!({"title": "x", "column_id": "backlog", "priority": "high", "associated_node_ids": ["n"]});
    let ticket = app.post(&tickets, body).await.expect(201);
    let path = format!("{tickets}/{}", ticket["id"].as_str().unwrap());
    let changed = app.patch(&path, json!({"title": "y", "priority": "low", "description": "d"})).await.expect(200);
    assert_eq!(
        (&changed["title"], &changed["priority"], &changed["associated_node_ids"]),
        (&json!("y"), &json!("low"), &json!(["n"]))
    );
    app.delete(&path).await.expect(200);
    assert_eq!(app.get(&path).await.error(404), "not_found");
}

#[tokio::test]
async fn how_a_projects_jobs_run_can_be_set() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let before = app.get(&project).await.expect(200);
    assert_eq!(
        (&before["max_running"], &before["weight"], &before["paused"]),
        (&json!(null), &json!(1), &json!(false))
    );
    let wanted = json!({"max_running": 2, "weight": 3, "paused": true, "retry_agent_failures": 1, "agent_image": "a/b:c",
               "update_strategy": "rebase", "submodules": true});
    let changed = app.put(&project, wanted.clone()).await.expect(200);
    for (name, value) in wanted.as_object().unwrap() {
        assert_eq!(&changed[name], value);
    }
    let ticket = app.ticket(&project).await;
    let context = app.get(&format!("{ticket}/worker-context")).await.expect(200);
    assert_eq!(context["update_strategy"], "rebase");
    assert_eq!(context["submodules"], true);
    let cleared = app.put(&project, json!({"max_running": null, "agent_image": null})).await.expect(200);
    assert_eq!(
        (&cleared["max_running"], &cleared["agent_image"], &cleared["weight"]),
        (&json!(null), &json!(null), &json!(3))
    );
    for bad in [
        json!({"max_running": 0}),
        json!({"weight": 0}),
        json!({"retry_agent_failures": -1}),
        json!({"agent_image": "a b"}),
    ] {
        assert_eq!(app.put(&project, bad.clone()).await.error(400), "invalid_field", "{bad}");
    }
}
