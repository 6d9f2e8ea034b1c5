//! Stories of people: how the first one gets in, how others follow, and what ends.

use crate::support::{ADMIN_KEY, Reply, TestApp};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::time::Duration;
use terarchitect_api::actions::people::links::make_first_admin_link;
use terarchitect_api::state::AppConfig;

const PASSWORD: &str = "correct horse battery";

/// A response with the cookie that it sets.
async fn with_cookie(app: &TestApp, path: &str, body: Value) -> (u16, Value, String) {
    let response = app.http().post(format!("{}{path}", app.base)).json(&body).send().await.unwrap();
    let cookie =
        response.headers().get("set-cookie").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or_default(), cookie)
}

/// The part of a cookie that a browser sends back.
fn sent(cookie: &str) -> String {
    cookie.split(';').next().unwrap().to_owned()
}

/// The secret of a link.
fn secret(link: &Value) -> String {
    link.as_str().unwrap().split_once("/link#").unwrap().1.to_owned()
}

async fn with(app: &TestApp, cookie: &str, method: Method, path: &str, body: Option<Value>) -> Reply {
    app.send(method, path, &[("cookie", cookie)], body).await
}

async fn get(app: &TestApp, cookie: &str, path: &str) -> Reply {
    with(app, cookie, Method::GET, path, None).await
}

/// An API without keys whose first admin has joined; returns the admin's cookie.
async fn with_admin() -> (TestApp, String) {
    let app = TestApp::start().await;
    let link = make_first_admin_link(&app.database()).await.unwrap().unwrap();
    let body = json!({"token": link.text(), "email": "Ada@Example.com", "name": "Ada", "password": PASSWORD});
    let (status, session, cookie) = with_cookie(&app, "/api/links/use", body).await;
    assert_eq!(status, 200, "{session}");
    (app, sent(&cookie))
}

async fn project(app: &TestApp, cookie: &str, name: &str) -> String {
    let body = json!({"name": name, "github_url": "https://github.com/demo/hello", "is_existing_repo": true});
    let made = with(app, cookie, Method::POST, "/api/projects", Some(body)).await.expect(201);
    format!("/api/projects/{}", made["id"].as_str().unwrap())
}

#[tokio::test]
async fn the_first_admins_link_works_once_and_closes_the_api_to_its_machine() {
    let app = TestApp::start().await;
    let now = app.get("/api/session").await.expect(200);
    assert_eq!((&now["as"], &now["role"], &now["needs_first_admin"]), (&json!("local"), &json!("admin"), &json!(true)));
    let void = make_first_admin_link(&app.database()).await.unwrap().unwrap();
    let link = make_first_admin_link(&app.database()).await.unwrap().unwrap();
    let look = async |token: &str| app.post("/api/links/look", json!({"token": token})).await;
    assert_eq!(look(void.text()).await.error(410), "link_used_or_expired");
    assert_eq!(look(link.text()).await.expect(200)["kind"], "first_admin");
    let body = json!({"token": link.text(), "email": "Ada@Example.com", "password": "short"});
    assert_eq!(app.post("/api/links/use", body).await.error(400), "invalid_field");
    let body = json!({"token": link.text(), "email": "Ada@Example.com", "password": PASSWORD});
    let (status, session, cookie) = with_cookie(&app, "/api/links/use", body.clone()).await;
    assert_eq!(
        (status, &session["person"]["email"], &session["role"]),
        (200, &json!("ada@example.com"), &json!("admin"))
    );
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "{cookie}");
    assert_eq!(app.post("/api/links/use", body).await.error(410), "link_used_or_expired");
    assert!(make_first_admin_link(&app.database()).await.unwrap().is_none());
    // From now on the machine needs to sign in as well; its coordinators do not.
    assert_eq!(app.get("/api/projects").await.error(401), "unauthorized");
    app.post("/api/worker/jobs/start", json!({})).await.expect(204);
    get(&app, &sent(&cookie), "/api/projects").await.expect(200);
    let stored: (i64,) =
        sqlx::query_as("select count(*) from sessions where encode(hash, 'escape') like '%' || $1 || '%'")
            .bind(sent(&cookie).split('=').nth(1).unwrap())
            .fetch_one(&app.pool)
            .await
            .unwrap();
    assert_eq!(stored.0, 0);
}

