//! Checkpoints: what a job may stop at, what they say, and how a decision about one is made.

pub mod policy;

use crate::domain::jobs::terms::NewJob;
use crate::domain::refusal::{ErrorCode, Refusal};
use serde_json::{Map, Value, json};
use std::time::Duration;
use terarchitect_worker_api::{
    CheckpointStage, CheckpointStatus, CheckpointType, JobId, OpenCheckpoint, ProjectId, Stop, TicketId,
};

/// How long a checkpoint waits before it expires, where nothing else is said.
pub const EXPIRES_AFTER: Duration = Duration::from_secs(24 * 3600);
/// How long a job waits after its attempt was held whose coordinator names no attempts: until that has reported the end of its
/// container, a report of it can't be told from one about the next attempt.
pub const UNNAMED_REPORT_WITHIN: Duration = Duration::from_secs(15);

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 200;
/// The longest message, in bytes.
const MAX_MESSAGE_BYTES: usize = 8 * 1024;
/// The longest data and metadata together, in bytes.
const MAX_DATA_BYTES: usize = 1024 * 1024;
/// The longest words of a person, in bytes.
const MAX_WORDS_BYTES: usize = 32 * 1024;

/// The key of the checkpoint that is opened with a job.
pub const START_KEY: &str = "start";
/// What a checkpoint is rejected with where its job ended before anyone decided.
pub const JOB_ENDED: &str = "The job ended before this was decided.";
/// What a checkpoint is rejected with where the person gave no reason.
pub const NO_REASON: &str = "Rejected by a person.";

/// A checkpoint to open.
#[derive(Clone, Debug, PartialEq)]
pub struct NewCheckpoint {
    /// Its project.
    pub project_id: ProjectId,
    /// Its ticket.
    pub ticket_id: TicketId,
    /// Its job.
    pub job_id: JobId,
    /// The attempt that opens it; none: it is opened with the job.
    pub attempt: Option<i32>,
    /// What makes it one among those of its job.
    pub key: String,
    /// What it wants of a person.
    pub kind: CheckpointType,
    /// Where in the job's life it stands.
    pub stage: Option<CheckpointStage>,
    /// What a person should decide or know.
    pub message: String,
    /// What it is about.
    pub data: Map<String, Value>,
    /// For programs.
    pub metadata: Map<String, Value>,
}

/// A decision about a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is approved, perhaps with words for the agent.
    Approve(Option<String>),
    /// It is rejected, for this reason.
    Reject(String),
}

impl Decision {
    /// An approval, with what the person says to the agent.
    ///
    /// # Errors
    /// When that is too long.
    pub fn approval(words: Option<&str>) -> Result<Self, Refusal> {
        Ok(Self::Approve(said("answer", words)?))
    }

    /// A rejection, with the reason that the person gives.
    ///
    /// # Errors
    /// When that is too long.
    pub fn rejection(reason: Option<&str>) -> Result<Self, Refusal> {
        Ok(Self::Reject(said("reason", reason)?.unwrap_or_else(|| NO_REASON.to_owned())))
    }

    /// What becomes of the checkpoint.
    #[must_use]
    pub const fn status(&self) -> CheckpointStatus {
        match self {
            Self::Approve(_) => CheckpointStatus::Approved,
            Self::Reject(_) => CheckpointStatus::Rejected,
        }
    }

    /// What the person said.
    #[must_use]
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::Approve(words) => words.as_deref(),
            Self::Reject(reason) => Some(reason),
        }
    }
}

fn said(field: &str, words: Option<&str>) -> Result<Option<String>, Refusal> {
    let words = words.map(str::trim).filter(|words| !words.is_empty());
    if words.is_some_and(|words| words.len() > MAX_WORDS_BYTES) {
        let limit = MAX_WORDS_BYTES / 1024;
        return Err(Refusal::invalid(format!("'{field}' is larger than {limit} KiB; shorten it.")));
    }
    Ok(words.map(str::to_owned))
}

/// Refuses a second decision about a checkpoint: it says what was decided. Postgres's clock says whether it `is_late`.
///
/// # Errors
/// When it is decided, or has expired.
pub fn require_open(status: CheckpointStatus, decided_by: Option<&str>, is_late: bool) -> Result<(), Refusal> {
    let refused = |sentence: String| Err(Refusal::new(ErrorCode::AlreadyDecided, sentence));
    match status {
        CheckpointStatus::Pending if is_late => {
            refused("This checkpoint has expired; retry its job to be asked again.".to_owned())
        }
        CheckpointStatus::Pending => Ok(()),
        CheckpointStatus::Expired => refused("This checkpoint is expired; retry its job to be asked again.".to_owned()),
        decided => {
            let by = decided_by.map(|by| format!(" by {by}")).unwrap_or_default();
            refused(format!("This checkpoint is {} already{by}; nothing was changed.", decided.as_str()))
        }
    }
}

