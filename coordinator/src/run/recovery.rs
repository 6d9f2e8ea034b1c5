//! What an earlier coordinator left: its containers and reports, and what it was in the middle of.

use super::Coordinator;
use crate::claims::{Claimed, claim};
use crate::engine::{Found, State};
use crate::job::Origin;
use crate::outcome::could_not_run;
use crate::spec::Attempt;
use anyhow::Context;
use std::time::Duration;
use terarchitect_outbound::{Retry, chain};
use terarchitect_worker_api::{Reason, WorkerJob};
use tokio::time::Instant;

/// How long one must be alone before it is taken over.
const REAP_GRACE: Duration = Duration::from_secs(300);
/// How long a recovery waits for the API; what it can't recover comes back by its lease.
const RECOVERY_PATIENCE: Duration = Duration::from_secs(30);

impl Coordinator {
    /// Takes over the containers and reports of an earlier coordinator.
    pub(super) async fn adopt(&mut self) -> anyhow::Result<()> {
        let own = self
            .shared
            .engine
            .list_own(self.shared.state.coordinator())
            .await
            .context("could not look for containers of an earlier run")?;
        for found in own {
            let Some(attempt) = Attempt::from_labels(&found.labels) else { continue };
            self.adopt_one(attempt, found).await;
        }
        for pending in self.shared.state.all_kept()? {
            let attempt = Attempt { job_id: pending.job_id, attempt: pending.attempt };
            if !self.lock().contains_key(&attempt) {
                self.spawn(attempt, Origin::Report(Box::new(pending.verdict)), None);
            }
        }
        Ok(())
    }

    /// What an earlier coordinator was in the middle of, as far as neither a container nor a report shows it: the job of
    /// a claim whose answer never became a container, and leases of which nothing is left.
    pub(super) async fn recover(&mut self) {
        let shared = self.shared.clone();
        let coordinator = shared.state.coordinator();
        let Ok(leases) = shared.client.worker_jobs(&coordinator.to_string(), Retry::For(RECOVERY_PATIENCE)).await
        else {
            tracing::warn!(
                "the API did not tell which jobs are held; what is not looked after comes back by its lease"
            );
            return;
        };
        let unknown = |this: &Self, job: &WorkerJob| {
            let attempt = Attempt { job_id: job.job_id, attempt: job.attempt };
            !this.lock().contains_key(&attempt) && shared.state.kept(attempt).is_none()
        };
        let claims = shared.state.claims_under_way().unwrap_or_else(|error| {
            tracing::error!(error = %chain(&error), "could not look for claims of an earlier run");
            Vec::new()
        });
        for request in claims {
            if !leases.jobs.iter().any(|job| unknown(self, job)) {
                shared.state.end_claim(request);
                continue;
            }
            // The same request again gets the same job, with everything that its container needs.
            match claim(&shared.client, &shared.config, coordinator, true, request, 0).await {
                Ok(Claimed::Job(job, asked)) => self.take(&job, asked, request),
                Ok(Claimed::None | Claimed::NoneHeld) => shared.state.end_claim(request),
                Err(error) => tracing::warn!(error = error.chain(), "could not repeat a claim of an earlier run"),
            }
        }
        let lost: Vec<WorkerJob> = leases.jobs.iter().filter(|job| unknown(self, job)).copied().collect();
        for job in lost {
            tracing::warn!(job.id = %job.job_id, attempt = job.attempt, "a job is held, but nothing is left of its container");
            let detail = "the coordinator was restarted and found no container of this job".to_owned();
            let verdict = could_not_run(Some(job.attempt), Reason::ContainerLost, detail);
            let attempt = Attempt { job_id: job.job_id, attempt: job.attempt };
            self.spawn(attempt, Origin::Report(Box::new(verdict)), None);
        }
    }

    /// Looks for containers of ours that nobody looks after, such as of a job whose supervision ended badly. Only what is
    /// still alone after a while: one that is just being made is known to its job alone.
    pub(super) async fn reap(&mut self) {
        let own = match self.shared.engine.list_own(self.shared.state.coordinator()).await {
            Ok(own) => own,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "could not look for containers that nobody looks after");
                return;
            }
        };
        let alone: Vec<(Attempt, Found)> = {
            let held = self.lock();
            own.into_iter()
                .filter_map(|found| Some((Attempt::from_labels(&found.labels)?, found)))
                .filter(|(attempt, _)| !held.contains_key(attempt))
                .collect()
        };
        self.alone.retain(|attempt, _| alone.iter().any(|(other, _)| other == attempt));
        for (attempt, found) in alone {
            let since = *self.alone.entry(attempt).or_insert_with(Instant::now);
            if since.elapsed() >= REAP_GRACE {
                tracing::warn!(job.id = %attempt.job_id, attempt = attempt.attempt, "found a container that nobody looks after");
                self.alone.remove(&attempt);
                self.adopt_one(attempt, found).await;
            }
        }
    }

    async fn adopt_one(&mut self, attempt: Attempt, found: Found) {
        if found.state == State::Created {
            // It never ran. Its job's lease runs out, or the claim is repeated and makes it anew.
            tracing::info!(job.id = %attempt.job_id, "removing a container that was never started");
            if let Err(error) = self.shared.engine.remove(&found.id).await {
                tracing::warn!(error = %chain(&error), "could not remove a container; the next look tries again");
            }
            return;
        }
        tracing::info!(job.id = %attempt.job_id, attempt = attempt.attempt, state = ?found.state, "adopting a container");
        self.shared.metrics.adopted();
        self.spawn(attempt, Origin::Adopted(Box::new(found)), None);
    }
}
