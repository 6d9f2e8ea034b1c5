//! Webhooks: made of what has happened, signed as each forge signs, and sent on time, late, twice, out of order or not at
//! all, as a test asks for. One at a time, in the order of what has happened.

mod sign;

use super::model::Hook;
use super::server::lock;
use super::{Dialect, Forge};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, watch};

/// How long a receiver may take, as GitHub and GitLab have it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which deliveries are sent by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sending {
    /// Each at once.
    #[default]
    OnTime,
    /// None: a test sends them when it wants to, in any order, or never.
    Held,
}

/// What one webhook says about one event.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id, which a repeat keeps.
    pub id: String,
    /// The webhook.
    pub hook: u64,
    /// Where it goes.
    pub url: String,
    /// The event, as the forge's header names it.
    pub event: String,
    /// The body, as it is sent.
    pub body: String,
    /// What the receiver answered, each time; 0 where it did not.
    pub answers: Vec<u16>,
    kind: String,
    secret: String,
}

impl Delivery {
    /// The body.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// What a dialect says about an event.
#[derive(Clone, Debug)]
pub(super) struct Payload {
    /// The event, as the header names it.
    pub(super) event: &'static str,
    /// What a webhook subscribes to in order to get it.
    pub(super) kind: &'static str,
    pub(super) body: Value,
}

impl Payload {
    pub(super) fn new(event: &'static str, kind: &'static str, body: Value) -> Self {
        Self { event, kind, body }
    }

    /// Whether a webhook with these events gets it.
    pub(super) fn is_wanted(&self, events: &[String]) -> bool {
        events.iter().any(|event| event == self.kind || event == "*")
    }
}

/// The deliveries of a forge, and how they are sent.
pub(super) struct Webhooks {
    queue: mpsc::UnboundedSender<usize>,
    inner: Arc<Inner>,
}

struct Inner {
    dialect: Dialect,
    client: reqwest::Client,
    sending: Mutex<Sending>,
    all: Mutex<Vec<Delivery>>,
    /// How many are on their way.
    pending: watch::Sender<usize>,
}

impl Webhooks {
    /// # Errors
    /// The HTTP client could not be set up.
    pub(super) fn start(dialect: Dialect) -> anyhow::Result<Self> {
        let client =
            reqwest::Client::builder().timeout(PATIENCE).no_proxy().redirect(reqwest::redirect::Policy::none());
        let inner = Arc::new(Inner {
            dialect,
            client: client.build()?,
            sending: Mutex::default(),
            all: Mutex::default(),
            pending: watch::Sender::new(0),
        });
        let (queue, mut waiting) = mpsc::unbounded_channel();
        let sender = inner.clone();
        // It ends with the forge, which holds the other end.
        tokio::spawn(async move {
            while let Some(index) = waiting.recv().await {
                sender.send(index, Duration::ZERO).await;
                sender.pending.send_modify(|pending| *pending -= 1);
            }
        });
        Ok(Self { queue, inner })
    }

    pub(super) fn add(&self, hook: &Hook, payload: &Payload) {
        let delivery = Delivery {
            id: uuid::Uuid::new_v4().to_string(),
            hook: hook.id,
            url: hook.url.clone(),
            event: payload.event.to_owned(),
            body: payload.body.to_string(),
            answers: Vec::new(),
            kind: payload.kind.to_owned(),
            secret: hook.secret.clone(),
        };
        let mut all = lock(&self.inner.all);
        all.push(delivery);
        if *lock(&self.inner.sending) == Sending::OnTime {
            self.inner.pending.send_modify(|pending| *pending += 1);
            // The other end lives as long as this one.
            let _ = self.queue.send(all.len() - 1);
        }
    }
}

impl Inner {
    /// Sends one, as if it had been signed `age` ago. Returns the receiver's status, 0 where there is none.
    async fn send(&self, index: usize, age: Duration) -> u16 {
        let Some(delivery) = lock(&self.all).get(index).cloned() else { return 0 };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(age);
        let mut request = self.client.post(&delivery.url).header("content-type", "application/json");
        for (name, value) in sign::headers(self.dialect, &delivery, now.as_secs()) {
            request = request.header(name, value);
        }
        let status = match request.body(delivery.body).send().await {
            Ok(response) => response.status().as_u16(),
            Err(error) => {
                tracing::warn!(error = %error.without_url(), "a webhook was not taken");
                0
            }
        };
        if let Some(delivery) = lock(&self.all).get_mut(index) {
            delivery.answers.push(status);
        }
        status
    }
}

impl Forge {
    /// Sends deliveries by themselves, or not, from now on.
    pub fn set_sending(&self, sending: Sending) {
        *lock(&self.shared.webhooks.inner.sending) = sending;
    }

    /// Everything that webhooks had to say so far, in the order of what has happened.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        lock(&self.shared.webhooks.inner.all).clone()
    }

    /// Sends a delivery now, whether or not it was sent before. Returns the receiver's status, 0 where there is none.
    pub async fn send(&self, delivery: &Delivery) -> u16 {
        self.send_old(delivery, Duration::ZERO).await
    }

    /// Sends a delivery that was signed `age` ago, where signatures have a time.
    pub async fn send_old(&self, delivery: &Delivery, age: Duration) -> u16 {
        let index = lock(&self.shared.webhooks.inner.all).iter().position(|known| known.id == delivery.id);
        match index {
            Some(index) => self.shared.webhooks.inner.send(index, age).await,
            None => 0,
        }
    }

    /// Waits until nothing is on its way.
    pub async fn all_sent(&self) {
        // The sender lives as long as this forge.
        let _ = self.shared.webhooks.inner.pending.subscribe().wait_for(|pending| *pending == 0).await;
    }
}
