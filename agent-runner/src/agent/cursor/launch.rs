//! What an agent is launched with, and under which names.

use super::CursorOptions;
use sha2::{Digest, Sha256};
use terarchitect_cursor::{Launch, Version};
use uuid::{Builder, Uuid};

/// The launch of the `number`-th agent of a job: the same whichever attempt asks, so that it happens once.
pub(super) fn launch(options: &CursorOptions, seed: Uuid, number: u32, prompt: String) -> Launch {
    let key = key(seed, number);
    Launch {
        key,
        prompt,
        repository: options.repository.trim_end_matches('/').trim_end_matches(".git").to_owned(),
        start: options.branch.clone(),
        branch: own_branch(options, key),
        on_start: true,
        model: options.model.clone(),
        // The runner opens it, once the work is proven.
        open_pull: false,
        notify: None,
    }
}

/// v1 works on the ticket's branch itself. v0 finds an agent by its branch, so that this has to be one of its own.
fn own_branch(options: &CursorOptions, key: Uuid) -> String {
    match options.version {
        Version::V0 => format!("{}-cursor-{}", options.branch, &key.simple().to_string()[..8]),
        Version::V1 => options.branch.clone(),
    }
}

/// A UUID that follows from the job.
fn key(seed: Uuid, number: u32) -> Uuid {
    let digest = Sha256::digest(format!("terarchitect agent {number} of {seed}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Builder::from_random_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::NoProgress;
    use std::sync::Arc;
    use std::time::Duration;

    fn options(version: Version) -> CursorOptions {
        CursorOptions {
            api: "https://api.cursor.com".parse().unwrap(),
            key: "key".into(),
            version,
            model: None,
            repository: "https://github.com/o/r.git".to_owned(),
            branch: "ticket-1".to_owned(),
            job: None,
            turn_timeout: Duration::from_secs(1),
            look: Duration::from_secs(1),
            progress: Arc::new(NoProgress),
        }
    }

    #[test]
    fn a_job_s_agents_have_names_that_any_attempt_finds_again() {
        let (job, other) = (Uuid::now_v7(), Uuid::now_v7());
        let keys = [key(job, 0), key(job, 1), key(other, 0)];
        assert_eq!(keys[0], key(job, 0));
        assert!(keys[0] != keys[1] && keys[0] != keys[2] && keys[0].get_version_num() == 4);
        let v0 = launch(&options(Version::V0), job, 0, "Do it.".to_owned());
        assert_eq!((v0.start.as_str(), v0.repository.as_str()), ("ticket-1", "https://github.com/o/r"));
        assert!(v0.branch.starts_with("ticket-1-cursor-") && !v0.open_pull);
        let v1 = launch(&options(Version::V1), job, 0, "Do it.".to_owned());
        assert_eq!((v1.branch.as_str(), v1.on_start), ("ticket-1", true));
    }
}
