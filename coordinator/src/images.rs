//! Images: pulled where the policy says so, and after failed pulls not retried for a while.

use crate::cli::PullPolicy;
use crate::engine::{ContainerEngine, EngineError};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How often a pull is tried.
const TRIES: u32 = 3;
/// The pause after the first try; it grows by as much after each further one.
const PAUSE: Duration = Duration::from_secs(2);
/// How long an image that could not be pulled is not retried.
const REST: Duration = Duration::from_secs(60);

/// Which images are available, and which could not be pulled a short while ago.
#[derive(Debug)]
pub struct Images {
    policy: PullPolicy,
    /// One pull at a time: two jobs that want the same image want one pull.
    pulling: tokio::sync::Mutex<()>,
    known: Mutex<HashMap<String, Known>>,
}

#[derive(Clone, Copy, Debug)]
enum Known {
    Pulled,
    /// A newer one could not be pulled a short while ago.
    OlderUntil(Instant),
    UnavailableUntil(Instant),
}

impl Images {
    /// Knows no image yet.
    #[must_use]
    pub fn new(policy: PullPolicy) -> Self {
        Self { policy, pulling: tokio::sync::Mutex::default(), known: Mutex::default() }
    }

    /// Makes sure that the image is on this machine.
    ///
    /// # Errors
    /// When it isn't, and can't be pulled now or could not be pulled a short while ago.
    pub async fn require(&self, engine: &dyn ContainerEngine, image: &str) -> Result<(), EngineError> {
        if self.rests(image) {
            return Err(EngineError::NoImage { image: image.to_owned() });
        }
        let there = engine.has_image(image).await?;
        match self.policy {
            PullPolicy::Never | PullPolicy::Missing if there => return Ok(()),
            PullPolicy::Never => return Err(EngineError::NoImage { image: image.to_owned() }),
            PullPolicy::Missing | PullPolicy::Always => {}
        }
        let _one = self.pulling.lock().await;
        if self.is_fresh(image) || (self.policy == PullPolicy::Missing && engine.has_image(image).await?) {
            return Ok(());
        }
        match pull(engine, image).await {
            Ok(()) => {
                self.remember(image, Known::Pulled);
                Ok(())
            }
            // An older image is better than none.
            Err(error) if there => {
                tracing::warn!(image, error = %terarchitect_outbound::chain(&error), "could not pull the image; using the one on this machine, which may be older");
                self.remember(image, Known::OlderUntil(Instant::now() + REST));
                Ok(())
            }
            Err(error) => {
                self.remember(image, Known::UnavailableUntil(Instant::now() + REST));
                Err(error)
            }
        }
    }

    /// Whether the image could not be pulled a short while ago: jobs that need it would only fail.
    #[must_use]
    pub fn rests(&self, image: &str) -> bool {
        matches!(self.lock().get(image), Some(Known::UnavailableUntil(until)) if Instant::now() < *until)
    }

    /// Whether the image needs no pull: with `always`, one pull in the life of the process is enough.
    fn is_fresh(&self, image: &str) -> bool {
        match self.lock().get(image) {
            Some(Known::Pulled) => true,
            Some(Known::OlderUntil(until)) => Instant::now() < *until,
            _ => false,
        }
    }

    fn remember(&self, image: &str, known: Known) {
        self.lock().insert(image.to_owned(), known);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn pull(engine: &dyn ContainerEngine, image: &str) -> Result<(), EngineError> {
    let mut tries = 0;
    loop {
        tries += 1;
        tracing::info!(image, tries, "pulling an image");
        match engine.pull(image).await {
            Ok(()) => return Ok(()),
            Err(error) if tries == TRIES => return Err(error),
            Err(error) => {
                tracing::warn!(image, error = %terarchitect_outbound::chain(&error), "could not pull an image; retrying");
                tokio::time::sleep(PAUSE * tries).await;
            }
        }
    }
}
