//! What is different where the work is what reviewers say: its pull request is open already, and they get a reply.

use super::phases::Phases;
use super::{Attempt, AttemptError, finish};
use crate::director::Outcome;
use crate::git::{RemoteUrl, ReviewCommit, Workspace};
use crate::points::Points;
use crate::review::ReviewOrder;
use std::fmt::Write;
use terarchitect_forge::OpenPull;
use terarchitect_worker_api::{EntryData, ReviewReply};

/// The longest reply, in bytes, without what is added about the branch; forges accept 64 KiB.
const MAX_REPLY_BYTES: usize = 24 * 1024;

impl Attempt {
    /// What is worked on, in a sentence.
    pub(super) fn describe_start(&self) -> String {
        let title = self.title();
        match &self.config.review {
            None => format!("Working on “{title}”"),
            Some(ReviewOrder { pr_number: None, .. }) => format!("Working on what reviewers say about “{title}”"),
            Some(ReviewOrder { pr_number: Some(number), .. }) => {
                format!("Working on what reviewers say about pull request #{number}, “{title}”")
            }
        }
    }
}

/// The line by which a commit's message says which review it belongs to.
pub(super) fn mark(order: &ReviewOrder) -> String {
    format!("Review {}.", order.id())
}

/// What is said at the pull request; none where the work is the ticket itself. An attempt that repeats what an earlier one
/// finished says the same, so that it is said once.
pub(super) fn reply(
    attempt: &Attempt,
    workspace: &Workspace,
    outcome: &Outcome,
) -> Result<Option<String>, AttemptError> {
    let Some(order) = &attempt.config.review else { return Ok(None) };
    let head = workspace.head_id()?;
    let noted = attempt.context.finished_work.as_ref().filter(|noted| noted.head == head);
    if let Some(said) = noted.and_then(|noted| noted.review.as_ref()) {
        return Ok(Some(said.comment.clone()));
    }
    let head = workspace.is_further_or_says(&mark(order))?.then_some(head.as_str());
    let text = words(outcome, head);
    Ok(Some(attempt.mask.apply(&text).replace('\0', "")))
}

/// What is said in the threads of the review: what was done or why nothing was, and the commit. An attempt that repeats what
/// an earlier one finished says the same.
pub(super) fn replies(
    attempt: &Attempt,
    workspace: &Workspace,
    outcome: &Outcome,
) -> Result<Vec<ReviewReply>, AttemptError> {
    let Some(order) = &attempt.config.review else { return Ok(Vec::new()) };
    let head = workspace.head_id()?;
    let noted = attempt.context.finished_work.as_ref().filter(|noted| noted.head == head);
    if let Some(said) = noted.and_then(|noted| noted.review.as_ref()).filter(|said| !said.replies.is_empty()) {
        return Ok(said.replies.clone());
    }
    let mark = mark(order);
    let head = workspace.is_further_or_says(&mark)?.then_some(head.as_str());
    let commits = workspace.review_commits(&mark)?;
    let ending = |path: Option<&str>| ending(head, &commits, path);
    let points = Points::of(attempt.context.review.as_ref());
    let mut replies = points.replies(&outcome.replies, WITHOUT, ending);
    for reply in &mut replies {
        reply.body = attempt.mask.apply(&reply.body).replace('\0', "");
    }
    Ok(replies)
}

/// What is said in a thread for which the models have no words of their own.
const WITHOUT: &str = "What was done about this is in the comment on the pull request.";

/// Which commit has the change of the file that a thread is about.
fn ending(head: Option<&str>, commits: &[ReviewCommit], path: Option<&str>) -> String {
    let changed = path.and_then(|path| commits.iter().find(|commit| commit.files.contains(path)));
    match (changed, head) {
        (Some(commit), _) => format!("This file was changed in {}.", commit.id),
        (None, Some(head)) => format!("This file was not changed; the head of the branch is now {head}."),
        (None, None) => "Nothing was changed on the branch.".to_owned(),
    }
}