#[tokio::test]
async fn signing_out_ends_the_session_on_the_server() {
    let (app, first) = with_admin().await;
    let body = json!({"email": " ADA@example.com ", "password": PASSWORD});
    let (status, _, second) = with_cookie(&app, "/api/session", body).await;
    assert_eq!(status, 200);
    let second = sent(&second);
    let sessions = get(&app, &second, "/api/sessions").await.expect(200);
    assert_eq!(sessions.as_array().unwrap().len(), 2);
    assert_eq!(sessions.as_array().unwrap().iter().filter(|session| session["current"] == true).count(), 1);
    with(&app, &second, Method::DELETE, "/api/session", None).await.expect(200);
    assert_eq!(get(&app, &second, "/api/projects").await.error(401), "unauthorized");
    assert_eq!(get(&app, &second, "/api/session").await.expect(200)["signed_in"], false);
    // Another session is ended from the list, and a new password ends all others.
    let (_, _, third) =
        with_cookie(&app, "/api/session", json!({"email": "ada@example.com", "password": PASSWORD})).await;
    let third = sent(&third);
    let change = json!({"password": "another horse battery", "current_password": "wrong horse battery"});
    assert_eq!(with(&app, &first, Method::PATCH, "/api/session", Some(change)).await.error(401), "wrong_credentials");
    let change = json!({"name": "Ada L.", "password": "another horse battery", "current_password": PASSWORD});
    let changed = with(&app, &first, Method::PATCH, "/api/session", Some(change)).await.expect(200);
    assert_eq!(changed["person"]["name"], "Ada L.");
    assert_eq!(get(&app, &third, "/api/projects").await.error(401), "unauthorized");
    get(&app, &first, "/api/projects").await.expect(200);
}

#[tokio::test]
async fn failed_sign_ins_slow_down_and_say_nothing_about_accounts() {
    let (app, admin) = with_admin().await;
    let try_as = async |email: &str, password: &str| {
        app.post("/api/session", json!({"email": email, "password": password})).await
    };
    let wrong = try_as("ada@example.com", "wrong").await;
    let unknown = try_as("nobody@example.com", "wrong").await;
    assert_eq!((wrong.status, &wrong.body["error"]), (unknown.status, &unknown.body["error"]));
    assert_eq!(wrong.error(401), "wrong_credentials");
    for _ in 0..4 {
        assert_eq!(try_as("ada@example.com", "wrong").await.error(401), "wrong_credentials");
    }
    let response = app.http().post(format!("{}/api/session", app.base));
    let response = response.json(&json!({"email": "ada@example.com", "password": PASSWORD})).send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "1");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["code"], "slow_down");
    // Who has a session goes on, and after the wait the right password works and forgets the failures.
    get(&app, &admin, "/api/projects").await.expect(200);
    sqlx::query("update sign_in_failures set last_at = now() - interval '2 minutes'").execute(&app.pool).await.unwrap();
    try_as("ada@example.com", PASSWORD).await.expect(200);
    assert_eq!(try_as("ada@example.com", "wrong").await.error(401), "wrong_credentials");
    // Many accounts from one address are slowed by the address.
    sqlx::query("update sign_in_failures set failures = 25, last_at = now() where subject like 'address:%'")
        .execute(&app.pool)
        .await
        .unwrap();
    assert_eq!(try_as("someone@example.com", "wrong").await.error(429), "slow_down");
    let audit = get(&app, &admin, "/api/audit?kind=sign_in").await.expect(200);
    assert!(audit["entries"].as_array().unwrap().len() >= 6, "{audit}");
    assert_eq!(audit["entries"][0]["actor"]["kind"], "unknown");
}

