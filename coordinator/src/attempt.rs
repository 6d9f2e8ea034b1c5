//! Which attempt a container belongs to, and what is reported about it.

use crate::engine::Found;
use crate::engine::spec::{LABEL_PREFIX, WARM_LABEL};
use std::collections::BTreeMap;
use terarchitect_worker_api::{Job, JobId, JobReport};

/// Which attempt of which job this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt {
    /// The job.
    pub job_id: JobId,
    /// The attempt; 0 where the API does not count them.
    pub attempt: i32,
}

impl Attempt {
    /// The attempt that a claim returned.
    #[must_use]
    pub fn of(job: &Job) -> Self {
        Self { job_id: job.job_id, attempt: job.attempt.unwrap_or(0) }
    }

    /// The attempt as it is reported; none where the API does not count them.
    #[must_use]
    pub fn number(self) -> Option<i32> {
        (self.attempt > 0).then_some(self.attempt)
    }

    /// The name of its container.
    #[must_use]
    pub fn container_name(self) -> String {
        format!("terarchitect-{}-{}", self.job_id, self.attempt)
    }

    /// The attempt that a container is of. Labels alone do not tell: an image that a person made of an agent's container
    /// (docker commit) has its labels, and so has every container of that image. Only the agent's has the name.
    #[must_use]
    pub fn of_container(found: &Found) -> Option<Self> {
        // One that was started in advance has no attempt on its labels, and gets its name with its job.
        let named = || Self::from_name(&found.name).filter(|_| found.labels.contains_key(WARM_LABEL));
        let attempt = Self::from_labels(&found.labels).or_else(named);
        attempt.filter(|attempt| attempt.container_name() == found.name)
    }

    fn from_name(name: &str) -> Option<Self> {
        let (job_id, attempt) = name.strip_prefix("terarchitect-")?.rsplit_once('-')?;
        Some(Self { job_id: job_id.parse().ok()?, attempt: attempt.parse().ok()? })
    }

    /// The attempt that a container's labels name.
    #[must_use]
    pub fn from_labels(labels: &BTreeMap<String, String>) -> Option<Self> {
        let label = |name: &str| labels.get(&format!("{LABEL_PREFIX}{name}"));
        Some(Self { job_id: label("job-id")?.parse().ok()?, attempt: label("attempt")?.parse().ok()? })
    }
}

/// What to report about an attempt.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Verdict {
    /// Whether to call `complete` or `fail`.
    pub success: bool,
    /// The body.
    pub report: JobReport,
}
