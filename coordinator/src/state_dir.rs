//! What outlives a coordinator on disk: its identity under an exclusive lock, and the outbox of reports that the API has
//! not acknowledged yet.

use crate::outcome::Verdict;
use crate::spec::Attempt;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Why the directory can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another coordinator uses it.
    #[error("another coordinator uses the state directory {}; stop it, or set COORDINATOR_STATE_DIR to another directory", dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// A file can't be read or written.
    #[error("could not read or write {}; set COORDINATOR_STATE_DIR to a directory that you can write", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
}

/// A state directory that is ours while this lives.
#[derive(Debug)]
pub struct StateDir {
    outbox: PathBuf,
    claim: PathBuf,
    coordinator: Uuid,
    _lock: File,
}

/// A report that waits for the API.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pending {
    /// The job.
    pub job_id: terarchitect_worker_api::JobId,
    /// The attempt.
    pub attempt: i32,
    /// What to report.
    pub verdict: Verdict,
}

impl StateDir {
    /// Takes the directory, unless another process has it.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn open(dir: &Path) -> Result<Self, StateError> {
        let outbox = dir.join("outbox");
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| StateError::Io { path, source }
        };
        fs::create_dir_all(&outbox).map_err(failed(&outbox))?;
        let path = dir.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed(&path))?;
        match rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(StateError::InUse { dir: dir.to_owned() }),
            Err(errno) => return Err(failed(&path)(errno.into())),
        }
        let path = dir.join("coordinator-id");
        let coordinator = match fs::read_to_string(&path).map(|text| text.trim().parse()) {
            Ok(Ok(id)) => id,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&path)(error)),
            Ok(Err(_)) | Err(_) => {
                let id = Uuid::now_v7();
                write_durably(&path, id.to_string().as_bytes()).map_err(failed(&path))?;
                id
            }
        };
        Ok(Self { outbox, claim: dir.join("claim"), coordinator, _lock: lock })
    }

    /// Who this coordinator is, for the API and on its containers.
    #[must_use]
    pub fn coordinator(&self) -> Uuid {
        self.coordinator
    }

    /// The request id of the claim that an earlier coordinator may have been in the middle of: asked again with it, the
    /// API answers the same job.
    #[must_use]
    pub fn claim_under_way(&self) -> Option<Uuid> {
        fs::read_to_string(&self.claim).ok()?.trim().parse().ok()
    }

    /// Keeps the request id of the claim that comes next, before it is sent.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn begin_claim(&self, request: Uuid) -> Result<(), StateError> {
        write_durably(&self.claim, request.to_string().as_bytes())
            .map_err(|source| StateError::Io { path: self.claim.clone(), source })
    }

    /// Keeps a report until the API has acknowledged it.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn keep(&self, pending: &Pending) -> Result<(), StateError> {
        let path = self.path(Attempt { job_id: pending.job_id, attempt: pending.attempt });
        let failed = |source: io::Error| StateError::Io { path: path.clone(), source };
        let text = serde_json::to_vec(pending).map_err(|error| failed(error.into()))?;
        write_durably(&path, &text).map_err(failed)
    }

    /// The report that was kept for an attempt.
    #[must_use]
    pub fn kept(&self, attempt: Attempt) -> Option<Pending> {
        let text = fs::read(self.path(attempt)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Every report that was kept.
    ///
    /// # Errors
    /// When the outbox can't be read.
    pub fn all_kept(&self) -> Result<Vec<Pending>, StateError> {
        let failed = |source| StateError::Io { path: self.outbox.clone(), source };
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.outbox).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            match fs::read(&path).map(|text| serde_json::from_slice(&text)) {
                Ok(Ok(pending)) => all.push(pending),
                Ok(Err(error)) => {
                    tracing::error!(path = %path.display(), %error, "a kept report can't be read; leaving it");
                }
                Err(source) => return Err(StateError::Io { path, source }),
            }
        }
        Ok(all)
    }

    /// Forgets a report.
    pub fn forget(&self, attempt: Attempt) {
        let path = self.path(attempt);
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            // It will be reported once more, which the API answers like the first time.
            tracing::warn!(path = %path.display(), %error, "could not remove an acknowledged report");
        }
    }

    fn path(&self, attempt: Attempt) -> PathBuf {
        self.outbox.join(format!("{}-{}.json", attempt.job_id, attempt.attempt))
    }
}

/// Written beside its place, synced and renamed: after a crash it is there whole or not at all.
fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut file = File::create(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::could_not_run;
    use terarchitect_worker_api::{JobId, Reason};

    #[test]
    fn identity_and_reports_outlive_a_coordinator_and_a_second_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let first = StateDir::open(dir.path()).unwrap();
        assert!(matches!(StateDir::open(dir.path()), Err(StateError::InUse { .. })));
        let attempt = Attempt { job_id: JobId::new(), attempt: 2 };
        let verdict = could_not_run(Some(2), Reason::EngineError, "x".into());
        first.keep(&Pending { job_id: attempt.job_id, attempt: 2, verdict: verdict.clone() }).unwrap();
        let id = first.coordinator();
        let request = Uuid::now_v7();
        first.begin_claim(request).unwrap();
        drop(first);
        let second = StateDir::open(dir.path()).unwrap();
        assert_eq!((second.coordinator(), second.claim_under_way()), (id, Some(request)));
        assert_eq!(second.kept(attempt).unwrap().verdict, verdict);
        assert_eq!(second.all_kept().unwrap().len(), 1);
        second.forget(attempt);
        assert!(second.all_kept().unwrap().is_empty());
    }
}
