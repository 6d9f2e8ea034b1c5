//! Writes that must happen once. A forge may do what it was asked, and its response be lost: then the write is looked for
//! before it is repeated.

use super::{Call, Failure, Http, Reply};
use crate::ForgeError;
use std::future::Future;
use terarchitect_outbound::{Retry, Waits};

impl Http {
    /// Writes, unless `find` finds it done. Returns any response, or what was found.
    ///
    /// `known` says whether `find` can know it, which it can't where a text has no marker: then a write that may have
    /// happened is not repeated.
    ///
    /// # Errors
    /// The forge is unavailable, or `find` fails.
    pub(crate) async fn once<T, F, Found>(&self, call: Call, known: bool, mut find: F) -> Result<Once<T>, ForgeError>
    where
        F: FnMut() -> Found + Send,
        Found: Future<Output = Result<Option<T>, ForgeError>> + Send,
    {
        let call = call.once();
        let mut waits = Waits::new(Retry::For(self.patience.failures));
        loop {
            if known && let Some(done) = find().await? {
                return Ok(Once::Found(done));
            }
            match self.send(&call).await {
                Ok(reply) => return Ok(Once::Sent(reply)),
                Err(Failure::Lost(error)) => {
                    // The forge may still be at it when the connection is lost, so the look comes after a wait.
                    let wait = if known { waits.next_wait() } else { None };
                    let Some(wait) = wait else { return Err(error) };
                    tracing::warn!(%error, "the response to a write was lost; looking whether it happened");
                    tokio::time::sleep(wait).await;
                }
                Err(Failure::Undone(error)) => return Err(error),
            }
        }
    }
}

/// How a write ended.
#[derive(Debug)]
pub(crate) enum Once<T> {
    /// It had happened before.
    Found(T),
    /// The forge responded.
    Sent(Reply),
}
