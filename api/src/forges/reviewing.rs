//! A pull request for people who review it here: read in parts that are asked for together, and what they do with it.

use super::{Forges, sentence_of};
use crate::actions::forges::ask::{ForgePlace, NoAnswer};
use crate::actions::forges::credentials::secret_for;
use crate::actions::forges::review::at_forge::{AtForge, MergeMethod, NotDone};
use crate::domain::forges::snapshot::{
    CheckResult, PullBranch, PullCheck, PullComment, PullCommit, PullNow, PullThread, PullVerdict, Snapshot, Verdict,
};
use crate::domain::forges::{CredentialKind, ForgeKind, PullState};
use async_trait::async_trait;
use std::sync::Arc;
use terarchitect_forge::{
    Check, CheckState, Comment, Commit, Conflict, Forge, ForgeError, Kind, Mergeable, Method, Pull, Ref, Review,
    ReviewState, Side, Thread, marked,
};
use terarchitect_worker_api::visible;

#[async_trait]
impl AtForge for Forges {
    async fn pull(&self, place: &ForgePlace, number: i64) -> Result<(ForgeKind, PullNow), NotDone> {
        let at = self.connected(place).await?;
        let kind = match at.forge.kind() {
            Kind::GitHub => ForgeKind::GitHub,
            Kind::GitLab => ForgeKind::GitLab,
            Kind::Gitea => ForgeKind::Gitea,
        };
        Ok((kind, pull(at.forge.pull(number).await?)))
    }

    async fn all_of(&self, place: &ForgePlace, pull: PullNow, before: Option<Snapshot>) -> Result<Snapshot, NotDone> {
        let at = self.connected(place).await?;
        let (forge, number, sha) = (at.forge.as_ref(), pull.number, pull.head.sha.as_str());
        let same_head = before.filter(|before| !sha.is_empty() && before.pull.head.sha == sha);
        let of_head = async {
            if let Some(before) = same_head {
                return Ok((before.commits, before.files));
            }
            let (commits, files) = tokio::try_join!(forge.commits(number), forge.files(number))?;
            Ok((commits.into_iter().map(commit).collect(), files))
        };
        let ((commits, files), checks, reviews, threads, comments) = tokio::try_join!(
            of_head,
            checks_of(forge, sha),
            forge.reviews(number),
            forge.threads(number),
            forge.comments(number),
        )?;
        Ok(Snapshot {
            checks: checks.into_iter().map(check).collect(),
            reviews: reviews.into_iter().filter_map(|review| verdict(review, sha)).collect(),
            threads: threads.into_iter().map(thread).collect(),
            comments: comments.into_iter().map(comment).collect(),
            commits,
            files,
            pull,
        })
    }

    async fn comment(&self, place: &ForgePlace, number: i64, body: &str, key: &str) -> Result<PullComment, NotDone> {
        Ok(comment(self.connected(place).await?.forge.comment(number, &marked(body, key)).await?))
    }

    async fn reply(
        &self,
        place: &ForgePlace,
        number: i64,
        thread: &PullThread,
        body: &str,
        key: &str,
    ) -> Result<PullComment, NotDone> {
        let thread = Thread {
            id: thread.id.clone(),
            path: thread.path.clone(),
            line: thread.line,
            side: if thread.on_base { Side::Old } else { Side::New },
            hunk: thread.hunk.clone(),
            resolved: thread.resolved,
            comments: Vec::new(),
            review: None,
        };
        Ok(comment(self.connected(place).await?.forge.reply(number, &thread, &marked(body, key)).await?))
    }

    async fn lacks_approver(&self, place: &ForgePlace) -> Result<Option<String>, NoAnswer> {
        let host = self.host(place)?;
        let found = secret_for(&self.database, &self.sealer, place.project, &host, CredentialKind::Approver).await;
        let found = found.map_err(|error| super::broken(&error))?;
        Ok(found.is_none().then(|| no_approver(&host)))
    }

    async fn approve(
        &self,
        place: &ForgePlace,
        number: i64,
        author: &str,
        body: &str,
        head_sha: &str,
    ) -> Result<String, NotDone> {
        let Some(at) = self.connected_as(place, CredentialKind::Approver).await? else {
            return Err(NotDone::NoApprover(no_approver(&self.host(place)?)));
        };
        if at.me.login.eq_ignore_ascii_case(author) {
            let sentence = format!(
                "The approver's credential for {} belongs to {author}, who opened the pull request and so may not approve \
                 it; store one of another account.",
                self.host(place)?
            );
            return Err(NotDone::NoApprover(sentence));
        }
        at.forge.approve(number, body, head_sha).await?;
        Ok(at.me.login.clone())
    }

