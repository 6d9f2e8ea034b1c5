//! When to try a call again, and how long to wait: exponential backoff with jitter. The only user of `backoff`.

use super::ClientError;
use backoff::backoff::Backoff;
use std::future::Future;
use std::time::Duration;

/// How stubborn a call is. Only failures that can pass are tried again: no connection, a time-out, 429 and 5xx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// One try.
    Never,
    /// Again and again until this much time has passed since the first try.
    For(Duration),
    /// Until it works or is refused; the caller cancels by dropping the future.
    Forever,
}

/// The waits between tries: from 200 ms, growing 1.6-fold with jitter, to 10 s.
pub struct Waits(backoff::ExponentialBackoff);

impl Waits {
    /// The waits of one call.
    #[must_use]
    pub fn new(retry: Retry) -> Self {
        Self(backoff::ExponentialBackoff {
            initial_interval: Duration::from_millis(200),
            current_interval: Duration::from_millis(200),
            multiplier: 1.6,
            randomization_factor: 0.4,
            max_interval: Duration::from_secs(10),
            max_elapsed_time: match retry {
                Retry::Never => Some(Duration::ZERO),
                Retry::For(limit) => Some(limit),
                Retry::Forever => None,
            },
            ..backoff::ExponentialBackoff::default()
        })
    }

    /// The next wait, or none when the time is over.
    pub fn next_wait(&mut self) -> Option<Duration> {
        self.0.next_backoff()
    }
}

/// Runs `call` until it succeeds, fails for good, or `retry` is over. Says each new try in the log.
pub(super) async fn retry<T, F, Fut>(retry: Retry, mut call: F) -> Result<T, ClientError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, ClientError>>,
{
    let mut waits = Waits::new(retry);
    loop {
        match call().await {
            Err(error) if error.may_pass() && retry != Retry::Never => match waits.next_wait() {
                Some(wait) => {
                    let wait = error.retry_after().unwrap_or(wait);
                    tracing::warn!(error = %error.chain(), wait_ms = wait.as_millis(), "a call did not work, trying again");
                    tokio::time::sleep(wait).await;
                }
                None => return Err(error),
            },
            result => return result,
        }
    }
}
