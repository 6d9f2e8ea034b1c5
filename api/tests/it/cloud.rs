//! Work orders whose agent works in Cursor's cloud: launched, followed to their end by webhooks and looks, stopped, limited.

use crate::forges::ScriptedForge;
use crate::support::TestApp;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use terarchitect_api::actions::cloud::Cloud as CloudOfApp;
use terarchitect_api::state::AppConfig;
use terarchitect_cursor::{Cursor, Patience, Version, derive_secret};
use terarchitect_testbed::cursor::{Cloud, CloudAgent, CloudDelivery, End};
use terarchitect_testbed::forge::{Answer, OnCall, Sending, Trouble};

/// Both versions.
pub(crate) const VERSIONS: [Version; 2] = [Version::V0, Version::V1];
/// So that no test waits long for a look.
pub(crate) const SOON: Duration = Duration::from_millis(100);
/// So that only a webhook can tell.
const NEVER: Duration = Duration::from_secs(3_600);
const PULL: &str = "https://github.com/demo/hello/pull/42";

fn secret() -> SecretString {
    derive_secret(&"the key of this API".into())
}

/// An API that launches in this cloud, and looks after so long.
pub(crate) fn config(cloud: &Cloud, version: Version, look: Duration, forge: &Arc<ScriptedForge>) -> AppConfig {
    let api = cloud.api_url().parse().unwrap();
    let cursor = Cursor::new(api, cloud.key().into(), version, Patience::SHORT).unwrap();
    let public = "http://api.test".parse().unwrap();
    let cloud = CloudOfApp::new(cursor, Some(&public), &secret(), look);
    let ask_forge = Some(forge.clone() as Arc<_>);
    AppConfig { cloud: Some(cloud), cursor_secrets: vec![secret()], ask_forge, ..AppConfig::default() }
}

/// An API, a cloud, and a forge.
pub(crate) struct World {
    pub(crate) app: TestApp,
    pub(crate) cloud: Cloud,
    pub(crate) forge: Arc<ScriptedForge>,
    project: String,
}

impl World {
    pub(crate) async fn new(version: Version, look: Duration) -> Self {
        let (cloud, forge) = (Cloud::start().await.unwrap(), ScriptedForge::with_writers(&[]));
        cloud.set_sending(Sending::Held);
        let app = TestApp::start_with(config(&cloud, version, look, &forge)).await;
        let project = app.project().await;
        Self { app, cloud, forge, project }
    }

    /// A work order for an agent in the cloud.
    pub(crate) async fn order(&self) -> String {
        let agent = self.app.post("/api/v1/agents", json!({"name": "Cloud", "program": "cursor"})).await;
        let agent = if agent.status == 409 {
            let all = self.app.get("/api/v1/agents").await.expect(200);
            all["agents"].as_array().unwrap().iter().find(|agent| agent["name"] == "Cloud").unwrap()["id"].clone()
        } else {
            agent.expect(201)["id"].clone()
        };
        let body = json!({
            "objective": "Refactor auth module", "agent_id": agent, "repo_id": self.project.rsplit('/').next(),
            "lines": [{"title": "Extract it", "definition_of_done": "Tests pass"}],
        });
        let made = self.app.post("/api/v1/work-orders", body).await.expect(201);
        assert_eq!(made["launch_error"], Value::Null);
        format!("/api/v1/work-orders/{}", made["work_order_id"].as_str().unwrap())
    }

    pub(crate) async fn read(&self, order: &str) -> Value {
        self.app.get(order).await.expect(200)
    }

    pub(crate) async fn until(&self, order: &str, status: &str) -> Value {
        self.app.eventually(async || self.read(order).await["status"] == status).await;
        self.read(order).await
    }

    /// The only agent of the cloud, once its launch is noted.
    async fn launched(&self, order: &str) -> CloudAgent {
        self.app.eventually(async || self.read(order).await["cursor_agent_id"].is_string()).await;
        let [agent] = self.cloud.agents().try_into().unwrap();
        assert_eq!(self.read(order).await["cursor_agent_id"], agent.id.as_str());
        agent
    }