#[tokio::test]
async fn an_invitation_makes_a_person_once_with_the_role_that_it_says() {
    let (app, admin) = with_admin().await;
    let project = project(&app, &admin, "Mine").await;
    let id = project.rsplit('/').next().unwrap();
    let invite = async |body: Value| with(&app, &admin, Method::POST, "/api/invitations", Some(body)).await;
    assert_eq!(invite(json!({"role": "admin", "project_id": id})).await.error(400), "invalid_field");
    assert_eq!(invite(json!({"role": "viewer", "email": "ada@example.com"})).await.error(409), "email_taken");
    let made = invite(json!({"email": "Bob@example.com", "role": "member", "project_id": id})).await.expect(201);
    assert!(made["link"].as_str().unwrap().starts_with(&app.base), "{made}");
    let token = secret(&made["link"]);
    let look = app.post("/api/links/look", json!({"token": token})).await.expect(200);
    assert_eq!(
        (&look["kind"], &look["email"], &look["role"], &look["project_name"]),
        (&json!("invitation"), &json!("bob@example.com"), &json!("member"), &json!("Mine"))
    );
    let listed = get(&app, &admin, "/api/invitations").await.expect(200);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert!(listed[0].get("link").is_none());
    // The address of the invitation counts, whatever is sent.
    let body = json!({"token": token, "email": "mallory@example.com", "name": "Bob", "password": PASSWORD});
    let (status, session, cookie) = with_cookie(&app, "/api/links/use", body.clone()).await;
    assert_eq!(
        (status, &session["person"]["email"], &session["role"]),
        (200, &json!("bob@example.com"), &json!("none"))
    );
    assert_eq!(session["person"]["projects"], json!([{"project_id": id, "role": "member"}]));
    assert_eq!(app.post("/api/links/use", body).await.error(410), "link_used_or_expired");
    let new = json!({"title": "By Bob", "column_id": "backlog"});
    with(&app, &sent(&cookie), Method::POST, &format!("{project}/tickets"), Some(new)).await.expect(201);
    let back = invite(json!({"role": "viewer"})).await.expect(201);
    let path = format!("/api/invitations/{}", back["id"].as_str().unwrap());
    with(&app, &admin, Method::DELETE, &path, None).await.expect(200);
    let gone = app.post("/api/links/look", json!({"token": secret(&back["link"])})).await;
    assert_eq!(gone.error(410), "link_used_or_expired");
}

#[tokio::test]
async fn role_changes_hold_at_once_also_for_open_sessions_and_streams() {
    let (app, admin) = with_admin().await;
    let project = project(&app, &admin, "Mine").await;
    let id = project.rsplit('/').next().unwrap();
    let bob = app.person("bob@example.com", "member", &[]).await;
    let person: (uuid::Uuid,) =
        sqlx::query_as("select id from people where email = 'bob@example.com'").fetch_one(&app.pool).await.unwrap();
    let change =
        async |body: Value| with(&app, &admin, Method::PATCH, &format!("/api/people/{}", person.0), Some(body)).await;
    let new_ticket = async || {
        let new = json!({"title": "By Bob", "column_id": "backlog"});
        with(&app, &bob, Method::POST, &format!("{project}/tickets"), Some(new)).await
    };
    new_ticket().await.expect(201);
    let request = app.http().get(format!("{}/api/events", app.base)).header("cookie", &bob);
    let mut stream = request.header("accept", "text/event-stream").send().await.unwrap();
    assert_eq!(stream.status(), 200);
    stream.chunk().await.unwrap().expect("a greeting");
    change(json!({"projects": [{"project_id": id, "role": "viewer"}]})).await.expect(200);
    let refused = new_ticket().await;
    assert!(refused.body["error"].as_str().unwrap().contains("role member"), "{}", refused.body);
    assert_eq!(refused.error(403), "not_allowed");
    let end = async {
        while let Some(chunk) = stream.chunk().await.unwrap() {
            let text = String::from_utf8_lossy(&chunk).into_owned();
            assert!(!text.contains("person.changed"), "{text}");
        }
    };
    tokio::time::timeout(Duration::from_secs(20), end).await.expect("the stream ends when rights change");
    change(json!({"role": "none", "projects": []})).await.expect(200);
    assert_eq!(new_ticket().await.error(404), "not_found");
    change(json!({"role": "admin"})).await.expect(200);
    new_ticket().await.expect(201);
    get(&app, &bob, "/api/people").await.expect(200);
    change(json!({"disabled": true})).await.expect(200);
    assert_eq!(new_ticket().await.error(401), "unauthorized");
}

