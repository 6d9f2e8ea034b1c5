//! A project's memory.

use crate::support::TestApp;
use serde_json::json;

#[tokio::test]
async fn a_question_finds_what_shares_a_word_the_best_first() {
    let app = TestApp::start().await;
    let memory = format!("{}/memory", app.project().await);
    let docs = json!({"docs": [
        "The login page sends a session cookie after authentication.",
        "Invoices are rendered as PDF files.",
        "Sessions end after an hour; the session cookie is renewed by authentication with a login token.",
    ]});
    let indexed = app.post(&format!("{memory}/index"), docs.clone()).await.expect(200);
    assert_eq!(indexed["count"], 3);
    app.post(&format!("{memory}/index"), docs).await.expect(200);
    let question = "How does the authentication of a session work, and what is it's \\ cookie & (name | !x)?";
    let body = json!({"queries": [question, "the of and", "weather"], "num_to_retrieve": 10});
    let found = app.post(&format!("{memory}/retrieve"), body).await.expect(200);
    let results = found["results"].as_array().unwrap();
    assert_eq!(results[0]["question"], question);
    let docs = results[0]["docs"].as_array().unwrap();
    assert_eq!(docs.len(), 2, "the same document is stored once: {docs:?}");
    assert!(docs.iter().all(|doc| doc.as_str().unwrap().contains("session cookie")));
    let scores: Vec<f64> = results[0]["doc_scores"].as_array().unwrap().iter().map(|s| s.as_f64().unwrap()).collect();
    assert!(scores[0] >= scores[1] && scores[1] > 0.0, "{scores:?}");
    assert_eq!(results[1]["docs"], json!([]));
    assert_eq!(results[2]["docs"], json!([]));
}

#[tokio::test]
async fn memory_is_the_projects_own_and_can_be_deleted() {
    let app = TestApp::start().await;
    let (mine, other) = (format!("{}/memory", app.project().await), format!("{}/memory", app.project().await));
    app.post(&format!("{mine}/index"), json!({"docs": ["a blue whale"]})).await.expect(200);
    let query = json!({"queries": ["whale"]});
    let found = app.post(&format!("{other}/retrieve"), query.clone()).await.expect(200);
    assert_eq!(found["results"][0]["docs"], json!([]));
    let gone = app.post(&format!("{mine}/delete"), json!({"docs": ["a blue whale", "no such"]})).await.expect(200);
    assert_eq!(gone["count"], 1);
    let found = app.post(&format!("{mine}/retrieve"), query).await.expect(200);
    assert_eq!(found["results"][0]["docs"], json!([]));
}

#[tokio::test]
async fn large_documents_are_indexed_or_refused_but_never_break() {
    let app = TestApp::start().await;
    let memory = format!("{}/memory", app.project().await);
    let words: String = (0..30_000).map(|n| format!("w{n} ")).collect();
    app.post(&format!("{memory}/index"), json!({"docs": [words, "x".repeat(200_000)]})).await.expect(200);
    let urls: String = (0..9_000).map(|n| format!("http://h{n}.example/a-b-c/d{n}?q={n} ")).collect();
    app.post(&format!("{memory}/index"), json!({"docs": [urls[..256 * 1024 - 8]]})).await.expect(200);
    let refused = app.post(&format!("{memory}/index"), json!({"docs": ["y".repeat(300_000)]})).await;
    assert_eq!(refused.error(400), "invalid_field");
}

#[tokio::test]
async fn what_was_done_is_remembered_for_the_next_ticket() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    app.post(&format!("{ticket}/complete"), json!({"summary": "The greeting is in the README now."})).await.expect(200);
    let next = app.ticket(&project).await;
    let context = app.get(&format!("{next}/worker-context")).await.expect(200);
    assert_eq!(context["memory"], json!(["Say hello: The greeting is in the README now."]));
}
