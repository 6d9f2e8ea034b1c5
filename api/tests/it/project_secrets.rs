//! Secrets of projects: sealed, shown to no one, and given to the runner that holds the job's token alone.

use crate::support::{ADMIN_KEY, Reply, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use terarchitect_api::actions::ActionError;
use terarchitect_api::actions::forges::credentials::check_sealed;
use terarchitect_api::sealing::Sealer;

const VALUE: &str = "hunter2-of-the-registry";

async fn set(app: &TestApp, project: &str, name: &str, body: Value) -> Reply {
    app.put(&format!("{project}/secrets/{name}"), body).await
}

/// The tables in which a row contains this text, in whatever column.
async fn tables_with(app: &TestApp, text: &str) -> Vec<String> {
    let names = "select table_name::text from information_schema.tables where table_schema = 'public'";
    let names: Vec<String> = sqlx::query_scalar(names).fetch_all(&app.pool).await.unwrap();
    assert!(names.iter().any(|name| name == "project_secrets"), "{names:?}");
    let mut found = Vec::new();
    for name in names {
        // Bytes are shown as text here, so that a value which was stored in the clear as bytes is found too.
        let sql = format!(
            "select exists (select from \"{name}\" as r where r::text like '%' || $1 || '%'
               or r::text like '%' || encode(convert_to($1, 'UTF8'), 'hex') || '%')"
        );
        if sqlx::query_scalar(AssertSqlSafe(sql)).bind(text).fetch_one(&app.pool).await.unwrap() {
            found.push(name);
        }
    }
    found
}