#[tokio::test]
async fn the_audit_forgets_what_is_old_and_nothing_else() {
    let app = TestApp::start().await;
    let entries = "insert into audit (at, actor, kind)
        select now() - interval '1 day' * (1500 - n), 'local', 'token.created' from generate_series(1, 1500) as n";
    sqlx::query(entries).execute(&app.pool).await.unwrap();
    let keep = Duration::from_secs(400 * 86_400);
    terarchitect_api::background::delete_old_audit(&app.database(), keep, Duration::ZERO).await.unwrap();
    let (left, oldest): (i64, bool) =
        sqlx::query_as("select count(*), min(at) > now() - interval '401 days' from audit")
            .fetch_one(&app.pool)
            .await
            .unwrap();
    assert_eq!((left, oldest), (400, true));
}

#[tokio::test]
async fn the_last_admin_stays() {
    let (app, admin) = with_admin().await;
    let me = get(&app, &admin, "/api/session").await.expect(200)["person"]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/people/{me}");
    for body in [json!({"role": "member"}), json!({"disabled": true})] {
        assert_eq!(with(&app, &admin, Method::PATCH, &path, Some(body)).await.error(409), "last_admin");
    }
    assert_eq!(with(&app, &admin, Method::DELETE, &path, None).await.error(409), "last_admin");
    get(&app, &admin, "/api/people").await.expect(200);
    app.person("bob@example.com", "admin", &[]).await;
    with(&app, &admin, Method::DELETE, &path, None).await.expect(200);
    assert_eq!(get(&app, &admin, "/api/people").await.error(401), "unauthorized");
}

#[tokio::test]
async fn two_admins_who_demote_each_other_at_once_leave_one() {
    let (app, ada) = with_admin().await;
    let bob = app.person("bob@example.com", "admin", &[]).await;
    let people = get(&app, &ada, "/api/people").await.expect(200);
    let id = |email: &str| {
        let person = people.as_array().unwrap().iter().find(|person| person["email"] == email).unwrap();
        format!("/api/people/{}", person["id"].as_str().unwrap())
    };
    let (of_ada, of_bob) = (id("ada@example.com"), id("bob@example.com"));
    let demote = json!({"role": "viewer"});
    let (one, other) = tokio::join!(
        with(&app, &ada, Method::PATCH, &of_bob, Some(demote.clone())),
        with(&app, &bob, Method::PATCH, &of_ada, Some(demote.clone()))
    );
    let admins: (i64,) =
        sqlx::query_as("select count(*) from people where role = 'admin'").fetch_one(&app.pool).await.unwrap();
    assert_eq!(admins.0, 1, "{one:?} {other:?}");
}

#[tokio::test]
async fn a_reset_link_replaces_the_password_and_ends_every_session() {
    let (app, admin) = with_admin().await;
    let me = get(&app, &admin, "/api/session").await.expect(200)["person"]["id"].as_str().unwrap().to_owned();
    let reset = async || with(&app, &admin, Method::POST, &format!("/api/people/{me}/reset"), None).await.expect(200);
    let (void, made) = (reset().await, reset().await);
    let gone = app.post("/api/links/look", json!({"token": secret(&void["link"])})).await;
    assert_eq!(gone.error(410), "link_used_or_expired");
    let body = json!({"token": secret(&made["link"]), "password": "another horse battery"});
    let (status, _, cookie) = with_cookie(&app, "/api/links/use", body).await;
    assert_eq!(status, 200);
    assert_eq!(get(&app, &admin, "/api/people").await.error(401), "unauthorized");
    get(&app, &sent(&cookie), "/api/people").await.expect(200);
    let old = app.post("/api/session", json!({"email": "ada@example.com", "password": PASSWORD})).await;
    assert_eq!(old.error(401), "wrong_credentials");
}

