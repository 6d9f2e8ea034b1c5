//! Which webhooks are taken: genuine ones, once, and of a size that fits. Of all others nothing is stored.

use crate::forges::{SECRET, hmac, signed};
use crate::support::{Reply, TestApp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::RequestBuilder;
use serde_json::json;

const BODY: &[u8] = br#"{"zen": "Hello, World!"}"#;
const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn stored(app: &TestApp) -> i64 {
    sqlx::query_scalar("select count(*) from deliveries").fetch_one(&app.pool).await.unwrap()
}

async fn secret(app: &TestApp, body: serde_json::Value) -> serde_json::Value {
    app.post("/api/webhook-secrets", body).await.expect(201)
}

fn github(app: &TestApp, secret: &str, id: &str) -> RequestBuilder {
    signed(app, secret, id, "star", BODY.to_vec())
}

async fn refused(reply: RequestBuilder) {
    assert_eq!(TestApp::reply(reply).await.error(401), "signature_refused");
}

#[tokio::test]
async fn a_genuine_delivery_is_stored_once_however_often_it_is_sent() {
    let app = TestApp::start().await;
    refused(github(&app, SECRET, "before there is a secret")).await;
    secret(&app, json!({"sender": "github", "secret": SECRET})).await;
    for _ in 0..3 {
        TestApp::reply(github(&app, SECRET, "the same")).await.expect(202);
    }
    assert_eq!(stored(&app).await, 1);
    let kept: Vec<u8> = sqlx::query_scalar("select body from deliveries").fetch_one(&app.pool).await.unwrap();
    assert_eq!(kept, BODY);
    TestApp::reply(signed(&app, SECRET, "a ping", "ping", BODY.to_vec())).await.expect(200);
    assert_eq!(stored(&app).await, 2, "people see that it came");
}

#[tokio::test]
async fn what_is_not_signed_with_a_valid_secret_is_refused_and_not_stored() {
    let app = TestApp::start().await;
    let first = secret(&app, json!({"sender": "github", "secret": SECRET})).await;
    let unsigned = app.http().post(format!("{}/webhooks/github", app.base)).header("content-type", "application/json");
    refused(unsigned.try_clone().unwrap().body(BODY)).await;
    refused(github(&app, "another secret that is not set", "x")).await;
    let changed = github(&app, SECRET, "x").body(r#"{"zen": "Hello, World?"}"#);
    refused(changed).await;
    // With the headers of another forge, at the address of this one.
    let signature = hex::encode(hmac(SECRET.as_bytes(), &[BODY]));
    refused(unsigned.body(BODY).header("x-gitea-signature", &signature)).await;
    // While one is replaced, both are valid; the one that was deleted is not.
    secret(&app, json!({"sender": "github", "secret": "the secret that comes after it"})).await;
    TestApp::reply(github(&app, SECRET, "old")).await.expect(202);
    TestApp::reply(github(&app, "the secret that comes after it", "new")).await.expect(202);
    let third = app.post("/api/webhook-secrets", json!({"sender": "github"})).await;
    assert_eq!(third.error(409), "two_secrets");
    app.delete(&format!("/api/webhook-secrets/{}", first["id"].as_str().unwrap())).await.expect(200);
    refused(github(&app, SECRET, "too old")).await;
    assert_eq!(stored(&app).await, 2);
    secret(&app, json!({"sender": "github"})).await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_not_stored() {
    let app = TestApp::start().await;
    secret(&app, json!({"sender": "github", "secret": SECRET})).await;
    let mut large = vec![b' '; 30 * 1024 * 1024];
    large[..2].copy_from_slice(b"{}");
    let says = signed(&app, SECRET, "large", "push", large.clone());
    assert_eq!(TestApp::reply(says).await.error(413), "body_too_large");
    // Without saying how large it is.
    let chunks = large.chunks(1 << 20).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>();
    let stream = reqwest::Body::wrap_stream(futures::stream::iter(chunks));
    let says_not = signed(&app, SECRET, "large", "push", large.clone()).body(stream);
    assert_eq!(TestApp::reply(says_not).await.error(413), "body_too_large");
    assert_eq!(stored(&app).await, 0);
    large.truncate(20 * 1024 * 1024);
    TestApp::reply(signed(&app, SECRET, "it fits", "star", large)).await.expect(202);
    assert_eq!(stored(&app).await, 1);
    let signature = format!("sha256={}", hex::encode(hmac(SECRET.as_bytes(), &[b"payload=%7B%7D"])));
    let form = app.http().post(format!("{}/webhooks/github", app.base)).header("x-hub-signature-256", signature);
    let form = form.header("content-type", "application/x-www-form-urlencoded").body("payload=%7B%7D");
    assert_eq!(TestApp::reply(form).await.status, 415);
    assert_eq!(stored(&app).await, 1);
}

#[tokio::test]
async fn gitea_signs_without_a_prefix_and_forgejo_under_either_name() {
    let app = TestApp::start().await;
    let made = secret(&app, json!({"sender": "gitea"})).await;
    assert_eq!((&made["path"], &made["kind"]), (&json!("/webhooks/gitea"), &json!("token")));
    let signature = hex::encode(hmac(made["secret"].as_str().unwrap().as_bytes(), &[BODY]));
    let send = async |header: &str, signature: &str, id: &str| -> Reply {
        let request = app.http().post(format!("{}/webhooks/gitea", app.base)).header(header, signature);
        let request = request.header("x-gitea-delivery", id).header("x-gitea-event", "repository");
        TestApp::reply(request.header("content-type", "application/json").body(BODY)).await
    };
    send("x-gitea-signature", &signature, "1").await.expect(202);
    send("x-forgejo-signature", &signature, "2").await.expect(202);
    // Gitea sends this one as well, and it is right; it is not what this address looks at.
    let github = format!("sha256={signature}");
    assert_eq!(send("x-hub-signature-256", &github, "3").await.error(401), "signature_refused");
    assert_eq!(stored(&app).await, 2);
}

#[tokio::test]
async fn gitlabs_signature_has_a_time_and_nothing_replaces_it() {
    let app = TestApp::start().await;
    secret(&app, json!({"sender": "gitlab", "secret": "a plain token of GitLab"})).await;
    let send = async |headers: Vec<(&str, String)>| -> Reply {
        let request = app.http().post(format!("{}/webhooks/gitlab", app.base)).header("x-gitlab-event", "Note Hook");
        let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        TestApp::reply(request.header("content-type", "application/json").body(BODY)).await
    };
    let plain = || vec![("x-gitlab-token", "a plain token of GitLab".to_owned()), ("idempotency-key", "1".to_owned())];
    send(plain()).await.expect(202);
    send(vec![("x-gitlab-token", "a plain token of gitlab".to_owned())]).await.error(401);
    assert_eq!(secret(&app, json!({"sender": "gitlab", "secret": SIGNING})).await["kind"], "signing");
    // There is one that signs now, so the token alone is worth nothing.
    send(plain()).await.error(401);
    let key = STANDARD.decode(SIGNING.strip_prefix("whsec_").unwrap()).unwrap();
    let signed_at = |off_sec: i64, id: &str| {
        let at = (chrono::Utc::now().timestamp() + off_sec).to_string();
        let signature = hmac(&key, &[id.as_bytes(), b".", at.as_bytes(), b".", BODY]);
        vec![
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", at),
            ("webhook-signature", format!("v1,{}", STANDARD.encode(signature))),
        ]
    };
    send(signed_at(-240, "2")).await.expect(202);
    for off_sec in [-310, 310] {
        send(signed_at(off_sec, "too far off")).await.error(401);
    }
    let mut moved = signed_at(0, "3");
    moved[1].1 = (chrono::Utc::now().timestamp() - 1).to_string();
    send(moved).await.error(401);
    assert_eq!(stored(&app).await, 2);
}

/// A project's own secret is valid for its own address alone; a project without one takes what is signed for all.
#[tokio::test]
async fn a_project_can_have_a_secret_of_its_own() {
    let app = TestApp::start().await;
    let (own, other) = (app.project().await, app.project().await);
    let id = |project: &str| project.rsplit('/').next().unwrap().to_owned();
    secret(&app, json!({"sender": "github", "secret": SECRET})).await;
    let made = secret(&app, json!({"sender": "github", "project_id": id(&own)})).await;
    let own_secret = made["secret"].as_str().unwrap();
    assert_eq!(made["path"], format!("/webhooks/github/{}", id(&own)));
    let send = async |project: &str, secret: &str, delivery: &str| {
        let signature = format!("sha256={}", hex::encode(hmac(secret.as_bytes(), &[BODY])));
        let request = app.http().post(format!("{}/webhooks/github/{project}", app.base));
        let request = request.header("x-github-delivery", delivery).header("x-hub-signature-256", signature);
        let request = request.header("x-github-event", "star").header("content-type", "application/json").body(BODY);
        TestApp::reply(request).await.status.as_u16()
    };
    assert_eq!(send(&id(&own), own_secret, "1").await, 202);
    assert_eq!(send(&id(&own), SECRET, "2").await, 401);
    assert_eq!(send(&id(&other), own_secret, "3").await, 401);
    assert_eq!(send(&id(&other), SECRET, "4").await, 202);
    assert_eq!(send("00000000-0000-0000-0000-000000000000", SECRET, "5").await, 404);
    refused(github(&app, own_secret, "6")).await;
    assert_eq!(stored(&app).await, 2);
}
