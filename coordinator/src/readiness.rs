//! Whether another container could be run here. What can't be run must not be claimed: it would only fail, or wait for
//! its lease to run out, while another machine could have it.

use crate::disk::DiskWatch;
use crate::job::Shared;
use terarchitect_outbound::chain;

/// What keeps this coordinator from claiming.
#[derive(Debug, Default)]
pub struct Readiness {
    disk: DiskWatch,
    silent: bool,
    imageless: bool,
}

/// What to do about an image that can't be had.
#[must_use]
pub fn image_hint(image: &str) -> String {
    format!("build it with scripts/build-agent-image, pull it with docker pull {image}, or set AGENT_IMAGE")
}

impl Readiness {
    /// Whether the engine answers, has room, and has the image that jobs need, pulled where the policy says so. Says in the
    /// log when that changes.
    pub async fn may_claim(&mut self, shared: &Shared) -> bool {
        self.engine_answers(shared).await && !self.disk.is_short(shared).await && self.has_image(shared).await
    }

    async fn engine_answers(&mut self, shared: &Shared) -> bool {
        let answer = shared.engine.version().await;
        match &answer {
            Ok(_) if self.silent => tracing::info!("the engine answers again; claiming"),
            Err(error) if !self.silent => {
                tracing::error!(error = %chain(error), "claiming nothing until the engine answers; what runs is left alone");
            }
            _ => {}
        }
        self.silent = answer.is_err();
        !self.silent
    }

    async fn has_image(&mut self, shared: &Shared) -> bool {
        let image = &shared.config.image;
        let had = shared.images.require(shared.engine.as_ref(), image).await;
        if let Err(error) = &had
            && !self.imageless
        {
            tracing::error!(error = %chain(error), "claiming nothing until the image is there; {}", image_hint(image));
        }
        self.imageless = had.is_err();
        !self.imageless
    }
}
