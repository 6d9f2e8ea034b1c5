//! Signing in with a real OpenID Connect provider, npm's oidc-provider, which node runs. `scripts/lib/oidc-provider`
//! installs it.

use crate::support::TestApp;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use terarchitect_api::config::OidcOptions;
use terarchitect_api::oidc::OidcConfig;
use terarchitect_api::state::AppConfig;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Where the provider sends browsers back to. Nothing listens there: the tests bring what comes to the API themselves.
const PUBLIC_URL: &str = "http://localhost:1";

struct Provider {
    issuer: String,
    _process: Child,
}

impl Provider {
    /// None where node or the package is missing, unless the tests must not be left out.
    async fn start() -> Option<Self> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oidc");
        let node = std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join("node").is_file()));
        if !node || !folder.join("node_modules/oidc-provider").is_dir() {
            let missing = "node or npm's oidc-provider is missing: run scripts/lib/oidc-provider";
            assert!(std::env::var_os("TERARCHITECT_REQUIRE_OIDC").is_none(), "{missing}");
            #[allow(clippy::print_stderr, reason = "who runs the tests should see what was left out")]
            {
                eprintln!("left out, since {missing}");
            }
            return None;
        }
        let mut command = Command::new("node");
        command.arg(folder.join("provider.mjs")).arg(format!("{PUBLIC_URL}/api/oidc/callback"));
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let issuer = async {
            loop {
                let line = lines.next_line().await.unwrap().expect("the provider says its address");
                if line.starts_with("http://") {
                    return line;
                }
            }
        };
        let issuer = tokio::time::timeout(Duration::from_secs(60), issuer).await.expect("the provider starts");
        // Keep reading: node ends when it can't print.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Some(Self { issuer, _process: process })
    }

    /// The API, whose people sign in here, with these roles for groups.
    async fn api(&self, roles: &str) -> TestApp {
        let public_url = PUBLIC_URL.parse().unwrap();
        let options = OidcOptions {
            oidc_issuer: Some(self.issuer.clone()),
            oidc_client_id: Some("board".to_owned()),
            oidc_client_secret: Some("secret-of-the-tests".into()),
            oidc_name: "The tests' provider".to_owned(),
            oidc_groups_claim: "groups".to_owned(),
            oidc_roles: roles.to_owned(),
        };
        let oidc = OidcConfig::read(&options, Some(&public_url)).unwrap();
        let api_key = Some("app-key".into());
        TestApp::start_with(AppConfig { oidc, public_url: Some(public_url), api_key, ..AppConfig::default() }).await
    }
}

/// A browser: follows nothing by itself, keeps cookies.
struct Browser {
    http: Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    fn new() -> Self {
        Self { http: Client::builder().redirect(Policy::none()).build().unwrap(), cookies: BTreeMap::new() }
    }