#[tokio::test]
async fn tokens_are_shown_once_end_in_time_and_are_never_more_than_their_owner() {
    let (app, admin) = with_admin().await;
    let project = project(&app, &admin, "Mine").await;
    let id = project.rsplit('/').next().unwrap();
    let bob = app.person("bob@example.com", "none", &[(id, "member")]).await;
    let make = async |cookie: &str, body: Value| with(&app, cookie, Method::POST, "/api/tokens", Some(body)).await;
    for (body, code) in [
        (json!({"name": "x", "scope": "worker"}), "not_allowed"),
        (json!({"name": "x", "scope": "app", "role": "viewer"}), "not_allowed"),
        (json!({"name": "x", "scope": "app", "role": "admin"}), "not_allowed"),
    ] {
        assert_eq!(make(&bob, body).await.error(403), code);
    }
    let made =
        make(&bob, json!({"name": "ci", "scope": "app", "role": "member", "project_id": id, "expires_in_sec": 60}));
    let made = made.await.expect(201);
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("tat_") && token.starts_with(made["prefix"].as_str().unwrap()), "{made}");
    let by_token = async |path: &str| app.request(Method::GET, path, Some(token), None).await;
    assert_eq!(by_token("/api/projects").await.expect(200).as_array().unwrap().len(), 1);
    let session = by_token("/api/session").await.expect(200);
    assert_eq!((&session["as"], &session["role"]), (&json!("token"), &json!("none")));
    let listed = get(&app, &bob, "/api/tokens").await.expect(200);
    assert!(listed[0]["last_used_at"].is_string() && listed[0].get("token").is_none(), "{listed}");
    // A token makes no tokens, and is what its owner is.
    let body = json!({"name": "y", "scope": "app", "role": "member", "project_id": id});
    assert_eq!(app.request(Method::POST, "/api/tokens", Some(token), Some(&body)).await.error(403), "not_allowed");
    let events =
        app.request(Method::POST, &format!("{project}/notes"), Some(token), Some(&json!({"title": "n"}))).await;
    events.expect(201);
    sqlx::query("update project_roles set role = 'viewer'").execute(&app.pool).await.unwrap();
    let refused =
        app.request(Method::POST, &format!("{project}/notes"), Some(token), Some(&json!({"title": "n"}))).await;
    assert_eq!(refused.error(403), "not_allowed");
    let audit = get(&app, &admin, "/api/audit?actor=token").await.expect(200);
    assert_eq!(audit["entries"][0]["actor"]["name"], "ci");
    sqlx::query("update api_tokens set expires_at = now()").execute(&app.pool).await.unwrap();
    assert_eq!(by_token("/api/projects").await.error(401), "unauthorized");
    // A worker's token works as the worker key, until it is revoked, which also its admin may do.
    let made = make(&admin, json!({"name": "host", "scope": "worker"})).await.expect(201);
    let worker = made["token"].as_str().unwrap();
    let start = async || app.request(Method::POST, "/api/worker/jobs/start", Some(worker), Some(&json!({}))).await;
    start().await.expect(204);
    let path = format!("/api/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(with(&app, &bob, Method::DELETE, &path, None).await.error(404), "not_found");
    with(&app, &admin, Method::DELETE, &path, None).await.expect(200);
    assert_eq!(start().await.error(401), "unauthorized");
}

#[tokio::test]
async fn a_page_of_another_origin_gets_nothing_with_a_cookie() {
    let (app, admin) = with_admin().await;
    let own = app.base.clone();
    let body = json!({"name": "x", "github_url": "https://github.com/demo/hello", "is_existing_repo": true});
    let send = async |method: Method, headers: &[(&str, &str)]| {
        let headers: Vec<_> = headers.iter().copied().chain([("cookie", admin.as_str())]).collect();
        let body = (method == Method::POST).then(|| body.clone());
        app.send(method, "/api/projects", &headers, body).await
    };
    for foreign in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:1")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site")],
    ] {
        assert_eq!(send(Method::POST, foreign).await.error(403), "foreign_origin", "{foreign:?}");
        assert_eq!(send(Method::GET, foreign).await.error(403), "foreign_origin", "{foreign:?}");
    }
    send(Method::POST, &[("origin", &own), ("sec-fetch-site", "same-origin")]).await.expect(201);
    send(Method::POST, &[]).await.expect(201);
    // Signing in as someone else is no way for a page either.
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let foreign = [("origin", "https://evil.example")];
    let refused = app.send(Method::POST, "/api/session", &foreign, Some(body)).await;
    assert_eq!(refused.error(403), "foreign_origin");
}

