//! Stories of programs that a person signs in from a browser.

use crate::support::{ADMIN_KEY, Reply, TestApp};
use reqwest::Method;
use serde_json::{Value, json};

/// What a program got to know when it asked.
struct Program {
    device_code: String,
    user_code: String,
}

async fn begin(app: &TestApp) -> Program {
    let begun = app.anonymous().post("/api/device-logins", json!({"name": "terarchitect on laptop"})).await.expect(201);
    let text = |name: &str| begun[name].as_str().unwrap().to_owned();
    Program { device_code: text("device_code"), user_code: text("user_code") }
}

async fn ask(app: &TestApp, program: &Program) -> Value {
    let body = json!({"device_code": program.device_code});
    app.anonymous().post("/api/device-logins/token", body).await.expect(200)
}

/// A person in a browser.
async fn in_browser(app: &TestApp, cookie: &str, method: Method, code: &str, what: &str) -> Reply {
    app.send(method, &format!("/api/device-logins/{code}{what}"), &[("cookie", cookie)], None).await
}

async fn look(app: &TestApp, cookie: &str, code: &str) -> Reply {
    in_browser(app, cookie, Method::GET, code, "").await
}

async fn decide(app: &TestApp, cookie: &str, program: &Program, what: &str) -> Reply {
    in_browser(app, cookie, Method::POST, &program.user_code, &format!("/{what}")).await
}

async fn sql(app: &TestApp, statement: &'static str) {
    sqlx::query(statement).execute(&app.pool).await.unwrap();
}

/// As if the program had waited since its last question.
async fn wait(app: &TestApp) {
    sql(app, "update device_logins set asked_at = now() - interval '2 minutes'").await;
}

#[tokio::test]
async fn an_approved_program_gets_one_token_with_the_persons_role() {
    let app = TestApp::start_guarded().await;
    let viewer = app.person("viewer@example.com", "viewer", &[]).await;
    let begun =
        app.anonymous().post("/api/device-logins", json!({"name": " terarchitect on laptop "})).await.expect(201);
    let (page, code) = (begun["verification_uri"].as_str().unwrap(), begun["user_code"].as_str().unwrap());
    assert_eq!(page, format!("{}/device", app.base));
    assert_eq!(begun["verification_uri_complete"], format!("{page}?code={code}"));
    assert_eq!((&begun["expires_in"], &begun["interval"]), (&json!(600), &json!(5)));
    let program =
        Program { device_code: begun["device_code"].as_str().unwrap().to_owned(), user_code: code.to_owned() };
    let pending = ask(&app, &program).await;
    assert_eq!((&pending["state"], &pending["token"]), (&json!("pending"), &Value::Null));
    // The person types it as it comes.
    for typed in [code.to_owned(), code.to_lowercase(), code.replace('-', "")] {
        let seen = look(&app, &viewer, &typed).await.expect(200);
        assert_eq!((&seen["user_code"], &seen["name"]), (&json!(code), &json!("terarchitect on laptop")));
        assert!(seen["address"].as_str().unwrap().starts_with("127."), "{seen}");
    }
    decide(&app, &viewer, &program, "approve").await.expect(200);
    wait(&app).await;
    let granted = ask(&app, &program).await;
    assert_eq!(
        (&granted["state"], &granted["email"], &granted["role"]),
        (&json!("approved"), &json!("viewer@example.com"), &json!("viewer"))
    );
    let token = granted["token"].as_str().unwrap();
    app.request(Method::GET, "/api/projects", Some(token), None).await.expect(200);
    let body = json!({"name": "Mine"});
    let refused = app.request(Method::POST, "/api/projects", Some(token), Some(&body)).await;
    assert_eq!(refused.error(403), "not_allowed");
    // It is one of the person's tokens, and the audit knows both steps.
    let tokens = app.send(Method::GET, "/api/tokens", &[("cookie", &viewer)], None).await.expect(200);
    assert_eq!(
        (&tokens[0]["id"], &tokens[0]["name"], &tokens[0]["expires_at"]),
        (&granted["token_id"], &json!("terarchitect on laptop"), &Value::Null)
    );
    let audit = app.as_admin().get("/api/audit?actor=person").await.expect(200);
    let kinds: Vec<_> = audit["entries"].as_array().unwrap().iter().map(|entry| &entry["kind"]).collect();
    assert_eq!(kinds, ["token.created", "login.approved"]);
    assert!(audit["entries"][1]["sentence"].as_str().unwrap().contains("let terarchitect on laptop at 127."));
    // Once.
    assert_eq!(ask(&app, &program).await["state"], "expired");
    assert_eq!(decide(&app, &viewer, &program, "approve").await.error(410), "code_used_or_expired");
    assert_eq!(look(&app, &viewer, code).await.error(410), "code_used_or_expired");
    let begun = "select failures from sign_in_failures where subject like 'device-login:%'";
    let failures: i32 = sqlx::query_scalar(begun).fetch_one(&app.pool).await.unwrap();
    assert_eq!(failures, 0, "what a person approved slows no one");
}