    /// The last thing that a webhook has to say, on its way to this API.
    fn delivery(&self) -> CloudDelivery {
        let mut delivery = self.cloud.deliveries().pop().unwrap();
        assert_eq!(delivery.url, "http://api.test/api/v1/webhook/cursor");
        delivery.url = format!("{}/api/v1/webhook/cursor", self.app.base);
        delivery
    }

    async fn send(&self, delivery: &CloudDelivery) -> (u16, Value) {
        let (status, body) = self.cloud.send(delivery).await;
        (status, serde_json::from_str(&body).unwrap_or_default())
    }
}

fn id(order: &str) -> &str {
    order.rsplit('/').next().unwrap()
}

#[tokio::test]
async fn an_order_is_launched_and_followed_to_its_end() {
    for version in VERSIONS {
        let world = World::new(version, SOON).await;
        let order = world.order().await;
        let agent = world.launched(&order).await;
        assert_eq!(world.read(&order).await["status"], "running");
        let prompt = &agent.latest().prompt;
        assert!(prompt.contains(&format!("WORK_ORDER_ID={}", id(&order))) && prompt.contains("Extract it"), "{prompt}");
        assert_eq!(agent.repository, "https://github.com/demo/hello");
        assert_eq!((agent.start.as_deref(), agent.opens_pull), (Some("main"), true));
        // No coordinator gets it.
        assert!(world.app.claim(&world.project).await.is_none());
        world.cloud.run(&agent.id);
        world.cloud.end(&agent.id, &End::finished("Extracted it.", Some(PULL)));
        let done = world.until(&order, "completed").await;
        assert_eq!((&done["pr_url"], &done["pr_number"]), (&json!(PULL), &json!(42)));
        assert_eq!((&done["summary"], &done["branch_name"]), (&json!("Extracted it."), &json!(agent.branch)));
        assert_eq!(world.cloud.agents().len(), 1);
    }
}

#[tokio::test]
async fn a_webhook_ends_an_order_and_the_same_again_changes_nothing() {
    let world = World::new(Version::V0, NEVER).await;
    let order = world.order().await;
    let agent = world.launched(&order).await;
    world.cloud.end(&agent.id, &End::finished("Done.", Some(PULL)));
    let delivery = world.delivery();
    let expected = json!({"ok": true, "work_order_id": id(&order), "status": "completed"});
    assert_eq!(world.send(&delivery).await, (200, expected.clone()));
    assert_eq!(world.until(&order, "completed").await["pr_url"], PULL);
    assert_eq!(world.send(&delivery).await, (200, expected.clone()));
    // What was true before comes late.
    let mut late = delivery.clone();
    late.id = "msg_late".into();
    late.body = late.body.replace("FINISHED", "RUNNING");
    assert_eq!(world.send(&late).await, (200, expected));
    let mut other = delivery.clone();
    other.event = "agentCreated".into();
    assert_eq!(world.send(&other).await, (200, json!({"ok": true, "ignored": true})));
    assert_eq!(world.read(&order).await["status"], "completed");
    assert_eq!(world.app.jobs().await, [("completed".to_owned(), Some("completed".to_owned()))]);
}

#[tokio::test]
async fn a_forged_webhook_is_refused() {
    let world = World::new(Version::V0, NEVER).await;
    world.app.may_leave_jobs_live();
    let order = world.order().await;
    let agent = world.launched(&order).await;
    world.cloud.end(&agent.id, &End::finished("Done.", Some(PULL)));
    let mut forged = world.delivery();
    forged.secret = "another secret, which has 32 characters".into();
    assert_eq!(world.send(&forged).await.0, 401);
    let unsigned = world.app.post("/api/v1/webhook/cursor", json!({"id": agent.id, "status": "FINISHED"})).await;
    assert_eq!(unsigned.error(401), "signature_refused");
    assert_eq!(world.read(&order).await["status"], "running");
}

#[tokio::test]
async fn a_pull_request_that_is_not_named_is_found_by_its_branch() {
    let world = World::new(Version::V0, NEVER).await;
    let order = world.order().await;
    let agent = world.launched(&order).await;
    world.forge.of_branches.lock().unwrap().insert(agent.branch.clone(), PULL.to_owned());
    world.forge.set_down(true);
    world.cloud.end(&agent.id, &End::finished("Done.", None));
    assert_eq!(world.send(&world.delivery()).await.0, 200);
    // The forge is asked once more when it does not respond.
    world.app.eventually(async || waits(&world.app).await).await;
    world.forge.set_down(false);
    assert_eq!(world.until(&order, "completed").await["pr_url"], PULL);
}