#[tokio::test]
async fn a_public_address_makes_cookies_secure_and_its_pages_own() {
    let public_url = Some("https://board.example".parse().unwrap());
    let app = TestApp::start_with(AppConfig { public_url, ..AppConfig::default() }).await;
    // Anyone may come through a proxy of this machine: no one is let in for being here.
    assert_eq!(app.get("/api/projects").await.error(401), "unauthorized");
    assert_eq!(app.post("/api/worker/jobs/start", json!({})).await.error(401), "unauthorized");
    let link = make_first_admin_link(&app.database()).await.unwrap().unwrap();
    let body = json!({"token": link.text(), "email": "ada@example.com", "password": PASSWORD});
    let request = app.http().post(format!("{}/api/links/use", app.base)).header("origin", "https://board.example");
    let response = request.header("x-forwarded-for", "203.0.113.7").json(&body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.ends_with("; Secure"), "{cookie}");
    let sessions = get(&app, &sent(&cookie), "/api/sessions").await.expect(200);
    assert_eq!(sessions[0]["address"], "203.0.113.7");
}

#[tokio::test]
async fn a_member_of_another_project_sees_nothing_anywhere() {
    let (app, admin) = with_admin().await;
    app.may_leave_jobs_live();
    let (secret, own) = (project(&app, &admin, "Secret").await, project(&app, &admin, "Own").await);
    let new = json!({"title": "Hidden words", "column_id": "in_progress"});
    let ticket = with(&app, &admin, Method::POST, &format!("{secret}/tickets"), Some(new)).await.expect(201);
    let ticket = format!("{secret}/tickets/{}", ticket["id"].as_str().unwrap());
    app.post("/api/worker/heartbeat", json!({"worker_id": "host", "jobs": []})).await.expect(200);
    let bob = app.person("bob@example.com", "none", &[(&own, "member")]).await;
    let job: (uuid::Uuid,) = sqlx::query_as("select id from agent_jobs").fetch_one(&app.pool).await.unwrap();
    let projects = get(&app, &bob, "/api/projects").await.expect(200);
    assert_eq!(projects.as_array().unwrap().len(), 1);
    let id = ticket.rsplit('/').next().unwrap();
    let project_id = secret.rsplit('/').next().unwrap();
    for query in
        ["".to_owned(), format!("?project_id={project_id}"), format!("?ticket_id={id}"), "?status=pending".to_owned()]
    {
        assert_eq!(get(&app, &bob, &format!("/api/jobs{query}")).await.expect(200)["jobs"], json!([]), "{query}");
        assert_eq!(
            get(&app, &admin, &format!("/api/jobs{query}")).await.expect(200)["jobs"].as_array().unwrap().len(),
            1
        );
    }
    assert_eq!(get(&app, &bob, "/api/coordinators").await.expect(200), json!([]));
    for query in [
        "limit=1000".to_owned(),
        format!("project_id={project_id}"),
        "kind=person".to_owned(),
        "kind=coordinator".to_owned(),
    ] {
        let events = get(&app, &bob, &format!("/api/events?{query}")).await.expect(200).to_string();
        assert!(!events.contains("Hidden") && !events.contains(project_id) && !events.contains("@example"), "{events}");
        assert!(!events.contains("host"), "{events}");
    }
    // By id there is nothing either, in the same words as for what does not exist.
    let nothing = "00000000-0000-0000-0000-000000000000";
    for (hidden, missing) in [
        (secret.clone(), format!("/api/projects/{nothing}")),
        (ticket.clone(), format!("/api/projects/{nothing}/tickets/{id}")),
        (format!("/api/jobs/{}", job.0), format!("/api/jobs/{nothing}")),
        // A ticket of another project by way of the own one.
        (format!("{own}/tickets/{id}"), format!("{own}/tickets/{nothing}")),
    ] {
        let (hidden, missing) = (get(&app, &bob, &hidden).await, get(&app, &bob, &missing).await);
        let words = |reply: &Reply| {
            let text = reply.body["error"].as_str().unwrap().to_owned();
            text.split(' ').take(4).collect::<Vec<_>>().join(" ")
        };
        assert_eq!((hidden.status.as_u16(), words(&hidden)), (404, words(&missing)));
    }
    // The stream says nothing of it, and says what is the person's own.
    let request = app.http().get(format!("{}/api/events?after=start", app.base)).header("cookie", &bob);
    let mut stream = request.header("accept", "text/event-stream").send().await.unwrap();
    let new = json!({"title": "Hidden again", "column_id": "backlog"});
    with(&app, &admin, Method::POST, &format!("{secret}/tickets"), Some(new)).await.expect(201);
    let new = json!({"title": "To be seen", "column_id": "backlog"});
    with(&app, &admin, Method::POST, &format!("{own}/tickets"), Some(new)).await.expect(201);
    let mut text = String::new();
    while !text.contains("To be seen") {
        let chunk = tokio::time::timeout(Duration::from_secs(20), stream.chunk()).await.expect("in time").unwrap();
        text.push_str(std::str::from_utf8(&chunk.expect("the stream goes on")).unwrap());
    }
    assert!(!text.contains("Hidden") && !text.contains(project_id) && !text.contains("ada@example"), "{text}");
}

