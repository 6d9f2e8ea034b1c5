//! Starts what should be ready, and removes what should not.

use crate::engine::{Created, EngineError};
use crate::job::{Shared, wait_for_end};
use crate::warm::{Kind, Ready, Step};
use std::sync::Arc;
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio_util::sync::CancellationToken;

/// How long to wait after one could not be made ready, or ended.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// Keeps containers ready until `stop`, and removes them then.
pub(crate) async fn keep_ready(shared: Arc<Shared>, stop: CancellationToken) {
    if shared.warm.is_off() {
        return;
    }
    let mut pause = shared.config.warm_settle;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = shared.warm.changed.notified() => {}
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
        pause = shared.config.warm_settle;
        while let Some(step) = shared.warm.next().filter(|_| !stop.is_cancelled()) {
            match step {
                Step::Remove(id) => {
                    if let Some(ready) = shared.warm.lose(&id) {
                        remove(&shared, ready).await;
                    }
                }
                Step::Start(kind) => {
                    if let Err(error) = start(&shared, kind).await {
                        tracing::warn!(error = %chain(&error), "could not get a container ready in advance; it is retried in a minute");
                        pause = TRY_AGAIN;
                        shared.warm.changed.notify_one();
                        break;
                    }
                }
            }
        }
        shared.metrics.warm(shared.warm.ready());
    }
    for ready in shared.warm.close() {
        remove(&shared, ready).await;
    }
}

async fn start(shared: &Arc<Shared>, kind: Kind) -> Result<(), EngineError> {
    let spec = kind.container(shared.state.coordinator());
    if !shared.warm.begin(&spec.name) {
        return Ok(());
    }
    let started = async {
        let _permit = shared.starts.acquire().await;
        let (Created::New(id) | Created::Existing(id)) = shared.engine.create(&spec).await?;
        match shared.engine.start_waiting(&id).await {
            Ok(input) => Ok(Ready { id, name: spec.name.clone(), input, kind }),
            Err(error) => {
                discard(shared, &id).await;
                Err(error)
            }
        }
    };
    let ready = match started.await {
        Ok(ready) => ready,
        Err(error) => {
            shared.warm.forget(&spec.name);
            return Err(error);
        }
    };
    tracing::info!(container = spec.name, "started a container in advance, for the next job of its project");
    let id = ready.id.clone();
    if let Some(late) = shared.warm.add(ready) {
        remove(shared, late).await;
        return Ok(());
    }
    let shared = shared.clone();
    tokio::spawn(async move {
        wait_for_end(&shared, &id).await;
        // One that has got its job is not among them any more.
        if let Some(ended) = shared.warm.lose(&id) {
            tracing::warn!(container = ended.name, "a container that was ready for a job ended; starting another one");
            remove(&shared, ended).await;
            tokio::time::sleep(TRY_AGAIN).await;
            shared.warm.changed.notify_one();
        }
    });
    Ok(())
}

async fn remove(shared: &Shared, ready: Ready) {
    discard(shared, &ready.id).await;
    shared.warm.forget(&ready.name);
}

/// One that can't be removed now is removed as a stray.
async fn discard(shared: &Shared, id: &str) {
    if let Err(error) = shared.engine.remove(id).await {
        tracing::warn!(container = id, error = %chain(&error), "could not remove a container that was ready for a job; retrying later");
    }
}
