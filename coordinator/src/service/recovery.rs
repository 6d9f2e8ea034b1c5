//! Recovery of what an earlier coordinator left: containers, unsent reports, claims in progress.

use super::Coordinator;
use crate::attempt::Attempt;
use crate::claims::{Claimed, claim};
use crate::engine::spec::{WAITS, WARM_LABEL};
use crate::engine::{Found, State};
use crate::job::Origin;
use crate::job::outcome::could_not_run;
use anyhow::Context;
use std::time::Duration;
use terarchitect_outbound::{Retry, chain};
use terarchitect_worker_api::{Reason, WorkerJob};
use tokio::time::Instant;

/// How long a container must be without supervision before it is adopted.
const REAP_GRACE: Duration = Duration::from_secs(300);
/// How long a recovery waits for the API. Jobs that it can't recover return to the queue when their leases expire.
const RECOVERY_PATIENCE: Duration = Duration::from_secs(30);

impl Coordinator {
    /// Takes over the containers and reports of an earlier coordinator.
    pub(super) async fn adopt(&mut self) -> anyhow::Result<()> {
        let own = self
            .shared
            .engine
            .list_own(self.shared.state.coordinator())
            .await
            .context("could not list containers of an earlier coordinator")?;
        for found in own {
            if self.is_left_over(&found) {
                self.remove_left_over(&found).await;
                continue;
            }
            match Attempt::of_container(&found) {
                Some(attempt) => self.adopt_one(attempt, found).await,
                None => tracing::error!(
                    container = found.id,
                    "a container has the labels of this coordinator, but not the name that goes with them, or labels that this version does not know; it is left alone: remove it with docker rm -f if it is not needed"
                ),
            }
        }
        for pending in self.shared.state.all_kept()? {
            let attempt = Attempt { job_id: pending.job_id, attempt: pending.attempt };
            if !self.lock().contains_key(&attempt) {
                self.spawn(attempt, Origin::Report(Box::new(pending.verdict)), None);
            }
        }
        Ok(())
    }

    /// Recovers what neither a container nor a report shows: jobs whose claim was in progress when the earlier
    /// coordinator ended, and leases of which nothing else is left.
    pub(super) async fn recover(&mut self) {
        let shared = self.shared.clone();
        let coordinator = shared.state.coordinator();
        let Ok(leases) = shared.client.worker_jobs(&coordinator.to_string(), Retry::For(RECOVERY_PATIENCE)).await
        else {
            tracing::warn!(
                "could not get the jobs that this coordinator holds from the API; those without a container return to the queue when their leases expire"
            );
            return;
        };
        let unknown = |this: &Self, job: &WorkerJob| {
            let attempt = Attempt { job_id: job.job_id, attempt: job.attempt };
            !this.lock().contains_key(&attempt) && shared.state.kept(attempt).is_none()
        };
        let claims = shared.state.claims_under_way().unwrap_or_else(|error| {
            tracing::error!(error = %chain(&error), "could not read the claims of an earlier coordinator from the state directory; their jobs are reported as lost");
            Vec::new()
        });
        for request in claims {
            if !leases.jobs.iter().any(|job| unknown(self, job)) {
                shared.state.end_claim(request);
                continue;
            }
            // A claim repeated with the same request id gets the same job, with everything that its container needs.
            match claim(&shared.client, &shared.config, coordinator, true, request, 0).await {
                Ok(Claimed::Job(job, asked)) => self.take(&job, asked, request),
                Ok(Claimed::None | Claimed::NoneHeld) => shared.state.end_claim(request),
                Err(error) => {
                    tracing::warn!(error = error.chain(), "could not repeat a claim of an earlier coordinator");
                }
            }
        }
        let lost: Vec<WorkerJob> = leases.jobs.iter().filter(|job| unknown(self, job)).copied().collect();
        for job in lost {
            tracing::warn!(job.id = %job.job_id, attempt = job.attempt, "the API lists a job as held here, but it has no container; reporting it as lost");
            let detail = "the coordinator was restarted and found no container of this job".to_owned();
            let verdict = could_not_run(Some(job.attempt), Reason::ContainerLost, detail);
            let attempt = Attempt { job_id: job.job_id, attempt: job.attempt };
            self.spawn(attempt, Origin::Report(Box::new(verdict)), None);
        }
    }

    /// Adopts containers of this coordinator that no task supervises, such as after a panic. Only those that stay
    /// without supervision for a while: a container that is just being created may not be listed as held yet.
    pub(super) async fn reap(&mut self) {
        let own = match self.shared.engine.list_own(self.shared.state.coordinator()).await {
            Ok(own) => own,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "could not list containers to find unsupervised ones");
                return;
            }
        };
        for found in own.iter().filter(|found| self.is_left_over(found)) {
            self.remove_left_over(found).await;
        }
        let strays: Vec<(Attempt, Found)> = {
            let held = self.lock();
            own.into_iter()
                .filter_map(|found| Some((Attempt::of_container(&found)?, found)))
                .filter(|(attempt, _)| !held.contains_key(attempt))
                .collect()
        };
        self.strays.retain(|attempt, _| strays.iter().any(|(other, _)| other == attempt));
        for (attempt, found) in strays {
            let since = *self.strays.entry(attempt).or_insert_with(Instant::now);
            if since.elapsed() >= REAP_GRACE {
                tracing::warn!(job.id = %attempt.job_id, attempt = attempt.attempt, "found a container that no task supervises; adopting it");
                self.strays.remove(&attempt);
                self.adopt_one(attempt, found).await;
            }
        }
    }

    /// Whether a container was to be ready for a job, and no coordinator holds its standard input any more.
    fn is_left_over(&self, found: &Found) -> bool {
        found.labels.contains_key(WARM_LABEL) && found.name.starts_with(WAITS) && !self.shared.warm.knows(&found.name)
    }

    async fn remove_left_over(&self, found: &Found) {
        tracing::info!(container = found.name, "removing a container that was ready for a job, and has none");
        if let Err(error) = self.shared.engine.remove(&found.id).await {
            tracing::warn!(error = %chain(&error), "could not remove a container that was ready for a job; retrying later");
        }
    }

    async fn adopt_one(&mut self, attempt: Attempt, mut found: Found) {
        if let Some(assigned) = self.shared.state.assigned(attempt) {
            found.labels.extend(assigned.labels);
            if let State::Running { since } = &mut found.state {
                *since = (*since).max(Some(assigned.at));
            }
        }
        if found.state == State::Created {
            // It never ran. The claim is repeated and creates it again, or its job's lease expires.
            tracing::info!(job.id = %attempt.job_id, "removing a container that was never started");
            if let Err(error) = self.shared.engine.remove(&found.id).await {
                tracing::warn!(error = %chain(&error), "could not remove a container that was never started; retrying later");
            }
            return;
        }
        tracing::info!(job.id = %attempt.job_id, attempt = attempt.attempt, state = ?found.state, "adopting a container");
        self.shared.metrics.adopted();
        self.shared.host.edit(|host| host.adopted += 1);
        self.spawn(attempt, Origin::Adopted(Box::new(found)), None);
    }
}
