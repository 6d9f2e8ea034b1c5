//! Credentials for forges and secrets of webhooks: who may manage them, and that nothing shows them again. How a project works
//! with its forge.

use crate::support::{ADMIN_KEY, TestApp};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use terarchitect_api::actions::forges::credentials::secret_for;
use terarchitect_api::domain::forges::CredentialKind;
use terarchitect_api::sealing::Sealer;
use terarchitect_worker_api::ProjectId;

const TOKEN: &str = "ghp_hunter2hunter2hunter2";

#[tokio::test]
async fn a_credential_is_stored_sealed_and_never_shown_again() {
    let app = TestApp::start().await;
    let new = json!({"name": "the bot", "host": "GitHub.com", "secret": TOKEN});
    let made = app.post("/api/credentials", new.clone()).await.expect(201);
    assert_eq!(
        (&made["host"], &made["kind"], &made["project_id"]),
        (&json!("github.com"), &json!("bot"), &Value::Null)
    );
    let listed = app.get("/api/credentials").await.expect(200);
    assert_eq!(listed, json!([made]));
    assert_eq!(app.post("/api/credentials", new).await.error(409), "name_taken");
    let audit = app.get("/api/audit").await.expect(200);
    let events = app.get("/api/events?limit=100").await.expect(200);
    let sentence = audit["entries"][0]["sentence"].as_str().unwrap();
    assert!(sentence.ends_with("stored the credential the bot for github.com."), "{sentence}");
    for shown in [&made, &listed, &audit, &events] {
        assert!(!shown.to_string().contains("hunter2"), "{shown}");
    }
    let sealed: Vec<u8> = sqlx::query_scalar("select sealed from credentials").fetch_one(&app.pool).await.unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("hunter2"));
    let path = format!("/api/credentials/{}", made["id"].as_str().unwrap());
    app.delete(&path).await.expect(200);
    assert_eq!(app.delete(&path).await.error(404), "not_found");
    assert_eq!(app.get("/api/credentials").await.expect(200), json!([]));
}

/// A token is for one host, the project's own comes before the one for all, and the approver's is another one.
#[tokio::test]
async fn a_credential_is_found_for_its_own_host_alone() {
    let app = TestApp::start().await;
    let (own, other) = (app.project().await, app.project().await);
    let id = |project: &str| ProjectId(project.rsplit('/').next().unwrap().parse().unwrap());
    let store = async |name: &str, host: &str, kind: &str, project: Option<ProjectId>| {
        let body = json!({"name": name, "host": host, "kind": kind, "project_id": project, "secret": name});
        app.post("/api/credentials", body).await.expect(201);
    };
    store("for-all", "github.com", "bot", None).await;
    store("for-own", "github.com", "bot", Some(id(&own))).await;
    store("approver", "github.com", "approver", None).await;
    store("elsewhere", "git.example:3000", "bot", None).await;
    let (database, sealer) = (app.database(), Sealer::new([1; 32]));
    let find = async |project: &str, host: &str, kind: CredentialKind| {
        let found = secret_for(&database, &sealer, id(project), host, kind).await.unwrap();
        found.map(|secret| secret.expose_secret().to_owned())
    };
    let bot = CredentialKind::Bot;
    assert_eq!(find(&own, "github.com", bot).await.as_deref(), Some("for-own"));
    assert_eq!(find(&other, "github.com", bot).await.as_deref(), Some("for-all"));
    assert_eq!(find(&own, "github.com", CredentialKind::Approver).await.as_deref(), Some("approver"));
    assert_eq!(find(&own, "git.example:3000", bot).await.as_deref(), Some("elsewhere"));
    for host in ["git.example", "evil.example", "api.github.com", ""] {
        assert_eq!(find(&own, host, bot).await, None, "{host}");
    }
    // One key is not another's.
    let wrong = secret_for(&database, &Sealer::new([2; 32]), id(&own), "github.com", bot).await;
    assert!(wrong.is_err());
}

#[tokio::test]
async fn what_is_no_credential_is_refused_and_not_repeated() {
    let app = TestApp::start().await;
    for wrong in [
        json!({"name": "", "host": "github.com", "secret": TOKEN}),
        json!({"name": "x", "host": "https://github.com", "secret": TOKEN}),
        json!({"name": "x", "host": "github.com/evil", "secret": TOKEN}),
        json!({"name": "x", "host": "github.com", "secret": "hunter2 hunter2"}),
    ] {
        let reply = app.post("/api/credentials", wrong).await;
        assert!(!reply.body.to_string().contains("hunter2"), "{}", reply.body);
        assert_eq!(reply.error(400), "invalid_field");
    }
    let unknown = json!({"name": "x", "host": "h", "secret": TOKEN, "project_id": uuid::Uuid::new_v4()});
    assert_eq!(app.post("/api/credentials", unknown).await.error(404), "not_found");
}

