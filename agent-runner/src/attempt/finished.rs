//! Work that is done is written down before anything else is tried, so that no later failure costs its turns
//! again: the next attempt at the same job begins at what is missing.

use super::{Attempt, AttemptError};
use crate::director::Outcome;
use crate::git::Workspace;
use crate::report::MAX_RAW_BYTES;
use crate::review::ReviewOrder;
use std::time::Duration;
use terarchitect_outbound::Retry;
use terarchitect_worker_api::{FinishedReview, FinishedWork, ReviewReply};

/// For how long the note is retried. The report that the ticket is complete waits for the API anyway.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest summary in the note, in bytes; the log's entries are bounded.
const MAX_SUMMARY_BYTES: usize = 16 * 1024;
/// The longest proof in it, in bytes.
const MAX_PROOF_BYTES: usize = 16 * 1024;

/// Writes down that the branch with this head is the whole work, before it is pushed. A failure costs nothing but the safety.
/// `comment` is what a review's job says about it at the pull request, `replies` what it says in its threads.
pub(super) async fn note(
    attempt: &Attempt,
    head: &str,
    outcome: &Outcome,
    comment: Option<&str>,
    replies: &[ReviewReply],
) {
    let summary = outcome.summary.trim();
    let summary = summary[..summary.floor_char_boundary(MAX_SUMMARY_BYTES)].to_owned();
    let review = attempt.config.review.as_ref().zip(comment);
    let review = review.map(|(order, comment)| FinishedReview {
        id: order.id(),
        comment: comment.to_owned(),
        replies: replies.to_vec(),
    });
    let proof = outcome.proof.trim();
    let proof = (!proof.is_empty()).then(|| proof[..proof.floor_char_boundary(MAX_PROOF_BYTES)].to_owned());
    let mut work = FinishedWork { head: head.to_owned(), summary, review, proof };
    let Ok(mut raw) = serde_json::to_string(&work) else { return };
    if raw.len() > MAX_RAW_BYTES
        && let Some(review) = &mut work.review
    {
        // What is cut can't be read. A later attempt says in the threads where to read about them.
        review.replies.clear();
        let Ok(shorter) = serde_json::to_string(&work) else { return };
        raw = shorter;
    }
    let text = format!("The work is done, as {}", &head[..head.floor_char_boundary(8)]);
    let entry = attempt.reporter.entry(FinishedWork::STEP, &text, Some(&raw));
    let (project, ticket) = (attempt.config.project, attempt.config.ticket);
    let sent = tokio::select! {
        sent = attempt.client.append_log(project, ticket, &entry, Retry::For(PATIENCE)) => sent,
        () = attempt.cancel.cancelled() => return,
    };
    if let Err(error) = sent {
        tracing::warn!(error = error.chain(), "could not note that the work is done; a retry would repeat its turns");
    }
}

/// The note, if it is about the same work: of the ticket itself, or of the review with the same words. What the ticket or
/// another review finished must not end a review before it begins.
pub(super) fn of_this_job(noted: Option<FinishedWork>, order: Option<&ReviewOrder>) -> Option<FinishedWork> {
    noted.filter(|noted| noted.review.as_ref().map(|review| review.id.clone()) == order.map(ReviewOrder::id))
}

/// The outcome of an earlier attempt at the same job whose work is exactly what the branch has.
pub(super) fn earlier_outcome(
    noted: &FinishedWork,
    workspace: &mut Workspace,
) -> Result<Option<Outcome>, AttemptError> {
    if workspace.head_at_remote().as_deref() != Some(noted.head.as_str()) {
        return Ok(None);
    }
    workspace.count_whole_branch()?;
    let (summary, proof) = (noted.summary.clone(), noted.proof.clone().unwrap_or_default());
    Ok(Some(Outcome { summary, proof, ..Outcome::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_note_about_the_same_work_counts() {
        let order = |said: &str| ReviewOrder::parse(said, "7", "").unwrap();
        let note = |of: Option<&ReviewOrder>| FinishedWork {
            head: "a1".to_owned(),
            summary: "Done".to_owned(),
            review: of.map(|order| FinishedReview { id: order.id(), comment: "Done".to_owned(), replies: Vec::new() }),
            proof: None,
        };
        let (mine, other) = (order("rename it"), order("test it"));
        for (noted, of) in [(None, None), (Some(&mine), Some(&mine))] {
            assert_eq!(of_this_job(Some(note(noted)), of), Some(note(noted)));
        }
        for (noted, of) in [(None, Some(&mine)), (Some(&mine), None), (Some(&other), Some(&mine))] {
            assert_eq!(of_this_job(Some(note(noted)), of), None);
        }
    }
}
