//! The pause between two writes that a forge asks for.

use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};
use url::Url;

/// What GitHub asks for, or it limits the account ("secondary rate limits"). Enterprise Server limits nothing by default.
const GITHUB_GAP: Duration = Duration::from_secs(1);

/// Lets the writes of one client happen one after the other, with a pause in between.
#[derive(Debug)]
pub(super) struct Spacing {
    gap: Duration,
    next: Mutex<Option<Instant>>,
}

impl Spacing {
    pub(super) fn at(api: &Url) -> Self {
        let host = api.host_str().unwrap_or_default();
        let is_hosted = host == "api.github.com" || host.ends_with(".ghe.com");
        Self { gap: if is_hosted { GITHUB_GAP } else { Duration::ZERO }, next: Mutex::default() }
    }

    /// Waits until a write may be sent.
    pub(super) async fn wait(&self) {
        if self.gap.is_zero() {
            return;
        }
        let mut next = self.next.lock().await;
        if let Some(at) = *next {
            sleep_until(at).await;
        }
        *next = Some(Instant::now() + self.gap);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn time_of_three(api: &str) -> Duration {
        let spacing = Spacing::at(&api.parse().unwrap());
        let started = Instant::now();
        for _ in 0..3 {
            spacing.wait().await;
        }
        started.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn writes_at_github_are_a_second_apart() {
        assert_eq!(time_of_three("https://api.github.com").await.as_secs(), 2);
        assert_eq!(time_of_three("https://api.acme.ghe.com").await.as_secs(), 2);
        assert_eq!(time_of_three("https://git.example/api/v3").await, Duration::ZERO);
    }
}
