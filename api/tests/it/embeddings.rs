//! With a service for embeddings: what is learnt and what projects remember is found by its meaning, too.

use crate::support::TestApp;
use serde_json::{Value, json};

/// A service of embeddings for which all that is about signing in means the same.
async fn embedding_service() -> String {
    let answer = async |axum::Json(asked): axum::Json<Value>| {
        let texts = match &asked["input"] {
            Value::Array(several) => several.clone(),
            one => vec![one.clone()],
        };
        let data = texts.iter().enumerate().map(|(index, text)| {
            let text = text.as_str().unwrap_or_default().to_lowercase();
            let about = text.contains("login") || text.contains("password") || text.contains("session");
            let values = if about { [2.0, 0.1] } else { [0.0, 1.0] };
            json!({"index": index, "embedding": values})
        });
        // Their order is the service's own affair.
        let data: Vec<_> = data.rev().collect();
        axum::Json(json!({"object": "list", "data": data}))
    };
    let service = axum::Router::new().route("/v1/embeddings", axum::routing::post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

#[tokio::test]
async fn with_a_service_for_embeddings_what_means_the_same_is_found_and_counted() {
    let app = TestApp::start().await;
    let settings = json!({"EMBEDDING_SERVICE_URL": embedding_service().await});
    app.put("/api/settings", settings).await.expect(200);
    let add = async |text: &str| app.post("/api/v1/knowledge", json!({"text": text})).await.expect(200);
    let first = add("A login lasts an hour.").await;
    assert_eq!((first["embedding"].clone(), first["frequency"].clone()), (json!(true), json!(1)));
    let same = add("Passwords are asked for hourly.").await;
    assert_eq!((same["knowledge_id"].clone(), same["frequency"].clone()), (first["knowledge_id"].clone(), json!(2)));
    assert_eq!(add("Cats purr.").await["frequency"], 1);
    let found = app.get("/api/v1/knowledge?query=session").await.expect(200);
    let found = found["results"].as_array().unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["learning"], "A login lasts an hour.");
    assert!(found[0]["similarity"].as_f64().unwrap() > 0.99);
    // One that does not respond is in no way needed.
    app.put("/api/settings", json!({"EMBEDDING_SERVICE_URL": "http://127.0.0.1:9"})).await.expect(200);
    assert_eq!(add("Dogs bark.").await["embedding"], false);
    let by_words = app.get("/api/v1/knowledge?query=bark").await.expect(200);
    assert_eq!(by_words["results"][0]["learning"], "Dogs bark.");
}

async fn with_service() -> TestApp {
    let app = TestApp::start().await;
    app.put("/api/settings", json!({"EMBEDDING_SERVICE_URL": embedding_service().await})).await.expect(200);
    app
}

async fn retrieved(app: &TestApp, memory: &str, question: &str) -> Value {
    let found = app.post(&format!("{memory}/retrieve"), json!({"queries": [question]})).await.expect(200);
    found["results"][0].clone()
}

#[tokio::test]
async fn what_a_project_remembers_is_found_by_its_meaning_before_what_shares_words() {
    let app = with_service().await;
    let memory = format!("{}/memory", app.project().await);
    let docs = json!({"docs": ["A login lasts an hour.", "How long cats purr."]});
    assert_eq!(app.post(&format!("{memory}/index"), docs).await.expect(200)["message"], "Indexed 2 new of 2 documents");
    // No word of it is in the first document, and one is in the second.
    let found = retrieved(&app, &memory, "How are sessions kept?").await;
    assert_eq!(found["docs"], json!(["A login lasts an hour."]));
    let found = retrieved(&app, &memory, "Do sessions purr?").await;
    assert_eq!(found["docs"], json!(["A login lasts an hour.", "How long cats purr."]));
    let scores: Vec<f64> =
        found["doc_scores"].as_array().unwrap().iter().map(|score| score.as_f64().unwrap()).collect();
    assert!(scores[0] > 0.99 && scores[1] > 0.0 && scores[1] < 0.7, "{scores:?}");
}

#[tokio::test]
async fn a_document_that_means_the_same_as_another_is_counted_and_not_stored_but_a_long_one_is_stored() {
    let app = with_service().await;
    let memory = format!("{}/memory", app.project().await);
    let index = async |docs: Value| {
        let answer = app.post(&format!("{memory}/index"), json!({"docs": docs})).await.expect(200);
        answer["message"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        index(json!(["A login lasts an hour.", "Passwords are asked for hourly."])).await,
        "Indexed 1 new of 2 documents"
    );
    assert_eq!(
        index(json!(["Sessions end after sixty minutes.", "A login lasts an hour."])).await,
        "Indexed 0 new of 2 documents"
    );
    let counted: i32 = sqlx::query_scalar("select frequency from memory_documents").fetch_one(&app.pool).await.unwrap();
    assert_eq!(counted, 3, "once for each request that says it again");
    // Only the beginning of a long text has a meaning, and the rest of it may say something else.
    let long = format!("Sessions {}", "and so on ".repeat(1_000));
    assert_eq!(index(json!([long, "A session."])).await, "Indexed 1 new of 2 documents");
    assert_eq!(index(json!([long])).await, "Indexed 0 new of 1 documents");
    assert_eq!(retrieved(&app, &memory, "password").await["docs"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_was_done_is_found_by_its_meaning_for_the_next_ticket_and_for_orders() {
    let app = with_service().await;
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    app.post(&format!("{ticket}/complete"), json!({"summary": "Passwords are hashed."})).await.expect(200);
    let body = json!({"title": "Renew sessions", "description": "Each hour", "column_id": "backlog"});
    let next = app.post(&format!("{project}/tickets"), body).await.expect(201);
    let context = format!("{project}/tickets/{}/worker-context", next["id"].as_str().unwrap());
    assert_eq!(app.get(&context).await.expect(200)["memory"], json!(["Say hello: Passwords are hashed."]));
    let repo = project.rsplit('/').next().unwrap();
    let preview = json!({"objective": "Let sessions expire", "repo_id": repo});
    let prompt = app.post("/api/v1/work-orders/preview", preview).await.expect(200);
    assert!(prompt["prompt"].as_str().unwrap().contains("Say hello: Passwords are hashed."), "{prompt}");
}

#[tokio::test]
async fn documents_are_stored_and_found_by_words_while_the_service_is_away_and_get_their_meaning_later() {
    let app = TestApp::start().await;
    let memory = format!("{}/memory", app.project().await);
    app.put("/api/settings", json!({"EMBEDDING_SERVICE_URL": "http://127.0.0.1:9"})).await.expect(200);
    let docs = json!({"docs": ["A login lasts an hour."]});
    app.post(&format!("{memory}/index"), docs.clone()).await.expect(200);
    assert_eq!(retrieved(&app, &memory, "login").await["docs"], json!(["A login lasts an hour."]));
    app.put("/api/settings", json!({"EMBEDDING_SERVICE_URL": embedding_service().await})).await.expect(200);
    assert_eq!(retrieved(&app, &memory, "session").await["docs"], json!([]));
    app.post(&format!("{memory}/index"), docs).await.expect(200);
    assert_eq!(retrieved(&app, &memory, "session").await["docs"], json!(["A login lasts an hour."]));
}

#[tokio::test]
async fn what_was_learnt_can_be_forgotten() {
    let app = TestApp::start().await;
    let added = app.post("/api/v1/knowledge", json!({"text": "Dogs purr."})).await.expect(200);
    let path = format!("/api/v1/knowledge/{}", added["knowledge_id"].as_str().unwrap());
    assert_eq!(app.delete(&path).await.expect(200), json!({"ok": true}));
    assert_eq!(app.get("/api/v1/knowledge?query=dogs").await.expect(200)["results"], json!([]));
    assert_eq!(app.delete(&path).await.error(404), "not_found");
}
