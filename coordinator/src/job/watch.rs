//! Waiting: for a container to end, and for requests to end a job early.

use super::machine::EndRequest;
use super::outcome::StoppedFor;
use super::{Controls, Shared};
use crate::deadline::Moment;
use crate::engine::{Found, State};
use std::time::Duration;
use terarchitect_outbound::{Retry, Waits, chain};

/// How long to wait for a container before inspecting it: a connection to a remote engine may be dead without an error.
const INSPECT_AFTER: Duration = Duration::from_secs(60);
/// A lease that ended longer ago than this ended while this machine slept, or while this program was stopped.
const SLEPT: Duration = Duration::from_secs(2);
/// How long heartbeats may take to renew such a lease. The API may still hold it, and then the work goes on.
const AWAKE_GRACE: Duration = Duration::from_secs(10);
/// The pause between retries once the retry schedule has no more waits.
const RETRY_PAUSE: Duration = Duration::from_secs(30);

/// Waits for anything that ends the job early: a cancellation, the deadline, the end of the lease.
pub(super) async fn end_requested(controls: &Controls, deadline: Option<Moment>) -> EndRequest {
    let timed_out = async {
        match deadline {
            Some(deadline) => deadline.reached().await,
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

/// Waits until the lease has expired, also while this machine sleeps. After a sleep the next heartbeat says whether the
/// API holds it nevertheless.
async fn lease_over(controls: &Controls) {
    let mut lease = controls.lease.subscribe();
    loop {
        let until = *lease.borrow_and_update();
        let passed = async {
            let Some(until) = until else { return std::future::pending().await };
            until.reached().await;
            if until.elapsed() > SLEPT {
                tokio::time::sleep(AWAKE_GRACE).await;
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
pub(crate) async fn wait_for_end(shared: &Shared, id: &str) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_ended_in_a_sleep_is_over_unless_it_is_renewed_at_once() {
        let controls = Controls::default();
        let slept = || Moment::now() - Duration::from_secs(3600);
        controls.renew(slept());
        let mut over = std::pin::pin!(lease_over(&controls));
        assert!(tokio::time::timeout(AWAKE_GRACE / 2, &mut over).await.is_err(), "a heartbeat may come");
        controls.renew(Moment::after(Duration::from_secs(3600)));
        assert!(tokio::time::timeout(AWAKE_GRACE * 2, &mut over).await.is_err(), "it was renewed");
        controls.renew(slept());
        assert!(tokio::time::timeout(AWAKE_GRACE * 2, &mut over).await.is_ok(), "no heartbeat came");
    }
}
