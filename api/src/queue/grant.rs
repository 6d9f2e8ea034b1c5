//! A claimed job on its way to the worker that asked for it.

use crate::actions::ActionResult;
use crate::actions::jobs::end_attempt::end_attempt;
use crate::changes::Database;
use crate::db;
use crate::db::jobs::ReportedJob;
use crate::db::worker::claims::ClaimedJob;
use crate::domain::actor::Actor;
use crate::domain::jobs::attempt::Reported;
use crate::domain::jobs::outcome::Ending;
use std::time::Duration;
use terarchitect_outbound::chain;
use terarchitect_worker_api::{Job, JobReport, JobStatus};
use tokio_util::task::TaskTracker;

/// How long to retry giving back a job whose worker disconnected. After that, its lease has to expire.
const GIVE_BACK_TRIES: u32 = 5;
const GIVE_BACK_PAUSE: Duration = Duration::from_secs(1);

/// A claimed job on its way to the worker that asked for it. Dropped before it was passed on, it gives the job back:
/// the worker has disconnected and would never learn that it holds it.
#[derive(Debug)]
pub struct Grant {
    claimed: Option<ClaimedJob>,
    database: Database,
    tasks: TaskTracker,
}

impl Grant {
    pub(super) fn new(claimed: ClaimedJob, database: Database, tasks: TaskTracker) -> Self {
        Self { claimed: Some(claimed), database, tasks }
    }

    /// The job.
    ///
    /// # Panics
    /// Never: only [`Grant::passed_on`] takes it, and that consumes the grant.
    #[must_use]
    pub fn job(&self) -> &Job {
        &self.claimed.as_ref().expect("a grant holds its job until it is passed on").job
    }

    /// The worker has it now.
    pub fn passed_on(mut self) {
        self.claimed = None;
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        let Some(claimed) = self.claimed.take() else { return };
        let database = self.database.clone();
        self.tasks.spawn(async move {
            let job = &claimed.job;
            tracing::info!(
                job.id = %job.job_id,
                attempt = job.attempt,
                "the worker disconnected before it got its job; giving the job back"
            );
            for _ in 0..GIVE_BACK_TRIES {
                match give_back(&database, &claimed).await {
                    Ok(()) => return,
                    Err(error) => tracing::warn!(error = chain(&error), "could not give a job back; retrying"),
                }
                tokio::time::sleep(GIVE_BACK_PAUSE).await;
            }
        });
    }
}

async fn give_back(database: &Database, claimed: &ClaimedJob) -> ActionResult<()> {
    let mut change = database.change(&Actor::System).await?;
    let job = &claimed.job;
    let found = db::jobs::find_for_report(&mut change, job.job_id).await?;
    // Not when the worker has repeated its claim meanwhile, and has the job now.
    let ours = |now: &ReportedJob| {
        now.status == JobStatus::Running
            && Some(now.attempt) == job.attempt
            && now.claimed_at == Some(claimed.claimed_at)
    };
    if let Some(found) = found.filter(ours) {
        let (released, report) = (Some(Reported::Released), JobReport::default());
        end_attempt(&mut change, job.job_id, &found, Ending::Released, released, &report).await?;
    }
    Ok(change.commit().await?)
}