/// A member manages what is for the own project, an admin everything; what someone may not manage does not exist.
#[tokio::test]
async fn members_manage_what_is_for_their_projects_and_admins_everything() {
    let app = TestApp::start_guarded().await;
    let new_project = async || {
        let made = app.as_admin().post("/api/projects", json!({"name": "Demo"})).await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    };
    let (own, other) = (new_project().await, new_project().await);
    let member = app.person("member@x", "none", &[(&own, "member")]).await;
    let viewer = app.person("viewer@x", "none", &[(&own, "viewer")]).await;
    let send = async |cookie: &str, method: Method, path: &str, body: Option<Value>| {
        app.send(method, path, &[("cookie", cookie)], body).await
    };
    for (path, new) in [
        ("/api/credentials", json!({"name": "c", "host": "github.com", "secret": TOKEN})),
        ("/api/webhook-secrets", json!({"sender": "github"})),
    ] {
        let of = |project: &str| {
            let mut new = new.clone();
            new["project_id"] = json!(project);
            Some(new)
        };
        assert_eq!(send(&member, Method::POST, path, Some(new.clone())).await.error(403), "not_allowed");
        assert_eq!(send(&member, Method::POST, path, of(&other)).await.error(404), "not_found");
        assert_eq!(send(&viewer, Method::POST, path, of(&own)).await.error(403), "not_allowed");
        let made = send(&member, Method::POST, path, of(&own)).await.expect(201);
        let for_all = app.as_admin().post(path, new.clone()).await.expect(201);
        let count =
            async |cookie: &str| send(cookie, Method::GET, path, None).await.expect(200).as_array().unwrap().len();
        assert_eq!((count(&member).await, count(&viewer).await), (1, 0));
        assert_eq!(app.as_admin().get(path).await.expect(200).as_array().unwrap().len(), 2);
        let row = |made: &Value| format!("{path}/{}", made["id"].as_str().unwrap());
        send(&member, Method::DELETE, &row(&for_all), None).await.error(404);
        send(&viewer, Method::DELETE, &row(&made), None).await.error(404);
        send(&member, Method::DELETE, &row(&made), None).await.expect(200);
        app.request(Method::DELETE, &row(&for_all), Some(ADMIN_KEY), None).await.expect(200);
    }
}

#[tokio::test]
async fn a_secret_that_was_made_is_shown_once_and_two_are_valid() {
    let app = TestApp::start().await;
    let new = json!({"sender": "gitlab", "kind": "signing"});
    let made = app.post("/api/webhook-secrets", new.clone()).await.expect(201);
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() > 40, "{secret}");
    assert!(!app.get("/api/webhook-secrets").await.expect(200).to_string().contains(secret));
    // However many ask at once, there are two.
    let several = futures::future::join_all((0..8).map(|_| app.post("/api/webhook-secrets", new.clone()))).await;
    let made = several.iter().filter(|reply| reply.status == 201).count();
    assert!(several.iter().all(|reply| matches!(reply.status.as_u16(), 201 | 409)), "{several:?}");
    assert_eq!(made, 1, "{several:?}");
    for wrong in [
        json!({"sender": "github", "kind": "signing"}),
        json!({"sender": "gitlab", "kind": "signing", "secret": "not one of those tokens"}),
        json!({"sender": "gitea", "secret": "short"}),
    ] {
        assert_eq!(app.post("/api/webhook-secrets", wrong.clone()).await.error(400), "invalid_field", "{wrong}");
    }
}

