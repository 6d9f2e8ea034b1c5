//! Waiting: for a container to end, and for requests to end a job early.

use super::machine::EndRequest;
use super::outcome::StoppedFor;
use super::{Controls, Shared};
use crate::engine::{Found, State};
use std::time::Duration;
use terarchitect_outbound::{Retry, Waits, chain};
use tokio::time::Instant;

/// How long to wait for a container before inspecting it: a connection to a remote engine may be dead without an error.
const INSPECT_AFTER: Duration = Duration::from_secs(60);
/// The pause between retries once the retry schedule has no more waits.
const RETRY_PAUSE: Duration = Duration::from_secs(30);

/// Waits for anything that ends the job early: a cancellation, the deadline, the end of the lease.
pub(super) async fn end_requested(controls: &Controls, deadline: Option<Instant>) -> EndRequest {
    let timed_out = async {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        request = lost_or_detached(controls) => request,
        () = controls.cancel.cancelled() => EndRequest::Stop(StoppedFor::Cancel),
        () = timed_out => EndRequest::Stop(StoppedFor::Timeout),
        () = lease_over(controls) => EndRequest::Stop(StoppedFor::LeaseOver),
    }
}

pub(super) async fn lost_or_detached(controls: &Controls) -> EndRequest {
    tokio::select! {
        () = controls.lost.cancelled() => EndRequest::Lost,
        () = controls.detach.cancelled() => EndRequest::Detach,
    }
}

/// Waits until the lease has expired, by this machine's monotonic clock.
async fn lease_over(controls: &Controls) {
    let mut lease = controls.lease.subscribe();
    loop {
        let until = *lease.borrow_and_update();
        let passed = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = passed => return,
            // The sender lives as long as the controls.
            _ = lease.changed() => {}
        }
    }
}

/// Waits for the container's end, also across restarts of the engine.
pub(super) async fn wait_for_end(shared: &Shared, id: &str) {
    let mut waits = Waits::new(Retry::Forever);
    loop {
        let waited = tokio::time::timeout(INSPECT_AFTER, shared.engine.wait(id)).await;
        let problem = match &waited {
            Ok(Err(error)) => chain(error),
            Ok(Ok(())) | Err(_) => match shared.engine.inspect(id).await {
                Ok(Found { state: State::Running { .. }, .. }) if waited.is_err() => continue,
                Ok(Found { state: State::Running { .. }, .. }) => "the container is still running".to_owned(),
                Ok(_) => return,
                Err(error) => chain(&error),
            },
        };
        tracing::warn!(container = id, problem, "lost the connection to a container; inspecting it again");
        tokio::time::sleep(waits.next_wait().unwrap_or(RETRY_PAUSE)).await;
    }
}
