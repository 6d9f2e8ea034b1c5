//! Reporting: a kept report is sent until a response of the API settles it.

use super::Shared;
use crate::state_dir::Pending;
use std::time::Duration;
use terarchitect_outbound::Retry;
use terarchitect_worker_api::Reason;
use terarchitect_worker_api::client::ClientError;

/// The pause between retries of a report that is refused for a reason that a person can fix, such as a wrong key.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);

/// Sends a kept report until a response of the API settles it.
pub(super) async fn report_until_acknowledged(shared: &Shared, pending: &Pending) {
    let (job, verdict) = (pending.job_id, &pending.verdict);
    loop {
        let sent = if verdict.success {
            shared.client.complete_job(job, &verdict.report, Retry::Forever).await
        } else {
            shared.client.fail_job(job, &verdict.report, Retry::Forever).await
        };
        match sent {
            Ok(response) => {
                let reason = verdict.report.reason.as_ref().map(Reason::as_str);
                shared.metrics.ended(verdict.report.reason.as_ref());
                tracing::info!(job.id = %job, attempt = pending.attempt, status = response.status.as_str(), reason, "a job ended");
                return;
            }
            Err(error) if settles(&error, pending.attempt == 0) => {
                tracing::warn!(job.id = %job, attempt = pending.attempt, error = error.chain(), "the API refused a report: this attempt has already ended there");
                return;
            }
            Err(error) => {
                tracing::error!(job.id = %job, error = error.chain(), "the API refuses a report; it stays in the outbox and is sent again; check TERARCHITECT_API_URL and TERARCHITECT_WORKER_API_KEY");
                tokio::time::sleep(REFUSED_PAUSE).await;
            }
        }
    }
}

/// Whether the error means that the report need not be sent again: the attempt is over already, or the job was deleted.
/// A 404 that is not the API's own may come from a proxy or a wrong address, so the report waits. An API of the plain
/// contract does not count attempts, may word its 404 freely, and may respond to a report with any body.
fn settles(error: &ClientError, api_is_plain: bool) -> bool {
    match error {
        ClientError::InvalidResponse { .. } => api_is_plain,
        error => match error.status().map(|status| status.as_u16()) {
            Some(404) => api_is_plain || error.code() == Some("not_found"),
            status => matches!(status, Some(409 | 410)),
        },
    }
}
