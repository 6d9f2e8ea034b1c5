//! Webhooks of v0's agents: signed as Cursor signs, one at a time.

use super::model::CloudAgent;
use super::server::lock;
use crate::forge::Sending;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a webhook says. A test may change it before it sends it.
#[derive(Clone, Debug)]
pub struct CloudDelivery {
    /// Its id, which a repeat keeps.
    pub id: String,
    /// Where it goes.
    pub url: String,
    /// The event.
    pub event: String,
    /// The body, as it is sent.
    pub body: String,
    /// What it is signed with.
    pub secret: String,
}

pub(super) struct Webhooks {
    queue: mpsc::UnboundedSender<CloudDelivery>,
    inner: Arc<Inner>,
}

struct Inner {
    client: reqwest::Client,
    sending: Mutex<Sending>,
    all: Mutex<Vec<CloudDelivery>>,
    /// How many are on their way.
    pending: watch::Sender<usize>,
}

impl Webhooks {
    /// # Errors
    /// The HTTP client could not be set up.
    pub(super) fn start() -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build()?;
        let pending = watch::Sender::new(0);
        let inner = Arc::new(Inner { client, sending: Mutex::default(), all: Mutex::default(), pending });
        let (queue, mut waiting) = mpsc::unbounded_channel();
        let sender = inner.clone();
        // It ends with the cloud, which holds the other end.
        tokio::spawn(async move {
            while let Some(delivery) = waiting.recv().await {
                sender.send(&delivery).await;
                sender.pending.send_modify(|pending| *pending -= 1);
            }
        });
        Ok(Self { queue, inner })
    }

    /// How an agent's work ended, for whom its launch named.
    pub(super) fn say(&self, agent: &CloudAgent) {
        let Some(url) = agent.webhook.clone() else { return };
        let run = agent.latest();
        let mut body = json!({
            "event": "statusChange",
            "timestamp": chrono::Utc::now(),
            "id": agent.id,
            "name": agent.name,
            "status": run.status,
            "source": {"repository": agent.repository.split("://").last(), "ref": agent.start},
            "target": {"url": format!("https://cursor.com/agents?id={}", agent.id), "branchName": agent.branch},
        });
        if let Some(pull) = &run.pull {
            body["target"]["prUrl"] = json!(pull);
        }
        if let Some(summary) = &run.summary {
            body["summary"] = json!(summary);
        }
        let delivery = CloudDelivery {
            id: format!("msg_{}", uuid::Uuid::new_v4().simple()),
            url,
            event: "statusChange".to_owned(),
            body: body.to_string(),
            secret: agent.webhook_secret.clone().unwrap_or_default(),
        };
        lock(&self.inner.all).push(delivery.clone());
        if *lock(&self.inner.sending) == Sending::OnTime {
            self.inner.pending.send_modify(|pending| *pending += 1);
            // The other end lives as long as this one.
            let _ = self.queue.send(delivery);
        }
    }

    pub(super) fn set_sending(&self, sending: Sending) {
        *lock(&self.inner.sending) = sending;
    }

    pub(super) fn all(&self) -> Vec<CloudDelivery> {
        lock(&self.inner.all).clone()
    }

    pub(super) async fn send(&self, delivery: &CloudDelivery) -> (u16, String) {
        self.inner.send(delivery).await
    }

    pub(super) async fn all_sent(&self) {
        // The sender lives as long as this.
        let _ = self.inner.pending.subscribe().wait_for(|pending| *pending == 0).await;
    }
}

impl Inner {
    /// The receiver's status, 0 where there is none, and its body.
    async fn send(&self, delivery: &CloudDelivery) -> (u16, String) {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(delivery.secret.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(delivery.body.as_bytes());
        let request = self
            .client
            .post(&delivery.url)
            .header("content-type", "application/json")
            .header("user-agent", "Cursor-Agent-Webhook/1.0")
            .header("x-webhook-event", &delivery.event)
            .header("x-webhook-id", &delivery.id)
            .header("x-webhook-signature", format!("sha256={}", hex::encode(mac.finalize().into_bytes())));
        match request.body(delivery.body.clone()).send().await {
            Ok(response) => (response.status().as_u16(), response.text().await.unwrap_or_default()),
            Err(error) => {
                tracing::warn!(error = %error.without_url(), "a webhook was not taken");
                (0, String::new())
            }
        }
    }
}