#[tokio::test]
async fn the_database_knows_neither_code() {
    let app = TestApp::start_guarded().await;
    let program = begin(&app).await;
    let row: String =
        sqlx::query_scalar("select device_logins::text from device_logins").fetch_one(&app.pool).await.unwrap();
    for code in [&program.device_code, &program.user_code, &program.user_code.replace('-', "")] {
        assert!(!row.contains(code.as_str()), "{row}");
    }
}

#[tokio::test]
async fn a_denied_program_gets_nothing_and_the_decision_stands() {
    let app = TestApp::start_guarded().await;
    let admin = app.person("admin@example.com", "admin", &[]).await;
    let program = begin(&app).await;
    decide(&app, &admin, &program, "deny").await.expect(200);
    assert_eq!(ask(&app, &program).await["state"], "denied");
    assert_eq!(decide(&app, &admin, &program, "approve").await.error(410), "code_used_or_expired");
    assert_eq!(ask(&app, &program).await["state"], "denied");
    let audit = app.as_admin().get("/api/audit?kind=login.denied").await.expect(200);
    assert_eq!(audit["entries"].as_array().unwrap().len(), 1);
    // Who may no longer sign in lets no one in.
    let program = begin(&app).await;
    decide(&app, &admin, &program, "approve").await.expect(200);
    sql(&app, "update people set disabled_at = now()").await;
    assert_eq!(ask(&app, &program).await["state"], "denied");
    let tokens: i64 = sqlx::query_scalar("select count(*) from api_tokens").fetch_one(&app.pool).await.unwrap();
    assert_eq!(tokens, 0);
}