#[tokio::test]
async fn how_a_project_works_with_its_forge_can_be_set() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let new = app.get(&project).await.expect(200);
    let usual = json!({"forge_kind": null, "review_trigger": "changes_or_mention", "review_quiet_sec": 60, "review_bots": [],
        "max_check_fixes": 2, "base_update": "merge", "delete_merged_branch": false, "issue_label": null});
    let wanted = json!({"forge_kind": "gitea", "review_trigger": "any", "review_quiet_sec": 5, "review_bots": ["renovate[bot]"],
        "max_check_fixes": 0, "base_update": "rebase", "delete_merged_branch": true, "issue_label": "agent"});
    let changed = app.put(&project, wanted.clone()).await.expect(200);
    for (name, value) in wanted.as_object().unwrap() {
        assert_eq!((&new[name], &changed[name]), (&usual[name], value), "{name}");
    }
    assert_eq!(app.put(&project, json!({"name": "Renamed"})).await.expect(200)["issue_label"], "agent");
    let cleared = app.put(&project, json!({"forge_kind": null, "issue_label": null})).await.expect(200);
    assert_eq!((&cleared["forge_kind"], &cleared["issue_label"]), (&Value::Null, &Value::Null));
    for (bad, status) in [
        (json!({"review_quiet_sec": -1}), 400),
        (json!({"max_check_fixes": 101}), 400),
        (json!({"review_bots": ["*"]}), 400),
        (json!({"review_trigger": "always"}), 422),
        (json!({"forge_kind": "bitbucket"}), 422),
    ] {
        assert_eq!(app.put(&project, bad.clone()).await.status.as_u16(), status, "{bad}");
    }
    // They move to another installation with the project.
    let document = app.get("/api/settings/export").await.expect(200);
    let exported = &document["projects"][0];
    assert_eq!((&exported["review_trigger"], &exported["base_update"]), (&json!("any"), &json!("rebase")));
    let elsewhere = TestApp::start().await;
    elsewhere.post("/api/settings/import", document).await.expect(200);
    assert_eq!(elsewhere.get("/api/projects").await.expect(200)[0]["review_bots"], json!(["renovate[bot]"]));
}

#[tokio::test]
async fn a_project_at_a_forge_that_is_not_supported_is_refused_with_a_sentence() {
    let app = TestApp::start().await;
    for (address, part) in [
        ("https://bitbucket.org/o/r", "Bitbucket"),
        ("https://dev.azure.com/o/p/_git/r", "Azure DevOps"),
        ("me@server:/srv/git/r.git", "https:// address"),
        ("git://git.example/o/r", "https:// address"),
    ] {
        let refused = app.post("/api/projects", json!({"name": "x", "github_url": address})).await;
        assert!(refused.body["error"].as_str().unwrap().contains(part), "{}", refused.body);
        assert_eq!(refused.error(400), "invalid_field");
    }
    assert_eq!(app.get("/api/projects").await.expect(200), json!([]));
    // One that was made before can still be changed, with its address sent along.
    let project = app.project().await;
    sqlx::query("update projects set github_url = 'https://bitbucket.org/o/r'").execute(&app.pool).await.unwrap();
    let same = json!({"name": "Renamed", "github_url": "https://bitbucket.org/o/r"});
    assert_eq!(app.put(&project, same).await.expect(200)["name"], "Renamed");
    assert_eq!(
        app.put(&project, json!({"github_url": "https://bitbucket.org/o/r2"})).await.error(400),
        "invalid_field"
    );
}

#[tokio::test]
async fn a_runner_gets_the_token_of_its_repositorys_host_and_no_other() {
    let app = TestApp::start().await;
    for (name, host) in [("one", "git.example:3000"), ("two", "git.example"), ("three", "github.com")] {
        let new = json!({"name": name, "host": host, "secret": format!("token-{name}")});
        app.post("/api/credentials", new).await.expect(201);
    }
    let approver = json!({"name": "four", "host": "gitlab.com", "kind": "approver", "secret": "token-four"});
    app.post("/api/credentials", approver).await.expect(201);
    let settings = async |address: &str, kind: Value| {
        let new = json!({"name": address, "github_url": address, "forge_kind": kind, "is_existing_repo": true});
        let project = app.post("/api/projects", new).await.expect(201);
        let ticket = app.ticket(&format!("/api/projects/{}", project["id"].as_str().unwrap())).await;
        let settings = app.get(&format!("{ticket}/worker-context")).await.expect(200)["agent_settings"].clone();
        ["FORGE_TOKEN", "FORGE_TOKEN_HOST", "FORGE_KIND"].map(|name| settings[name].clone())
    };
    let expected = |token: &str, host: &str| [json!(token), json!(host), Value::Null];
    assert_eq!(
        settings("https://git.example:3000/o/r", Value::Null).await,
        expected("token-one", "https://git.example:3000")
    );
    assert_eq!(settings("https://git.example/o/r", Value::Null).await, expected("token-two", "https://git.example"));
    assert_eq!(settings("https://github.com/o/r", Value::Null).await, expected("token-three", "https://github.com"));
    assert_eq!(settings("https://gitlab.com/o/r", json!("gitlab")).await, [Value::Null, Value::Null, json!("gitlab")]);
}