    async fn get(&mut self, url: &str) -> Response {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = self.http.get(url).header("cookie", cookies.join("; ")).header("accept", "text/html");
        let response = request.send().await.unwrap();
        for cookie in response.headers().get_all("set-cookie") {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        response
    }

    /// To the provider, through it, and back to the public address; returns the path there.
    async fn through_provider(&mut self, app: &TestApp) -> String {
        let start = self.get(&format!("{}/api/oidc/start?return_to=/projects", app.base)).await;
        assert_eq!(start.status(), 303, "{}", start.text().await.unwrap());
        let mut to = location(&start);
        for _ in 0..8 {
            if let Some(path) = to.strip_prefix(PUBLIC_URL) {
                return path.to_owned();
            }
            let response = self.get(&to).await;
            let base: url::Url = to.parse().unwrap();
            assert!(response.status().is_redirection(), "{to}: {}", response.text().await.unwrap());
            to = base.join(&location(&response)).unwrap().to_string();
        }
        panic!("the provider does not send the browser back: {to}");
    }

    /// Signs an account in; returns where the API sends the browser.
    async fn sign_in(&mut self, provider: &Provider, app: &TestApp, sub: &str, claims: Value) -> String {
        let next = json!({"sub": sub, "claims": claims});
        self.http.post(format!("{}/next", provider.issuer)).json(&next).send().await.unwrap();
        let path = self.through_provider(app).await;
        location(&self.get(&format!("{}{path}", app.base)).await)
    }

    async fn session(&mut self, app: &TestApp) -> Value {
        self.get(&format!("{}/api/session", app.base)).await.json().await.unwrap()
    }
}

fn location(response: &Response) -> String {
    response.headers()["location"].to_str().unwrap().to_owned()
}

fn claims(email: &str, verified: bool, groups: &[&str]) -> Value {
    json!({"email": email, "email_verified": verified, "name": "Grace", "groups": groups})
}

#[tokio::test]
async fn groups_of_the_provider_give_roles_anew_at_each_sign_in() {
    let Some(provider) = Provider::start().await else { return };
    let app = provider.api("admins=admin,devs=member").await;
    let mut browser = Browser::new();
    let session = browser.session(&app).await;
    assert_eq!(session["sign_in"]["oidc"]["name"], "The tests' provider");
    let to = browser.sign_in(&provider, &app, "g1", claims("grace@example.com", true, &["devs", "others"])).await;
    assert_eq!(to, "/projects");
    let session = browser.session(&app).await;
    assert_eq!((&session["role"], &session["person"]["name"]), (&json!("member"), &json!("Grace")));
    // Someone else is admin, so that no one here is the last one.
    app.person("ada@example.com", "admin", &[]).await;
    let mut browser = Browser::new();
    browser.sign_in(&provider, &app, "g1", claims("grace@example.com", true, &["admins"])).await;
    assert_eq!(browser.session(&app).await["role"], "admin");
    let mut browser = Browser::new();
    let to = browser.sign_in(&provider, &app, "g1", claims("grace@example.com", true, &[])).await;
    assert_eq!(to, "/sign-in?error=not_allowed");
    assert_eq!(browser.session(&app).await["signed_in"], false);
}

#[tokio::test]
async fn a_person_is_found_by_the_subject_first_and_by_a_verified_address_second() {
    let Some(provider) = Provider::start().await else { return };
    let app = provider.api("").await;
    app.person("ada@example.com", "admin", &[]).await;
    // An address that the provider has not checked may be anyone's.
    let mut browser = Browser::new();
    let to = browser.sign_in(&provider, &app, "a1", claims("Ada@example.com", false, &[])).await;
    assert_eq!(to, "/sign-in?error=email_taken");
    let mut browser = Browser::new();
    browser.sign_in(&provider, &app, "a1", claims("Ada@example.com", true, &[])).await;
    assert_eq!(browser.session(&app).await["person"]["email"], "ada@example.com");
    // From then on the subject counts, whatever the address is.
    let mut browser = Browser::new();
    browser.sign_in(&provider, &app, "a1", claims("renamed@example.com", true, &[])).await;
    assert_eq!(browser.session(&app).await["person"]["email"], "ada@example.com");
    // Another subject with that address is another person, and has no way in.
    let mut browser = Browser::new();
    let to = browser.sign_in(&provider, &app, "a2", claims("ada@example.com", true, &[])).await;
    assert_eq!(to, "/sign-in?error=email_taken");
    // Who is new needs an invitation.
    let mut browser = Browser::new();
    let to = browser.sign_in(&provider, &app, "b1", claims("bob@example.com", true, &[])).await;
    assert_eq!(to, "/sign-in?error=not_allowed");
    let invitation = json!({"email": "bob@example.com", "role": "viewer"});
    app.as_admin().post("/api/invitations", invitation).await.expect(201);
    let mut browser = Browser::new();
    browser.sign_in(&provider, &app, "b1", claims("bob@example.com", true, &[])).await;
    assert_eq!(browser.session(&app).await["role"], "viewer");
    sqlx::query("update people set disabled_at = now() where email = 'bob@example.com'")
        .execute(&app.pool)
        .await
        .unwrap();
    let mut browser = Browser::new();
    let to = browser.sign_in(&provider, &app, "b1", claims("bob@example.com", true, &[])).await;
    assert_eq!(to, "/sign-in?error=not_allowed");
}

#[tokio::test]
async fn a_way_back_that_this_browser_did_not_begin_leads_nowhere() {
    let Some(provider) = Provider::start().await else { return };
    let app = provider.api("devs=member").await;
    let next = json!({"sub": "g1", "claims": claims("grace@example.com", true, &["devs"])});
    let mut victim = Browser::new();
    victim.http.post(format!("{}/next", provider.issuer)).json(&next).send().await.unwrap();
    let mut attacker = Browser::new();
    let path = attacker.through_provider(&app).await;
    // Without a sign-in of its own, and with another one.
    let to = location(&victim.get(&format!("{}{path}", app.base)).await);
    assert_eq!(to, "/sign-in?error=sign_in_not_begun");
    victim.through_provider(&app).await;
    let to = location(&victim.get(&format!("{}{path}", app.base)).await);
    assert_eq!(to, "/sign-in?error=sign_in_not_begun");
    assert_eq!(victim.session(&app).await["signed_in"], false);
    // The code works once.
    attacker.get(&format!("{}/api/oidc/callback?code=wrong&state=wrong", app.base)).await;
    let mut browser = Browser::new();
    let path = browser.through_provider(&app).await;
    let kept = browser.cookies.clone();
    assert_eq!(location(&browser.get(&format!("{}{path}", app.base)).await), "/projects");
    browser.cookies = kept;
    let to = location(&browser.get(&format!("{}{path}", app.base)).await);
    assert_eq!(to, "/sign-in?error=provider_failed");
}

#[tokio::test]
async fn without_a_provider_there_is_nothing_to_start() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/api/oidc/start").await.error(404), "not_found");
    assert_eq!(app.get("/api/oidc/callback").await.error(404), "not_found");
}