#[tokio::test]
async fn the_audit_says_who_did_what_and_exports_no_formulas() {
    let app = TestApp::start_guarded().await;
    app.as_admin()
        .post(
            "/api/projects",
            json!({"name": "=1+1", "is_existing_repo": true, "github_url": "https://github.com/a/b"}),
        )
        .await
        .expect(201);
    let ada = app.person("ada@example.com", "admin", &[]).await;
    let put = with(&app, &ada, Method::PUT, "/api/settings", Some(json!({"MAX_CONCURRENT_AGENTS": 2}))).await;
    put.expect(200);
    app.as_worker().post("/api/worker/heartbeat", json!({"worker_id": "host", "jobs": []})).await.expect(200);
    let all = app.as_admin().get("/api/audit").await.expect(200);
    let entries = all["entries"].as_array().unwrap();
    let said: Vec<_> = entries.iter().map(|entry| entry["sentence"].as_str().unwrap()).collect();
    assert_eq!(
        said,
        ["ada@example.com changed settings: MAX_CONCURRENT_AGENTS.", "The application's key created the project =1+1."]
    );
    assert_eq!((&entries[1]["actor"]["kind"], &entries[0]["actor"]["kind"]), (&json!("api-key"), &json!("person")));
    let page = app.as_admin().get("/api/audit?limit=1").await.expect(200);
    assert_eq!(page["older"], true);
    let before = page["entries"][0]["seq"].as_i64().unwrap();
    let rest = app.as_admin().get(&format!("/api/audit?before={before}&until=2100-01-01T00:00:00Z")).await.expect(200);
    assert_eq!((rest["entries"].as_array().unwrap().len(), &rest["older"]), (1, &json!(false)));
    let only = app.as_admin().get("/api/audit?actor=person&kind=settings").await.expect(200);
    assert_eq!(only["entries"].as_array().unwrap().len(), 1);
    assert_eq!(app.as_admin().get("/api/audit?kind=nonsense").await.error(400), "invalid_query");
    let request = app.http().get(format!("{}/api/audit?format=csv", app.base)).bearer_auth(ADMIN_KEY);
    let response = request.send().await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/csv"));
    let csv = response.text().await.unwrap();
    assert_eq!(csv.lines().count(), 3, "{csv}");
    assert!(csv.contains("\"api-key\",\"\",\"The application's key\",\"project.created\""), "{csv}");
    // Who may not read it may not export it.
    let bob = app.person("bob@example.com", "member", &[]).await;
    assert_eq!(get(&app, &bob, "/api/audit?format=csv").await.error(403), "not_allowed");
}

/// With a key and people, the key is an admin as before, and a cookie works beside it.
#[tokio::test]
async fn the_applications_key_goes_on_as_an_admin() {
    let app =
        TestApp::start_with(AppConfig { api_key: Some(SecretString::from(ADMIN_KEY)), ..AppConfig::default() }).await;
    let made = app.as_admin().post("/api/invitations", json!({"role": "viewer"})).await.expect(201);
    let body = json!({"token": secret(&made["link"]), "email": "bob@example.com", "password": PASSWORD});
    let (_, _, bob) = with_cookie(&app, "/api/links/use", body).await;
    let session = app.as_admin().get("/api/session").await.expect(200);
    assert_eq!(
        (&session["as"], &session["role"], &session["person"]),
        (&json!("api_key"), &json!("admin"), &Value::Null)
    );
    app.as_admin().get("/api/people").await.expect(200);
    assert_eq!(get(&app, &sent(&bob), "/api/people").await.error(403), "not_allowed");
    assert_eq!(app.anonymous().get("/api/people").await.error(401), "unauthorized");
}