#[tokio::test]
async fn a_secret_is_sealed_listed_by_name_and_recorded_without_its_value() {
    let app = TestApp::start().await;
    let (project, other) = (app.project().await, app.project().await);
    assert_eq!(app.get(&format!("{project}/secrets")).await.expect(200), json!([]));
    let made = set(&app, &project, "NPM_TOKEN", json!({"value": VALUE})).await.expect(200);
    assert_eq!((&made["name"], &made["given_to_agent"]), (&json!("NPM_TOKEN"), &json!(false)));
    assert!(made["set_by"].is_string() && made["set_at"].is_string(), "{made}");
    set(&app, &project, "DATABASE_URL", json!({"value": "postgres://u:hunter2@db/test"})).await.expect(200);
    let listed = app.get(&format!("{project}/secrets")).await.expect(200);
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|secret| secret["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["DATABASE_URL", "NPM_TOKEN"]);
    assert_eq!(listed[1], made);
    assert_eq!(app.get(&format!("{other}/secrets")).await.expect(200), json!([]), "another project has none");

    // Replaced, with another mark.
    let again = json!({"value": "hunter2-replaced", "given_to_agent": true});
    let again = set(&app, &project, "NPM_TOKEN", again).await.expect(200);
    assert_eq!(again["given_to_agent"], true);
    let audit = app.get("/api/audit").await.expect(200);
    let sentence = audit["entries"][0]["sentence"].as_str().unwrap();
    assert!(sentence.ends_with("set the secret NPM_TOKEN of a project, and gave it to the agent."), "{sentence}");
    let events = app.get("/api/events?limit=100").await.expect(200);
    assert!(events.to_string().contains("secret.set"), "{events}");
    let export = app.get("/api/settings/export").await.expect(200);
    for shown in [&made, &listed, &again, &audit, &events, &export, &app.get(&project).await.expect(200)] {
        assert!(!shown.to_string().contains("hunter2"), "{shown}");
    }
    assert_eq!(tables_with(&app, "hunter2").await, Vec::<String>::new());
    assert_eq!(
        tables_with(&app, "DATABASE_URL").await,
        ["events", "audit", "project_secrets"],
        "the search finds what is there"
    );

    app.delete(&format!("{project}/secrets/NPM_TOKEN")).await.expect(200);
    assert_eq!(app.delete(&format!("{project}/secrets/NPM_TOKEN")).await.error(404), "not_found");
    let audit = app.get("/api/audit").await.expect(200);
    let sentence = audit["entries"][0]["sentence"].as_str().unwrap();
    assert!(sentence.ends_with("deleted the secret NPM_TOKEN of a project."), "{sentence}");
}

#[tokio::test]
async fn what_can_t_be_a_secret_is_refused_and_not_repeated() {
    let app = TestApp::start().await;
    let project = app.project().await;
    for (name, value, said) in [
        ("npm_token", VALUE.to_owned(), "capital letters"),
        ("1_TOKEN", VALUE.to_owned(), "no digit in front"),
        ("NPM-TOKEN", VALUE.to_owned(), "capital letters"),
        ("LD_PRELOAD", VALUE.to_owned(), "LD_PRELOAD means something"),
        ("PATH", VALUE.to_owned(), "PATH means something"),
        ("GIT_SSH_COMMAND", VALUE.to_owned(), "means something to the runner"),
        ("WORKER_API_KEY", VALUE.to_owned(), "means something to the runner"),
        ("NPM_TOKEN", "hunter2".to_owned(), "at least 8 characters"),
        ("NPM_TOKEN", VALUE.repeat(2_000), "larger than 32 KiB"),
    ] {
        let refused = set(&app, &project, name, json!({"value": value})).await;
        let text = refused.body.to_string();
        assert!(text.contains(said) && !text.contains("hunter2"), "{name}: {text}");
        assert_eq!(refused.error(400), "invalid_field");
    }
    let with_nul = json!({"value": format!("{VALUE}\0")});
    assert_eq!(set(&app, &project, "NPM_TOKEN", with_nul).await.error(422), "nul_character");
    assert_eq!(set(&app, &project, "NPM_TOKEN", json!({"given_to_agent": true})).await.error(422), "invalid_body");
    let misspelt = json!({"value": VALUE, "givenToAgent": true});
    assert_eq!(set(&app, &project, "NPM_TOKEN", misspelt).await.error(422), "invalid_body");
    let missing = format!("/api/projects/{}", uuid::Uuid::new_v4());
    assert_eq!(set(&app, &missing, "NPM_TOKEN", json!({"value": VALUE})).await.error(404), "not_found");
    assert_eq!(app.get(&format!("{missing}/secrets")).await.error(404), "not_found");
    assert_eq!(app.get(&format!("{project}/secrets")).await.expect(200), json!([]));
}

#[tokio::test]
async fn a_project_has_so_many_secrets_and_no_more() {
    let app = TestApp::start().await;
    let project = app.project().await;
    // However many ask for the last room at once, one gets it.
    for number in 0..99 {
        set(&app, &project, &format!("SECRET_{number}"), json!({"value": VALUE})).await.expect(200);
    }
    let several =
        (100..106).map(async |number| set(&app, &project, &format!("SECRET_{number}"), json!({"value": VALUE})).await);
    let several = futures::future::join_all(several).await;
    assert_eq!(several.iter().filter(|reply| reply.status == 200).count(), 1, "{several:?}");
    let refused = several.into_iter().find(|reply| reply.status != 200).unwrap();
    assert!(refused.body["error"].as_str().unwrap().contains("can't have more"), "{}", refused.body);
    assert_eq!(refused.error(400), "invalid_field");
    set(&app, &project, "SECRET_0", json!({"value": "replaced-by-this"})).await.expect(200);

    let large = app.project().await;
    let value = json!({"value": "x".repeat(32 * 1024)});
    for number in 0..3 {
        set(&app, &large, &format!("SECRET_{number}"), value.clone()).await.expect(200);
    }
    let refused = set(&app, &large, "SECRET_3", value.clone()).await;
    assert!(refused.body["error"].as_str().unwrap().contains("larger than 128 KiB"), "{}", refused.body);
    set(&app, &large, "SECRET_2", value).await.expect(200);
}

#[tokio::test]
async fn the_runner_that_holds_the_job_gets_the_values_and_no_one_else_does() {
    let app = TestApp::start_guarded().await;
    app.may_leave_jobs_live();
    let admin = async |method: Method, path: &str, body: Value| {
        app.request(method, path, Some(ADMIN_KEY), Some(&body)).await.expect(200)
    };
    let made = app
        .as_admin()
        .post("/api/projects", json!({"name": "Demo", "github_url": "https://github.com/demo/hello"}))
        .await
        .expect(201);
    let project = format!("/api/projects/{}", made["id"].as_str().unwrap());
    admin(Method::PUT, &format!("{project}/secrets/NPM_TOKEN"), json!({"value": VALUE})).await;
    admin(Method::PUT, &format!("{project}/secrets/SHOWN"), json!({"value": "hunter2-shown", "given_to_agent": true}))
        .await;
    let ticket = json!({"title": "Say hello", "column_id": "in_progress"});
    let ticket = app.as_admin().post(&format!("{project}/tickets"), ticket).await.expect(201);
    let context = format!("{project}/tickets/{}/worker-context", ticket["id"].as_str().unwrap());

    // The worker key reads contexts, but it is no job's.
    let body = app.as_worker().get(&context).await.expect(200);
    assert!(body.get("secrets").is_none() && !body.to_string().contains("hunter2"), "{body}");
    app.as_admin().get(&context).await.error(401);
    let member = app.person("member@x", "member", &[]).await;
    app.send(Method::GET, &context, &[("cookie", &member)], None).await.error(403);
    let person = app.person("admin@x", "admin", &[]).await;
    let body = app.send(Method::GET, &context, &[("cookie", &person)], None).await.expect(200);
    assert!(body.get("secrets").is_none() && !body.to_string().contains("hunter2"), "{body}");

    let job = app.as_worker().post("/api/worker/jobs/start", json!({"worker_id": "one"})).await.expect(200);
    assert!(!job.to_string().contains("hunter2"), "a coordinator needs none: {job}");
    let bearer = format!("Bearer {}", job["job_token"].as_str().unwrap());
    let read = async || app.send(Method::GET, &context, &[("authorization", &bearer)], None).await;
    let wanted = json!([
        {"name": "NPM_TOKEN", "value": VALUE, "given_to_agent": false},
        {"name": "SHOWN", "value": "hunter2-shown", "given_to_agent": true},
    ]);
    assert_eq!(read().await.expect(200)["secrets"], wanted);
    assert_eq!(tables_with(&app, "hunter2").await, Vec::<String>::new(), "nor did that write any down");
    // An attempt that is over gets nothing.
    let report = json!({"attempt": job["attempt"], "worker_id": "one"});
    app.as_worker().post(&format!("{}/complete", TestApp::job_path(&job)), report).await.expect(200);
    assert_eq!(read().await.error(401), "job_token_refused");
}

#[tokio::test]
async fn admins_set_them_and_others_read_their_names_at_most() {
    let app = TestApp::start_guarded().await;
    let new = async || app.as_admin().post("/api/projects", json!({"name": "Demo"})).await.expect(201);
    let (own, other) = (new().await, new().await);
    let (own, other) = (own["id"].as_str().unwrap(), other["id"].as_str().unwrap());
    let path = |project: &str| format!("/api/projects/{project}/secrets");
    let secret = |project: &str| format!("{}/NPM_TOKEN", path(project));
    let send = async |cookie: &str, method: Method, path: String, body: Option<Value>| {
        app.send(method, &path, &[("cookie", cookie)], body).await
    };
    let body = || Some(json!({"value": VALUE}));
    let admin = app.person("admin@x", "admin", &[]).await;
    send(&admin, Method::PUT, secret(own), body()).await.expect(200);
    for role in ["member", "viewer"] {
        let person = app.person(&format!("{role}@x"), "none", &[(own, role)]).await;
        assert_eq!(send(&person, Method::PUT, secret(own), body()).await.error(403), "not_allowed");
        assert_eq!(send(&person, Method::DELETE, secret(own), None).await.error(403), "not_allowed");
        let listed = send(&person, Method::GET, path(own), None).await.expect(200);
        assert_eq!(listed[0]["name"], "NPM_TOKEN");
        assert_eq!(send(&person, Method::GET, path(other), None).await.error(404), "not_found");
    }
    send(&admin, Method::DELETE, secret(own), None).await.expect(200);
}

#[tokio::test]
async fn they_are_for_their_own_name_project_and_key_and_go_with_the_project() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let (project, other) = (app.project().await, app.project().await);
    set(&app, &project, "NPM_TOKEN", json!({"value": VALUE})).await.expect(200);
    let database = app.database();
    check_sealed(&database, &Sealer::new([1; 32])).await.unwrap();
    // An API that starts with another key says so, before anyone waits for a job.
    let wrong = check_sealed(&database, &Sealer::new([2; 32])).await;
    assert!(matches!(wrong, Err(ActionError::Secret(_))), "{wrong:?}");

    // Who can write into the database can't read a secret by moving it to a project of their own.
    let moved = "update project_secrets set project_id = $1::uuid";
    sqlx::query(moved).bind(other.rsplit('/').next()).execute(&app.pool).await.unwrap();
    let ticket = app.ticket(&other).await;
    app.move_to(&ticket, "in_progress").await;
    let job = app.claim_as("one", json!({})).await.unwrap();
    let read = app.request(Method::GET, &format!("{ticket}/worker-context"), job["job_token"].as_str(), None).await;
    assert_eq!(read.status, 500, "{}", read.body);
    assert!(!read.body.to_string().contains("hunter2"), "{}", read.body);

    let count =
        async || sqlx::query_scalar::<_, i64>("select count(*) from project_secrets").fetch_one(&app.pool).await;
    assert_eq!(count().await.unwrap(), 1);
    sqlx::query("update project_secrets set project_id = $1::uuid")
        .bind(project.rsplit('/').next())
        .execute(&app.pool)
        .await
        .unwrap();
    app.request(Method::DELETE, &project, None, Some(&json!({"confirm_name": "Demo"}))).await.expect(200);
    assert_eq!(count().await.unwrap(), 0);
}
