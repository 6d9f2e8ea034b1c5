//! The patience with the repository's host: what fails for the moment is retried, so that no finished work is lost.

use super::{Attempt, AttemptError};
use crate::git::GitError;
use std::future::Future;
use std::time::Duration;
use terarchitect_forge::{LONGEST_WAIT, Standing, standing_at};
use terarchitect_outbound::{Retriable, Retry, Waits, chain};

/// How often a refusal that the forge does not repeat counts as passing.
pub(super) const DOUBTS: u32 = 2;

/// How long to wait before the next try: what the remote asks for, within bounds, else growing waits.
struct Patience {
    waits: Waits,
    /// How much more of the waits that the remote asks for is granted.
    granted: Duration,
}

impl Patience {
    fn new(patience: Duration) -> Self {
        Self { waits: Waits::new(Retry::For(patience)), granted: LONGEST_WAIT }
    }

    /// The next wait, or none when it is over.
    fn next(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let Some(asked) = asked else { return self.waits.next_wait() };
        // A wait of nothing must not become a busy loop.
        let wait = asked.max(Duration::from_secs(1));
        self.granted = self.granted.checked_sub(wait)?;
        Some(wait)
    }
}

impl Attempt {
    /// Calls git until it succeeds, fails for good, or the patience is over. Each failure is in the ticket's log.
    pub(super) async fn patiently<T, F, Fut>(&self, for_push: bool, mut call: F) -> Result<T, AttemptError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, AttemptError>>,
    {
        let (mut patience, mut doubts) = (Patience::new(Duration::from_secs(self.options.git_patience_sec)), DOUBTS);
        loop {
            let error = match call().await {
                Err(AttemptError::Git(error)) => self.look_closer(error, for_push, &mut doubts).await,
                result => return result,
            };
            let wait = if error.may_pass() { patience.next(error.retry_after()) } else { None };
            let Some(wait) = wait else { return Err(AttemptError::Git(error)) };
            let text = format!("{}; retrying in {:.0} s", chain(&error), wait.as_secs_f64().ceil());
            self.reporter.log("retry", &text, None);
            self.progress.now(&self.mask.apply(&text));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.cancel.cancelled() => return Err(AttemptError::Cancelled),
            }
        }
    }

    /// The error as it is, unless the forge says that it is a rate limit, which libgit2 can't tell from a refusal. Where
    /// the forge accepts the same request by now, the refusal counts as passing, at most `doubts` times.
    pub(super) async fn look_closer(&self, error: GitError, for_push: bool, doubts: &mut u32) -> GitError {
        let (url, said) = match &error {
            GitError::Denied { url, status: Some(403), .. } => (url.clone(), "it limits requests".to_owned()),
            GitError::Busy { url, said, wait: None } => (url.clone(), said.clone()),
            _ => return error,
        };
        let Ok(address) = url.parse() else { return error };
        let token = self.agent.github_token.as_ref().filter(|_| self.agent.token_home.covers(&address));
        let standing = tokio::select! {
            standing = standing_at(&address, token, for_push) => standing,
            () = self.cancel.cancelled() => return GitError::Cancelled,
        };
        match standing {
            Standing::Limited(limit) => GitError::Busy { url, said, wait: limit.wait },
            Standing::Open if *doubts > 0 => {
                *doubts -= 1;
                GitError::Busy { url, said: "it refused once, and no longer does".to_owned(), wait: None }
            }
            Standing::Open | Standing::Refused => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_is_asked_for_is_granted_within_bounds() {
        let mut patience = Patience::new(Duration::from_secs(90));
        assert_eq!(patience.next(Some(Duration::from_secs(400))), Some(Duration::from_secs(400)));
        assert_eq!(patience.next(Some(Duration::from_secs(400))), None);
        assert_eq!(patience.next(Some(Duration::ZERO)), Some(Duration::from_secs(1)));
        assert!(patience.next(None).is_some_and(|wait| wait < Duration::from_secs(1)));
    }
}