fn words(outcome: &Outcome, new_head: Option<&str>) -> String {
    let mut text = outcome.summary.trim().to_owned();
    let reason = outcome.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty() && !text.contains(reason));
    if let Some(reason) = reason {
        let _ = write!(text, "\n\n{reason}");
    }
    if text.len() > MAX_REPLY_BYTES {
        text.truncate(text.floor_char_boundary(MAX_REPLY_BYTES));
        text.push_str("\n\n(cut)");
    }
    let _ = match new_head {
        Some(head) => write!(text, "\n\nThe head of the branch is now {head}."),
        None => write!(text, "\n\nNothing was changed on the branch."),
    };
    text.trim_start().to_owned()
}

/// The pull request that is open for the branch. A review opens none: where it was closed meanwhile, a person did that.
pub(super) async fn find_pull(
    attempt: &Attempt,
    remote: &RemoteUrl,
    branch: &str,
    phases: &mut Phases,
) -> Result<Option<OpenPull>, AttemptError> {
    let Some(forge) = finish::forge(attempt, remote).await? else {
        let text = format!(
            "Pushed {branch}; {} is not on a supported forge, so its pull request is not looked for",
            remote.as_str()
        );
        attempt.reporter.log("pull_request", &text, None);
        return Ok(None);
    };
    let found = tokio::select! {
        found = forge.pull_of_branch(branch) => found.map_err(AttemptError::FindPull)?,
        () = attempt.cancel.cancelled() => return Err(AttemptError::Cancelled),
    };
    let Some(pull) = found else {
        let text = format!("Pushed {branch}; no pull request is open for it any more");
        attempt.reporter.log("pull_request", &text, None);
        return Ok(None);
    };
    let data = EntryData::PullRequest { url: pull.url.clone(), number: Some(pull.number) };
    attempt.log_phase_data(phases, "pull_request", &format!("The pull request is {}", pull.url), Some(data));
    Ok(Some(OpenPull { url: pull.url, number: pull.number, reused: true }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(summary: &str, reason: Option<&str>) -> Outcome {
        Outcome { summary: summary.to_owned(), reason: reason.map(str::to_owned), ..Outcome::default() }
    }

    #[test]
    fn the_reply_says_what_was_done_and_the_head() {
        let text = words(&outcome(" Renamed it.\n", None), Some("abc123"));
        assert_eq!(text, "Renamed it.\n\nThe head of the branch is now abc123.");
        let text = words(&outcome("It stays.", Some("The name is public.")), None);
        assert_eq!(text, "It stays.\n\nThe name is public.\n\nNothing was changed on the branch.");
        let text = words(&outcome("It stays: the name is public.", Some("the name is public")), None);
        assert_eq!(text, "It stays: the name is public.\n\nNothing was changed on the branch.");
    }

    #[test]
    fn a_reply_in_a_thread_names_the_commit_that_changed_its_file() {
        let commit = |id: &str, file: &str| ReviewCommit { id: id.to_owned(), files: [file.to_owned()].into() };
        let commits = [commit("c3", "README.md"), commit("c2", "a.rs"), commit("c1", "a.rs")];
        assert_eq!(ending(Some("c3"), &commits, Some("a.rs")), "This file was changed in c2.");
        let elsewhere = "This file was not changed; the head of the branch is now c3.";
        assert_eq!(ending(Some("c3"), &commits, Some("b.rs")), elsewhere);
        assert_eq!(ending(None, &[], Some("a.rs")), "Nothing was changed on the branch.");
    }

    #[test]
    fn a_long_reply_is_cut_between_characters_and_still_names_the_head() {
        let text = words(&outcome(&"ä".repeat(MAX_REPLY_BYTES), None), Some("abc123"));
        assert!(text.len() < MAX_REPLY_BYTES + 100 && text.ends_with("(cut)\n\nThe head of the branch is now abc123."));
    }
}