/// Whether an agent is put off, for a reason.
async fn waits(app: &TestApp) -> bool {
    let waiting = "select exists (select from cloud_agents where state <> 'ended' and reason is not null)";
    sqlx::query_scalar(waiting).fetch_one(&app.pool).await.unwrap()
}

#[tokio::test]
async fn a_webhook_about_an_agent_that_is_not_known_yet_counts_once_it_is() {
    let world = World::new(Version::V0, NEVER).await;
    // The launch is done, and its response does not come: the webhook is faster.
    let mut hold = world.cloud.hold("POST", "/v0/agents", terarchitect_testbed::cursor::When::After);
    let order = world.order().await;
    hold.arrived().await;
    let [agent] = world.cloud.agents().try_into().unwrap();
    world.cloud.end(&agent.id, &End::finished("Done.", Some(PULL)));
    let (status, body) = world.send(&world.delivery()).await;
    assert_eq!((status, &body["code"]), (404, &json!("not_found")));
    drop(hold);
    assert_eq!(world.until(&order, "completed").await["pr_url"], PULL);
}

#[tokio::test]
async fn what_failed_or_expired_fails_the_order_with_the_reason() {
    for version in VERSIONS {
        for (end, says) in [(End::error("The tests do not build."), "do not build"), (End::expired(), "EXPIRED")] {
            let world = World::new(version, SOON).await;
            let order = world.order().await;
            let agent = world.launched(&order).await;
            world.cloud.end(&agent.id, &end);
            let failed = world.until(&order, "failed").await;
            assert!(failed["error_message"].as_str().unwrap().contains(says), "{failed}");
        }
    }
}

#[tokio::test]
async fn a_cancelled_order_stops_its_agent() {
    for version in VERSIONS {
        let world = World::new(version, NEVER).await;
        let order = world.order().await;
        let agent = world.launched(&order).await;
        world.cloud.run(&agent.id);
        world.app.patch(&order, json!({"status": "cancelled"})).await.expect(200);
        world.until(&order, "cancelled").await;
        assert!(!world.cloud.agents()[0].is_busy());
    }
}

#[tokio::test]
async fn a_limit_is_waited_for_and_a_refusal_fails_the_order() {
    let world = World::new(Version::V0, SOON).await;
    let limited = Trouble::Answer(Answer { status: 429, times: 1, headers: &[("retry-after", "1")], body: "{}" });
    world.cloud.trouble(OnCall { method: "POST", ends: "/agents", times: 1, what: limited });
    let order = world.order().await;
    let agent = world.launched(&order).await;
    world.cloud.end(&agent.id, &End::finished("Done.", Some(PULL)));
    world.until(&order, "completed").await;

    let denied =
        Trouble::Answer(Answer { status: 401, times: 1, headers: &[], body: r#"{"error": "Invalid API key"}"# });
    world.cloud.trouble(OnCall { method: "POST", ends: "/agents", times: 1, what: denied });
    let refused = world.order().await;
    let failed = world.until(&refused, "failed").await;
    assert!(failed["error_message"].as_str().unwrap().contains("check CURSOR_API_KEY"), "{failed}");
}

#[tokio::test]
async fn limits_of_projects_hold_in_the_cloud_too() {
    let world = World::new(Version::V1, SOON).await;
    world.app.put(&world.project, json!({"max_running": 1})).await.expect(200);
    let (one, other) = (world.order().await, world.order().await);
    let agent = world.launched(&one).await;
    assert_eq!(world.read(&other).await["status"], "pending");
    world.cloud.end(&agent.id, &End::finished("Done.", Some(PULL)));
    world.until(&one, "completed").await;
    world.until(&other, "running").await;
    world.app.eventually(async || world.cloud.agents().len() == 2).await;
    let second = world.cloud.agents()[1].id.clone();
    world.cloud.end(&second, &End::finished("Done.", None));
    world.until(&other, "completed").await;
}