/// Checks what a worker opens.
///
/// # Errors
/// When something of it is empty or too long.
pub fn check(request: &OpenCheckpoint) -> Result<(), Refusal> {
    if request.key.is_empty() || request.key.len() > MAX_KEY_BYTES {
        return Err(Refusal::invalid(format!("'key' must have from 1 to {MAX_KEY_BYTES} bytes.")));
    }
    if request.message.trim().is_empty() || request.message.len() > MAX_MESSAGE_BYTES {
        let limit = MAX_MESSAGE_BYTES / 1024;
        let sentence = format!("'message' must say what to decide or to know, in at most {limit} KiB.");
        return Err(Refusal::invalid(sentence));
    }
    if json!(request.data).to_string().len() + json!(request.metadata).to_string().len() > MAX_DATA_BYTES {
        let limit = MAX_DATA_BYTES / 1024;
        return Err(Refusal::invalid(format!("'data' and 'metadata' must have at most {limit} KiB.")));
    }
    Ok(())
}

/// What a stop says where its policy says nothing else.
#[must_use]
pub fn message(stop: &Stop) -> String {
    stop.message.clone().unwrap_or_else(|| {
        let text = match (stop.stage, stop.kind.blocks()) {
            (CheckpointStage::Start, true) => "Should this job start?",
            (CheckpointStage::Start, false) => "This job starts.",
            (CheckpointStage::Plan, true) => "Should the agent work by this plan?",
            (CheckpointStage::Plan, false) => "This is the agent's plan.",
            (CheckpointStage::Diff, true) => "Should these changes be handed in?",
            (CheckpointStage::Diff, false) => "These are the agent's changes.",
            (CheckpointStage::Output, true) => "Is this the result that you want?",
            (CheckpointStage::Output, false) => "This is the result.",
            (CheckpointStage::Question, _) => "The agent asks something.",
            (CheckpointStage::Budget, _) => "Should the budget be granted once more?",
        };
        text.to_owned()
    })
}

/// The checkpoint that is opened with a job, if its policy says so.
#[must_use]
pub fn at_start(job: &NewJob, id: JobId) -> Option<NewCheckpoint> {
    let stop = job.checkpoints.iter().find(|stop| stop.stage == CheckpointStage::Start)?;
    Some(NewCheckpoint {
        project_id: job.project_id,
        ticket_id: job.ticket_id,
        job_id: id,
        attempt: None,
        key: START_KEY.to_owned(),
        kind: stop.kind,
        stage: Some(stop.stage),
        message: message(stop),
        data: job.start_data.clone(),
        metadata: Map::from_iter([("stage".to_owned(), json!(stop.name.as_deref().unwrap_or(stop.stage.as_str())))]),
    })
}

/// Whether a job with this policy waits for a person before anything of it runs.
#[must_use]
pub fn waits_at_start(stops: &[Stop]) -> bool {
    stops.iter().any(|stop| stop.stage == CheckpointStage::Start && stop.kind.blocks())
}

#[cfg(test)]
mod tests {
    use super::*;
    use terarchitect_worker_api::JobKind;
    use uuid::Uuid;

    fn stop(stage: CheckpointStage, kind: CheckpointType) -> Stop {
        Stop { stage, kind, message: None, name: None }
    }

    #[test]
    fn a_second_decision_says_what_was_decided() {
        use CheckpointStatus::{Approved, Expired, Pending, Rejected};
        assert_eq!(require_open(Pending, None, false), Ok(()));
        let refused = |status, by, late| require_open(status, by, late).unwrap_err();
        let said = refused(Approved, Some("Ada"), false);
        assert_eq!(said.code.status(), 400);
        assert_eq!(said.message, "This checkpoint is approved already by Ada; nothing was changed.");
        assert!(refused(Rejected, None, true).message.contains("is rejected already"));
        for (status, late) in [(Expired, true), (Pending, true)] {
            assert!(refused(status, None, late).message.contains("expired"));
        }
    }

    #[test]
    fn what_people_say_is_trimmed_and_bounded() {
        assert_eq!(Decision::approval(Some(" \n")), Ok(Decision::Approve(None)));
        assert_eq!(Decision::rejection(None), Ok(Decision::Reject(NO_REASON.to_owned())));
        assert_eq!(Decision::rejection(Some(" No. ")).unwrap().words(), Some("No."));
        assert!(Decision::approval(Some(&"x".repeat(MAX_WORDS_BYTES + 1))).is_err());
    }

    #[test]
    fn a_job_waits_at_its_start_only_for_an_approval() {
        let info = stop(CheckpointStage::Start, CheckpointType::Info);
        let plan = stop(CheckpointStage::Plan, CheckpointType::ApprovalRequired);
        assert!(!waits_at_start(&[info.clone(), plan.clone()]));
        assert!(waits_at_start(&[plan, stop(CheckpointStage::Start, CheckpointType::ApprovalRequired)]));
        let job = NewJob::of_ticket(ProjectId(Uuid::nil()), TicketId(Uuid::nil()), JobKind::Ticket);
        assert_eq!(at_start(&job, JobId(Uuid::nil())), None);
        let job = NewJob { checkpoints: vec![info], ..job };
        let opened = at_start(&job, JobId(Uuid::nil())).unwrap();
        assert_eq!((opened.key.as_str(), opened.message.as_str()), ("start", "This job starts."));
    }
}
