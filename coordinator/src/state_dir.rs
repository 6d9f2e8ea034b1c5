//! What outlives a coordinator on disk: its identity, under an exclusive lock; the claims whose container has not been
//! started yet; the labels that a container could not get any more; and the outbox of reports that the API has not
//! acknowledged yet.

use crate::attempt::Attempt;
use crate::attempt::Verdict;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
    /// The identity is not one that this version can read.
    #[error(
        "{} does not contain a UUID; restore it, or remove it to start with a new identity: jobs of the old one then return to the queue when their leases expire",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A file can't be read or written.
    #[error("could not read or write {}; set COORDINATOR_STATE_DIR to a directory that this user can write to", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
}

/// A state directory, locked until this is dropped.
#[derive(Debug)]
pub struct StateDir {
    outbox: PathBuf,
    claims: PathBuf,
    assigned: PathBuf,
    coordinator: Uuid,
    _lock: File,
}

/// What a container that was started before its job can't have on its labels any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assigned {
    /// The labels of its job.
    pub labels: BTreeMap<String, String>,
    /// When it got its job.
    pub at: DateTime<Utc>,
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
    /// Locks the directory, unless another process has locked it.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn open(dir: &Path) -> Result<Self, StateError> {
        let outbox = dir.join("outbox");
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| StateError::Io { path, source }
        };
        let claims = dir.join("claims");
        let assigned = dir.join("assigned");
        for folder in [&outbox, &claims, &assigned] {
            fs::create_dir_all(folder).map_err(failed(folder))?;
        }
        let path = dir.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed(&path))?;
        match rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(StateError::InUse { dir: dir.to_owned() }),
            Err(errno) => return Err(failed(&path)(errno.into())),
        }
        let path = dir.join("coordinator-id");
        let coordinator = match fs::read(&path).map(|bytes| id_in(&bytes)) {
            Ok(Some(id)) => id,
            // A new identity would orphan the containers and leases of the old one.
            Ok(None) => return Err(StateError::Damaged { path }),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&path)(error)),
            Err(_) => {
                let id = Uuid::now_v7();
                write_durably(&path, id.to_string().as_bytes()).map_err(failed(&path))?;
                id
            }
        };
        Ok(Self { outbox, claims, assigned, coordinator, _lock: lock })
    }

    /// This coordinator's identity, for the API and on the labels of its containers.
    #[must_use]
    pub fn coordinator(&self) -> Uuid {
        self.coordinator
    }

    /// The request ids of claims whose container may not have been started yet. A claim repeated with one of them gets
    /// the same job.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn claims_under_way(&self) -> Result<Vec<Uuid>, StateError> {
        let failed = |source| StateError::Io { path: self.claims.clone(), source };
        let mut claims = Vec::new();
        for entry in fs::read_dir(&self.claims).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            claims.extend(name.to_str().and_then(|name| name.parse::<Uuid>().ok()));
        }
        Ok(claims)
    }

    /// Writes down the request id of the next claim, before it is sent.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn begin_claim(&self, request: Uuid) -> Result<(), StateError> {
        let path = self.claims.join(request.to_string());
        write_durably(&path, b"").map_err(|source| StateError::Io { path, source })
    }

    /// Forgets a claim: its container was started, or it got no job.
    pub fn end_claim(&self, request: Uuid) {
        // If it can't be removed, the claim is repeated at the next start, and gets the same job or none.
        remove_file(&self.claims.join(request.to_string()), "could not remove the file of a finished claim");
    }

    /// Writes down the labels of a container that gets its job now, before it has the attempt's name.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn assign(&self, attempt: Attempt, assigned: &Assigned) -> Result<(), StateError> {
        let path = file_of(&self.assigned, attempt);
        let failed = |source: io::Error| StateError::Io { path: path.clone(), source };
        let text = serde_json::to_vec(assigned).map_err(|error| failed(error.into()))?;
        write_durably(&path, &text).map_err(failed)
    }

    /// The labels of a container that got its job after its start; none for others.
    #[must_use]
    pub fn assigned(&self, attempt: Attempt) -> Option<Assigned> {
        serde_json::from_slice(&fs::read(file_of(&self.assigned, attempt)).ok()?).ok()
    }

    /// Forgets them: the container is gone.
    pub fn end_assignment(&self, attempt: Attempt) {
        // If it can't be removed, it says nothing about any other container.
        remove_file(&file_of(&self.assigned, attempt), "could not remove the labels of a container that is gone");
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
                    tracing::error!(path = %path.display(), %error, "could not read a report in the outbox, so it is not sent; the file is left in place");
                }
                Err(source) => return Err(StateError::Io { path, source }),
            }
        }
        Ok(all)
    }

    /// Forgets a report.
    pub fn forget(&self, attempt: Attempt) {
        // If it can't be removed, it is sent again at the next start, and the API responds as it did the first time.
        remove_file(&self.path(attempt), "could not remove an acknowledged report");
    }

    fn path(&self, attempt: Attempt) -> PathBuf {
        file_of(&self.outbox, attempt)
    }
}

fn file_of(folder: &Path, attempt: Attempt) -> PathBuf {
    folder.join(format!("{}-{}.json", attempt.job_id, attempt.attempt))
}

fn id_in(bytes: &[u8]) -> Option<Uuid> {
    std::str::from_utf8(bytes).ok()?.trim().parse().ok()
}

fn remove_file(path: &Path, problem: &'static str) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "{problem}");
    }
}

/// Writes a file beside its place, syncs and renames it: after a crash it is there whole or not at all.
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
    use crate::job::outcome::could_not_run;
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
        let assigned = Assigned { labels: BTreeMap::from([("a".to_owned(), "b".to_owned())]), at: Utc::now() };
        first.assign(attempt, &assigned).unwrap();
        drop(first);
        let second = StateDir::open(dir.path()).unwrap();
        assert_eq!((second.coordinator(), second.claims_under_way().unwrap()), (id, vec![request]));
        second.end_claim(request);
        assert!(second.claims_under_way().unwrap().is_empty());
        assert_eq!(second.kept(attempt).unwrap().verdict, verdict);
        assert_eq!(second.all_kept().unwrap().len(), 1);
        assert_eq!(second.assigned(attempt), Some(assigned));
        second.end_assignment(attempt);
        assert_eq!(second.assigned(attempt), None);
        second.forget(attempt);
        assert!(second.all_kept().unwrap().is_empty());
    }

    #[test]
    fn a_damaged_identity_is_an_error_and_no_new_identity() {
        let dir = tempfile::tempdir().unwrap();
        drop(StateDir::open(dir.path()).unwrap());
        // Text, other bytes, the zeros that a loss of power leaves, and nothing.
        for damage in [&b"garbled"[..], b"\xff\xfe\x00", &[0; 36], b""] {
            std::fs::write(dir.path().join("coordinator-id"), damage).unwrap();
            assert!(matches!(StateDir::open(dir.path()), Err(StateError::Damaged { .. })), "{damage:?}");
            assert_eq!(std::fs::read(dir.path().join("coordinator-id")).unwrap(), damage);
        }
    }
}