#[tokio::test]
async fn a_code_ends_after_ten_minutes_and_unknown_ones_say_the_same_to_programs() {
    let app = TestApp::start_guarded().await;
    let member = app.person("member@example.com", "member", &[]).await;
    let program = begin(&app).await;
    let approved = begin(&app).await;
    decide(&app, &member, &approved, "approve").await.expect(200);
    sql(&app, "update device_logins set expires_at = now()").await;
    assert_eq!(ask(&app, &program).await["state"], "expired");
    assert_eq!(ask(&app, &approved).await["state"], "expired");
    assert_eq!(decide(&app, &member, &program, "approve").await.error(410), "code_used_or_expired");
    let unknown = Program { device_code: "unknown".to_owned(), user_code: String::new() };
    assert_eq!(ask(&app, &unknown).await["state"], "expired");
    // Its row goes, a while later.
    sql(&app, "update device_logins set expires_at = now() - interval '2 hours'").await;
    terarchitect_api::db::people::device_logins::delete_old(&mut app.pool.acquire().await.unwrap()).await.unwrap();
    let left: i64 = sqlx::query_scalar("select count(*) from device_logins").fetch_one(&app.pool).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn of_two_questions_at_once_one_gets_the_token() {
    let app = TestApp::start_guarded().await;
    let member = app.person("member@example.com", "member", &[]).await;
    let program = begin(&app).await;
    decide(&app, &member, &program, "approve").await.expect(200);
    let asked = futures::future::join_all((0..8).map(|_| ask(&app, &program))).await;
    assert_eq!(asked.iter().filter(|answer| answer["token"].is_string()).count(), 1, "{asked:?}");
}

#[tokio::test]
async fn who_asks_too_often_has_to_wait_longer() {
    let app = TestApp::start_guarded().await;
    let program = begin(&app).await;
    assert_eq!(ask(&app, &program).await["state"], "pending");
    let early = ask(&app, &program).await;
    assert_eq!((&early["state"], &early["interval"]), (&json!("slow_down"), &json!(10)));
    assert_eq!(ask(&app, &program).await["interval"], 15);
    wait(&app).await;
    let later = ask(&app, &program).await;
    assert_eq!((&later["state"], &later["interval"]), (&json!("pending"), &json!(15)));
}

#[tokio::test]
async fn wrong_codes_and_many_sign_ins_are_slowed() {
    let app = TestApp::start_guarded().await;
    let member = app.person("member@example.com", "member", &[]).await;
    let other = app.person("other@example.com", "member", &[]).await;
    let program = begin(&app).await;
    for wrong in ["BBBB-BBBB", "what?", "cccccccc", "DDDD-DDDD", "FFFF-FFFF"] {
        assert_eq!(look(&app, &member, wrong).await.error(404), "not_found");
    }
    // Now even the right one has to wait, for this person alone.
    for reply in [look(&app, &member, &program.user_code).await, decide(&app, &member, &program, "approve").await] {
        assert_eq!(reply.error(429), "slow_down");
    }
    look(&app, &other, &program.user_code).await.expect(200);
    sql(&app, "update sign_in_failures set last_at = now() - interval '2 minutes'").await;
    look(&app, &member, &program.user_code).await.expect(200);
    // No one knows who begins a sign-in, so its address is what counts.
    for _ in 0..19 {
        begin(&app).await;
    }
    let body = json!({"name": "one more"});
    assert_eq!(app.anonymous().post("/api/device-logins", body).await.error(429), "slow_down");
}

#[tokio::test]
async fn a_person_in_a_browser_decides_and_nothing_else_can() {
    let app = TestApp::start_guarded().await;
    let admin = app.person("admin@example.com", "admin", &[]).await;
    let program = begin(&app).await;
    let made = json!({"name": "a token", "scope": "app", "role": "admin"});
    let made = app.send(Method::POST, "/api/tokens", &[("cookie", &admin)], Some(made)).await.expect(201);
    let path = format!("/api/device-logins/{}", program.user_code);
    for key in [ADMIN_KEY, made["token"].as_str().unwrap()] {
        for (method, path) in [
            (Method::GET, path.clone()),
            (Method::POST, format!("{path}/approve")),
            (Method::POST, format!("{path}/deny")),
        ] {
            assert_eq!(app.request(method, &path, Some(key), None).await.error(403), "not_allowed");
        }
    }
    assert_eq!(app.anonymous().get(&path).await.error(401), "unauthorized");
    let foreign = [("cookie", admin.as_str()), ("origin", "https://evil.example")];
    let reply = app.send(Method::POST, &format!("{path}/approve"), &foreign, None).await;
    assert_eq!(reply.error(403), "foreign_origin");
    assert_eq!(ask(&app, &program).await["state"], "pending");
    // A token of login is for everything, which a person of single projects has no role for.
    let project = app.as_admin().post("/api/projects", json!({"name": "Mine"})).await.expect(201);
    let some = app.person("some@example.com", "none", &[(project["id"].as_str().unwrap(), "member")]).await;
    let refused = decide(&app, &some, &program, "approve").await;
    assert!(refused.body["error"].as_str().unwrap().contains("--token"), "{}", refused.body);
    assert_eq!(refused.error(403), "not_allowed");
    decide(&app, &some, &program, "deny").await.expect(200);
}

#[tokio::test]
async fn a_name_that_misleads_is_refused() {
    let app = TestApp::start_guarded().await;
    for name in ["", "a\u{202e}b", "a\nb", &"x".repeat(101)] {
        let reply = app.anonymous().post("/api/device-logins", json!({"name": name})).await;
        assert_eq!(reply.error(400), "invalid_field", "{name:?}");
    }
}