    async fn merge(&self, place: &ForgePlace, number: i64, method: MergeMethod, head_sha: &str) -> Result<(), NotDone> {
        let method = match method {
            MergeMethod::Merge => Method::Merge,
            MergeMethod::Squash => Method::Squash,
            MergeMethod::Rebase => Method::Rebase,
        };
        let at: Arc<_> = self.connected(place).await?;
        Ok(at.forge.merge(number, method, head_sha).await.map(drop)?)
    }
}

impl From<ForgeError> for NotDone {
    fn from(error: ForgeError) -> Self {
        match &error {
            ForgeError::Conflict { why: Conflict::HeadMoved, message, .. } => Self::HeadMoved(message.clone()),
            ForgeError::Conflict { why: Conflict::NotMergeable, .. } => Self::NotMergeable(sentence_of(&error)),
            ForgeError::Refused { .. } => Self::Refused(sentence_of(&error)),
            _ => Self::NoAnswer(error.into()),
        }
    }
}

fn no_approver(host: &str) -> String {
    format!(
        "No approver's credential is stored for {host}: the account that opened the pull request may not approve it. Add one \
         of another account, of the kind approver, to the project's credentials."
    )
}

/// The checks of a head, where the forge says what its head is.
async fn checks_of(forge: &dyn Forge, sha: &str) -> Result<Vec<Check>, ForgeError> {
    if sha.is_empty() { Ok(Vec::new()) } else { forge.checks(sha).await }
}

fn pull(pull: Pull) -> PullNow {
    use terarchitect_forge::PullState as At;
    let mergeable_reason = pull.mergeable.why_not().map(str::to_owned);
    let mergeable = (pull.mergeable != Mergeable::Unknown).then_some(mergeable_reason.is_none());
    PullNow {
        number: pull.number,
        url: pull.url,
        title: pull.title,
        body: visible(&pull.body),
        state: match pull.state {
            At::Open => PullState::Open,
            At::Closed => PullState::Closed,
            At::Merged => PullState::Merged,
        },
        draft: pull.draft,
        head: branch(pull.head),
        base: branch(pull.base),
        author: pull.author.login,
        mergeable,
        mergeable_reason,
        updated_at: pull.updated_at,
    }
}

fn branch(end: Ref) -> PullBranch {
    PullBranch { branch: end.branch, sha: end.sha, repo: end.repo }
}

fn commit(commit: Commit) -> PullCommit {
    PullCommit { sha: commit.sha, message: commit.message, author: commit.author, url: web(commit.url) }
}

fn check(check: Check) -> PullCheck {
    let state = match check.state {
        CheckState::Pending => CheckResult::Pending,
        CheckState::Success => CheckResult::Success,
        CheckState::Failure => CheckResult::Failure,
        CheckState::Neutral => CheckResult::Neutral,
    };
    PullCheck {
        name: check.name,
        state,
        url: web(check.url),
        summary: check.summary.map(|text| visible(&text)),
        ours: check.ours,
    }
}

/// A review that was submitted. Without a verdict and a text of its own it says nothing beside its comments.
fn verdict(review: Review, head: &str) -> Option<PullVerdict> {
    let body = visible(&review.body);
    let state = match review.state {
        ReviewState::Approved => Verdict::Approved,
        ReviewState::ChangesRequested => Verdict::ChangesRequested,
        ReviewState::Dismissed => Verdict::Dismissed,
        ReviewState::Commented if !body.is_empty() => Verdict::Commented,
        ReviewState::Commented | ReviewState::Pending => return None,
    };
    let stale = review.commit.as_deref().is_some_and(|seen| seen != head);
    let (author, head_sha, submitted_at) = (review.author.login, review.commit, review.submitted_at);
    Some(PullVerdict { author, state, body, head_sha, stale, submitted_at })
}

fn comment(comment: Comment) -> PullComment {
    PullComment {
        id: comment.id,
        author: comment.author.login,
        is_bot: comment.author.bot,
        body: visible(&comment.body),
        created_at: comment.created_at,
        url: web(Some(comment.url)).unwrap_or_default(),
    }
}

fn thread(thread: Thread) -> PullThread {
    PullThread {
        id: thread.id,
        path: thread.path,
        line: thread.line,
        on_base: thread.side == Side::Old,
        hunk: thread.hunk,
        resolved: thread.resolved,
        comments: thread.comments.into_iter().map(comment).collect(),
    }
}

/// An address that a page may link to: a check's is from the program that posted it.
fn web(url: Option<String>) -> Option<String> {
    url.filter(|url| url.starts_with("https://") || url.starts_with("http://"))
}
