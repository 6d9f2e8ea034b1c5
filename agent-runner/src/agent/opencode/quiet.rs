//! Notices that an agent says nothing any more. While a tool runs, it need not say anything.

use crate::stuck::Found;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// When the agent was last heard in a prompt, and how many of its tools run.
#[derive(Clone, Copy, Debug)]
struct Heard {
    at: Instant,
    running: usize,
    /// Whether it said anything since its prompt: before that, its server gets ready.
    has_begun: bool,
}

/// None while no prompt runs.
#[derive(Debug)]
pub(super) struct Quiet {
    heard: watch::Sender<Option<Heard>>,
    seconds: u32,
}

impl Quiet {
    /// With 0 seconds nothing is noticed.
    pub(super) fn new(seconds: u32) -> Self {
        Self { heard: watch::Sender::new(None), seconds }
    }

    /// A prompt begins.
    pub(super) fn begin(&self) {
        self.heard.send_replace(Some(Heard { at: Instant::now(), running: 0, has_begun: false }));
    }

    /// The prompt has ended.
    pub(super) fn end(&self) {
        self.heard.send_replace(None);
    }

    /// The agent said or did something, and so many of its tools run now.
    pub(super) fn hear(&self, running: usize) {
        self.heard.send_if_modified(|heard| {
            let is_watched = heard.is_some();
            *heard = heard.map(|_| Heard { at: Instant::now(), running, has_begun: true });
            is_watched
        });
    }

    /// Waits until the agent was silent for too long.
    pub(super) async fn too_long(&self) -> Found {
        let mut changes = self.heard.subscribe();
        loop {
            let heard = *changes.borrow_and_update();
            let watched = heard.filter(|heard| heard.has_begun && heard.running == 0 && self.seconds > 0);
            let Some(heard) = watched else {
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                continue;
            };
            let until = heard.at + Duration::from_secs(self.seconds.into());
            if timeout_at(until, changes.changed()).await.is_err() {
                self.end();
                return Found::silent(self.seconds);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_says_nothing_is_noticed_and_one_whose_tool_runs_is_not() {
        let quiet = Quiet::new(60);
        let after = async |wait: u64| tokio::time::timeout(Duration::from_secs(wait), quiet.too_long()).await.ok();
        assert_eq!(after(1000).await, None, "no prompt runs");
        quiet.begin();
        assert_eq!(after(1000).await, None, "the prompt is not accepted yet");
        quiet.hear(0);
        assert_eq!(after(59).await, None);
        quiet.hear(1);
        assert_eq!(after(1000).await, None, "a tool runs");
        quiet.hear(0);
        assert_eq!(after(61).await, Some(Found::silent(60)));
        assert_eq!(after(1000).await, None, "it was noticed already");
    }
}
