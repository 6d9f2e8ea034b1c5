//! When to retry a call, and how long to wait: exponential backoff with jitter. The only user of `backoff`.

use crate::chain;
use backoff::backoff::Backoff;
use http::HeaderMap;
use http::header::RETRY_AFTER;
use std::future::Future;
use std::time::Duration;

/// The longest wait that a server can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// How persistent a call is. Only temporary failures are retried, see [`Retriable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// One try.
    Never,
    /// Retry until this much time has passed since the first try.
    For(Duration),
    /// Retry until the call succeeds or is refused; the caller cancels by dropping the future.
    Forever,
}

/// An error of a single try.
pub trait Retriable: std::error::Error + 'static {
    /// Whether the same call may succeed later: no connection, a timeout, 429 or 5xx.
    fn may_pass(&self) -> bool;

    /// How long the server asks to wait before the next try; see [`retry_after`].
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// The waits between retries: from 200 ms, growing 1.6-fold with jitter, to 10 s.
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

    /// The next wait, or none when the time is up.
    pub fn next_wait(&mut self) -> Option<Duration> {
        self.0.next_backoff()
    }
}

/// Calls until it succeeds, fails for good, or the time is up; then returns the last try's error. Logs each retry.
///
/// # Errors
/// The error of the last try.
pub async fn retry<T, E, F, Fut>(retry: Retry, mut call: F) -> Result<T, E>
where
    E: Retriable,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let mut waits = Waits::new(retry);
    loop {
        match call().await {
            Err(error) if error.may_pass() && retry != Retry::Never => match waits.next_wait() {
                Some(wait) => {
                    let wait = error.retry_after().unwrap_or(wait);
                    tracing::warn!(error = %chain(&error), wait_ms = wait.as_millis(), "a call failed; retrying");
                    tokio::time::sleep(wait).await;
                }
                None => return Err(error),
            },
            result => return result,
        }
    }
}

/// The wait that a response's `Retry-After` header asks for in seconds, up to a minute.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::time::Instant;

    #[derive(Debug, PartialEq, thiserror::Error)]
    #[error("failed")]
    struct Failed {
        may_pass: bool,
        retry_after: Option<Duration>,
    }

    impl Retriable for Failed {
        fn may_pass(&self) -> bool {
            self.may_pass
        }

        fn retry_after(&self) -> Option<Duration> {
            self.retry_after
        }
    }

    /// A call that fails until its fourth try: how often it was tried, and what became of it.
    async fn tried(how: Retry, failed: fn() -> Failed) -> (u32, Result<(), Failed>) {
        let tries = Cell::new(0);
        let result = retry(how, || {
            tries.set(tries.get() + 1);
            let result = if tries.get() < 4 { Err(failed()) } else { Ok(()) };
            async { result }
        });
        let result = result.await;
        (tries.get(), result)
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_that_may_pass_is_retried_and_another_is_not() {
        let passing = || Failed { may_pass: true, retry_after: None };
        let final_one = || Failed { may_pass: false, retry_after: None };
        assert_eq!(tried(Retry::Forever, passing).await, (4, Ok(())));
        assert_eq!(tried(Retry::Never, passing).await, (1, Err(passing())));
        assert_eq!(tried(Retry::Forever, final_one).await, (1, Err(final_one())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_asks_for_a_wait_gets_it() {
        let started = Instant::now();
        let asking = || Failed { may_pass: true, retry_after: Some(Duration::from_secs(20)) };
        assert_eq!(tried(Retry::Forever, asking).await.0, 4);
        assert_eq!(started.elapsed(), Duration::from_secs(60));
    }

    #[test]
    fn the_retry_after_header_is_read_in_seconds_and_bounded() {
        let asked = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, http::HeaderValue::from_static(value));
            retry_after(&headers)
        };
        assert_eq!(asked("7"), Some(Duration::from_secs(7)));
        assert_eq!(asked("86400"), Some(Duration::from_secs(60)));
        assert_eq!(asked("Fri, 13 Nov 2026 10:00:00 GMT"), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
