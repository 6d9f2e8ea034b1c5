//! How much a worker or runner may send.

use crate::domain::refusal::Refusal;
use terarchitect_worker_api::{HeartbeatRequest, HostFinding, JobReport, Reason};

/// The longest log tail that is kept, in bytes.
const MAX_LOG_TAIL_BYTES: usize = 64 * 1024;
/// The longest sentence of a report, in bytes.
const MAX_DETAIL_BYTES: usize = 4 * 1024;
/// The longest reason that this version does not know, in bytes.
const MAX_REASON_BYTES: usize = 100;
/// The longest name or version in a heartbeat, in bytes.
const MAX_WORD_BYTES: usize = 200;
/// The most findings in one heartbeat, and the longest of their texts, in bytes.
const MAX_FINDINGS: usize = 50;
const MAX_FINDING_BYTES: usize = 2 * 1024;
/// The most projects that a coordinator claims for by name.
const MAX_PROJECTS: usize = 10_000;
/// The most jobs in one heartbeat.
const MAX_JOBS: usize = 10_000;

/// Shortens a report: keeps the end of a tail that is too long, and the beginning of other texts.
#[must_use]
pub fn bounded(mut report: JobReport) -> JobReport {
    if let Some(tail) = report.log_tail.as_mut().filter(|tail| tail.len() > MAX_LOG_TAIL_BYTES) {
        let from = (tail.len() - MAX_LOG_TAIL_BYTES..=tail.len()).find(|&at| tail.is_char_boundary(at));
        tail.drain(..from.unwrap_or_default());
    }
    if let Some(detail) = report.detail.as_mut() {
        detail.truncate(detail.floor_char_boundary(MAX_DETAIL_BYTES));
    }
    if let Some(Reason::Other(word)) = report.reason.as_mut() {
        word.truncate(word.floor_char_boundary(MAX_REASON_BYTES));
    }
    report
}

/// Checks a heartbeat's texts and the number of its jobs.
///
/// # Errors
/// When there is too much of something.
pub fn check_heartbeat(beat: &HeartbeatRequest) -> Result<(), Refusal> {
    let words = [beat.name.as_ref(), beat.version.as_ref(), beat.engine.as_ref()];
    if words.into_iter().flatten().any(|word| word.len() > MAX_WORD_BYTES) {
        return Err(Refusal::invalid(format!(
            "'name', 'version' and 'engine' must be at most {MAX_WORD_BYTES} bytes long."
        )));
    }
    let findings = beat.findings.as_deref().unwrap_or_default();
    let too_long = |text: &String| text.len() > MAX_FINDING_BYTES;
    let is_long = |finding: &HostFinding| {
        too_long(&finding.check) || too_long(&finding.sentence) || finding.fix.as_ref().is_some_and(too_long)
    };
    if findings.len() > MAX_FINDINGS || findings.iter().any(is_long) || beat.projects.len() > MAX_PROJECTS {
        return Err(Refusal::invalid("A heartbeat has too many findings or projects, or a finding that is too long."));
    }
    if beat.jobs.len() > MAX_JOBS {
        return Err(Refusal::invalid(format!("A heartbeat names at most {MAX_JOBS} jobs.")));
    }
    Ok(())
}
