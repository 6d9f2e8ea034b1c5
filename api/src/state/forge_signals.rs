//! Signals between the tasks that work on what forges deliver. Each also looks by itself every few seconds, so that a
//! lost signal, or one of another process, costs no more than that.

use tokio::sync::Notify;

/// The signals, in the order in which a delivery causes them.
#[derive(Debug, Default)]
pub struct ForgeSignals {
    received: Notify,
    undecided: Notify,
    accepted: Notify,
    posts: Notify,
    looks: Notify,
    cloud: Notify,
}

impl ForgeSignals {
    /// A delivery was stored.
    pub fn notify_received(&self) {
        self.received.notify_one();
    }

    /// A delivery was worked on: there may be something to decide.
    pub fn notify_undecided(&self) {
        self.undecided.notify_one();
    }

    /// Something is an order now.
    pub fn notify_accepted(&self) {
        self.accepted.notify_one();
    }

    /// There is something to say at a forge.
    pub fn notify_posts(&self) {
        self.posts.notify_one();
    }

    /// A pull request is to be read.
    pub fn notify_looks(&self) {
        self.looks.notify_one();
    }

    /// A cloud has said something about an agent.
    pub fn notify_cloud(&self) {
        self.cloud.notify_one();
    }

    /// Waits for [`ForgeSignals::notify_received`].
    pub async fn received(&self) {
        self.received.notified().await;
    }

    /// Waits for [`ForgeSignals::notify_undecided`].
    pub async fn undecided(&self) {
        self.undecided.notified().await;
    }

    /// Waits for [`ForgeSignals::notify_accepted`].
    pub async fn accepted(&self) {
        self.accepted.notified().await;
    }

    /// Waits for [`ForgeSignals::notify_looks`].
    pub async fn looks(&self) {
        self.looks.notified().await;
    }

    /// Waits for [`ForgeSignals::notify_cloud`].
    pub async fn cloud(&self) {
        self.cloud.notified().await;
    }

    /// Waits for [`ForgeSignals::notify_posts`].
    pub async fn posts(&self) {
        self.posts.notified().await;
    }
}
