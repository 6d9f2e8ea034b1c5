//! Cursor's cloud, as its published documents describe it: Cloud Agents v0, with webhooks, and v1, whose agents have runs.
//!
//! Its agents do nothing by themselves: a test says what they push ([`Cloud::push`]), when and how they end ([`Cloud::end`]). It misbehaves as a test asks for
//! it: other answers, answers that are lost after the work was done, calls that wait, and webhooks that come late, twice,
//! forged or not at all.

mod model;
mod pushing;
mod server;
mod v0;
mod v1;
mod webhooks;

pub use model::{CloudAgent, End, Run};
pub use server::{Hold, When};
pub use webhooks::CloudDelivery;

use crate::forge::{OnCall, Sending};
use crate::listen::{Server, any_loopback, serve};
use axum::Router;
use model::Model;
use server::{Shared, dispatch, lock};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use webhooks::Webhooks;

/// A running cloud; dropping it stops it.
pub struct Cloud {
    shared: Arc<Shared>,
    server: Server,
}

impl Cloud {
    /// Starts one on a free port of loopback, with a random key.
    ///
    /// # Errors
    /// When it can't listen.
    pub async fn start() -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            key: format!("key_{}", uuid::Uuid::new_v4().simple()),
            model: Mutex::new(Model::default()),
            calls: Mutex::default(),
            troubles: Mutex::default(),
            holds: Mutex::default(),
            webhooks: Webhooks::start()?,
            changed: Default::default(),
        });
        let router = Router::new().fallback(dispatch).with_state(shared.clone());
        Ok(Self { shared, server: serve(&[any_loopback()], router).await? })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// The base address of the calls.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// The only key that it accepts.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.shared.key
    }

    /// All agents, in the order of their launches.
    #[must_use]
    pub fn agents(&self) -> Vec<CloudAgent> {
        lock(&self.shared.model).agents.clone()
    }

    /// Waits until the agents fit, and returns them. Looks after each call.
    pub async fn until(&self, fits: impl Fn(&[CloudAgent]) -> bool) -> Vec<CloudAgent> {
        let mut changed = self.shared.changed.subscribe();
        loop {
            changed.mark_unchanged();
            let agents = self.agents();
            if fits(&agents) {
                return agents;
            }
            // The sender lives as long as this cloud.
            if changed.changed().await.is_err() {
                return agents;
            }
        }
    }

    /// Waits until the agents have got this many prompts in all, of which the last is at work, and returns its agent.
    pub async fn prompted(&self, number: usize) -> CloudAgent {
        let is_busy = |agents: &[CloudAgent]| agents.iter().any(CloudAgent::is_busy);
        let all = |agents: &[CloudAgent]| agents.iter().map(|agent| agent.runs.len()).sum::<usize>();
        let agents = self.until(|agents| all(agents) >= number && is_busy(agents)).await;
        let busy = agents.into_iter().rfind(CloudAgent::is_busy);
        busy.expect("one of them is at work")
    }

    /// The calls so far, as `METHOD /path?query`.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        lock(&self.shared.calls).clone()
    }

    /// The next calls that are like this have this trouble, besides those asked for before.
    pub fn trouble(&self, trouble: OnCall) {
        lock(&self.shared.troubles).push(trouble);
    }

    /// Holds the next call of this method whose path ends so, until the returned value is dropped.
    #[must_use]
    pub fn hold(&self, method: &'static str, ends: &'static str, when: When) -> Hold {
        let (hold, gate) = Hold::new(method, ends, when);
        lock(&self.shared.holds).push(gate);
        hold
    }

    /// An agent says that it works.
    pub fn run(&self, id: &str) {
        lock(&self.shared.model).set_status(id, "RUNNING");
    }

    /// An agent's work ends like this. Its webhook, where v0's launch asked for one, says so, unless it has expired.
    pub fn end(&self, id: &str, end: &End) {
        let mut model = lock(&self.shared.model);
        model.end(id, end);
        if end.status != "EXPIRED"
            && let Some(agent) = model.agents.iter().find(|agent| agent.id == id)
        {
            self.shared.webhooks.say(agent);
        }
    }

    /// Sends webhooks by themselves, or not, from now on.
    pub fn set_sending(&self, sending: Sending) {
        self.shared.webhooks.set_sending(sending);
    }

    /// Everything that webhooks had to say so far.
    #[must_use]
    pub fn deliveries(&self) -> Vec<CloudDelivery> {
        self.shared.webhooks.all()
    }

    /// Sends a delivery now, as it is, whether or not it was sent before. Returns the receiver's status, 0 where there is
    /// none, and its body.
    pub async fn send(&self, delivery: &CloudDelivery) -> (u16, String) {
        self.shared.webhooks.send(delivery).await
    }

    /// Waits until no webhook is on its way.
    pub async fn all_sent(&self) {
        self.shared.webhooks.all_sent().await;
    }
}
