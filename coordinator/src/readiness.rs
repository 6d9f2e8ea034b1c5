//! Whether another container could be started here. Otherwise nothing must be claimed: the job would fail, or wait
//! until its lease expires, while another machine could run it.

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

/// What to do about an image that is not available.
#[must_use]
pub fn image_hint(image: &str) -> String {
    format!("build it with scripts/build-agent-image, pull it with docker pull {image}, or set AGENT_IMAGE")
}

impl Readiness {
    /// Whether the engine responds, has room, and has the image that jobs need, which is pulled where the policy says
    /// so. Logs when that changes.
    pub async fn may_claim(&mut self, shared: &Shared) -> bool {
        self.engine_responds(shared).await && !self.disk.is_short(shared).await && self.has_image(shared).await
    }

    async fn engine_responds(&mut self, shared: &Shared) -> bool {
        let version = shared.engine.version().await;
        match &version {
            Ok(_) if self.silent => tracing::info!("the engine responds again; claiming jobs"),
            Err(error) if !self.silent => {
                tracing::error!(error = %chain(error), "the engine does not respond, so no jobs are claimed; check that it is running; running containers are left alone");
            }
            _ => {}
        }
        self.silent = version.is_err();
        !self.silent
    }

    async fn has_image(&mut self, shared: &Shared) -> bool {
        let image = &shared.config.image;
        let available = shared.images.require(shared.engine.as_ref(), image).await;
        if let Err(error) = &available
            && !self.imageless
        {
            tracing::error!(error = %chain(error), "the image is not available, so no jobs are claimed; {}", image_hint(image));
        }
        self.imageless = available.is_err();
        !self.imageless
    }
}
