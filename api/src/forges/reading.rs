//! What is at forges, in the words of deliveries: with the same ids, so that what a delivery told of is not new.

use super::{Forges, account};
use crate::actions::forges::ask::{ForgePlace, NoAnswer};
use crate::actions::forges::watch::{Changed, IssueComment, ReadForge, SeenHook, SeenIssue, SeenRepository};
use crate::domain::forges::event::{CheckFacts, CheckState, NewComment, PullFacts, PullRef};
use crate::domain::forges::read::{MAX_BODY_BYTES, MAX_NAME_BYTES, end_of_hunk, instant, stored};
use crate::domain::forges::seen::{Fit, Seen, Spoken, Verdict};
use crate::domain::forges::{Account, CommentKind, ForgeKind, Permission, PullState, ReviewState};
use async_trait::async_trait;
use std::collections::HashMap;
use std::time::Duration;
use terarchitect_forge as at;
use terarchitect_worker_api::UpdateStrategy;

/// For how long Gitea says of a pull request that it can't be merged while it is finding out.
const GITEA_CHECKS: Duration = Duration::from_secs(2);

#[async_trait]
impl ReadForge for Forges {
    async fn changed(&self, place: &ForgePlace, since: &str, etag: Option<&str>) -> Result<Option<Changed>, NoAnswer> {
        let connected = self.connected(place).await?;
        let at::Conditional::Changed(found) = connected.forge.changed_pulls(Some(since), etag).await? else {
            return Ok(None);
        };
        let latest = found.value.iter().map(|pull| &pull.updated_at).max_by_key(|at| instant(at)).cloned();
        Ok(Some(Changed {
            forge: kind(connected.forge.kind()),
            pulls: found.value.iter().map(facts).collect(),
            latest,
            etag: found.etag,
        }))
    }

    async fn see(&self, place: &ForgePlace, number: i64) -> Result<Seen, NoAnswer> {
        let connected = self.connected(place).await?;
        let forge = connected.forge.as_ref();
        let mut pull = forge.pull(number).await?;
        if forge.kind() == at::Kind::Gitea && pull.mergeable == at::Mergeable::Conflict {
            tokio::time::sleep(GITEA_CHECKS).await;
            pull = forge.pull(number).await?;
        }
        let reviews = forge.reviews(number).await?;
        let (comments, threads) = (forge.comments(number).await?, forge.threads(number).await?);
        let is_open = pull.state == at::PullState::Open;
        let checks =
            if is_open && !pull.head.sha.is_empty() { forge.checks(&pull.head.sha).await? } else { Vec::new() };
        // GitLab has a state for each reviewer in place of reviews; a review there says nothing by itself.
        let has_reviews = forge.kind() != at::Kind::GitLab;
        let mut said: Vec<Spoken> = reviews.iter().filter(|_| has_reviews).filter_map(review).collect();
        said.extend(comments.iter().map(general));
        said.extend(threads.iter().flat_map(lines));
        let pull_facts = facts(&pull);
        Ok(Seen {
            forge: kind(forge.kind()),
            me: connected.me.clone(),
            fit: fit(&pull.mergeable),
            base_sha: Some(pull.base.sha).filter(|sha| !sha.is_empty()),
            verdicts: reviews.iter().filter_map(verdict).collect(),
            said,
            checks: checks.iter().map(|check| check_facts(check, &pull_facts)).collect(),
            pull: pull_facts,
        })
    }

    async fn update_branch(
        &self,
        place: &ForgePlace,
        number: i64,
        head: &str,
        how: UpdateStrategy,
    ) -> Result<bool, NoAnswer> {
        let connected = self.connected(place).await?;
        let is_rebase = how == UpdateStrategy::Rebase && has_one_author(&connected.forge.commits(number).await?);
        let method = if is_rebase { at::Method::Rebase } else { at::Method::Merge };
        match connected.forge.update_branch(number, method, head).await {
            Ok(()) => Ok(true),
            Err(at::ForgeError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn labelled(&self, place: &ForgePlace, label: &str) -> Result<Vec<SeenIssue>, NoAnswer> {
        let issues = self.connected(place).await?.forge.issues(label).await?;
        let seen = |issue: at::Issue| SeenIssue {
            number: issue.number,
            url: issue.url,
            title: issue.title,
            body: issue.body,
            author: issue.author.login,
        };
        // Some forges take a part of a label for the label.
        let has_label = |issue: &at::Issue| issue.labels.iter().any(|found| found.eq_ignore_ascii_case(label));
        Ok(issues.into_iter().filter(|issue| issue.open && has_label(issue)).map(seen).collect())
    }

    async fn webhooks(&self, place: &ForgePlace) -> Result<SeenRepository, NoAnswer> {
        let connected = self.connected(place).await?;
        let about = connected.forge.repository().await?;
        let hooks = match connected.forge.hooks().await {
            Ok(hooks) => Ok(hooks.into_iter().map(|found| hook(connected.forge.kind(), found)).collect()),
            Err(error) if error.is_infrastructure() => return Err(error.into()),
            Err(error) => Err(NoAnswer::from(error).sentence),
        };
        Ok(SeenRepository {
            forge: kind(connected.forge.kind()),
            me: connected.me.login.clone(),
            permission: permission(about.permission),
            hooks,
        })
    }

    async fn issue_comments(&self, place: &ForgePlace, number: i64) -> Result<Vec<IssueComment>, NoAnswer> {
        let connected = self.connected(place).await?;
        let mut known: HashMap<String, Permission> = HashMap::new();
        let mut said = Vec::new();
        for comment in connected.forge.issue_comments(number).await? {
            let author = comment.author.login;
            let permission = match known.get(&author) {
                Some(permission) => *permission,
                None => permission(connected.forge.permission(&author).await?),
            };
            known.insert(author.clone(), permission);
            said.push(IssueComment { author, permission, body: comment.body });
        }
        Ok(said)
    }
}

/// A webhook, with what of the events that each forge has is missing.
/// Whether all commits have the author of the first one, which is the runner: those of a person keep their ids.
fn has_one_author(commits: &[at::Commit]) -> bool {
    !commits.is_empty() && commits.iter().all(|commit| commit.author == commits[0].author)
}

fn hook(kind: at::Kind, hook: at::Hook) -> SeenHook {
    use at::HookEvent::{Check, Comment, Issue, Pull, Push, Review};
    let wanted = [
        (Pull, "pull requests"),
        (Review, "reviews"),
        (Comment, "comments"),
        (Check, "checks"),
        (Push, "pushes"),
        (Issue, "issues"),
    ];
    // Only newer versions of Gitea have events for checks.
    let is_there = |event| kind != at::Kind::Gitea || event != Check;
    let missing = wanted.into_iter().filter(|(event, _)| is_there(*event) && !hook.events.contains(event));
    SeenHook { url: hook.url, is_active: hook.active, missing: missing.map(|(_, name)| name).collect() }
}

pub(super) fn permission(permission: at::Permission) -> Permission {
    match permission {
        at::Permission::None => Permission::None,
        at::Permission::Read => Permission::Read,
        at::Permission::Write => Permission::Write,
        at::Permission::Admin => Permission::Admin,
    }
}

fn kind(kind: at::Kind) -> ForgeKind {
    match kind {
        at::Kind::GitHub => ForgeKind::GitHub,
        at::Kind::GitLab => ForgeKind::GitLab,
        at::Kind::Gitea => ForgeKind::Gitea,
    }
}

fn facts(pull: &at::Pull) -> PullFacts {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    PullFacts {
        number: pull.number,
        url: some(&pull.url),
        state: match pull.state {
            at::PullState::Open => PullState::Open,
            at::PullState::Closed => PullState::Closed,
            at::PullState::Merged => PullState::Merged,
        },
        draft: pull.draft,
        head_branch: some(&pull.head.branch),
        head_sha: some(&pull.head.sha.to_ascii_lowercase()),
        base: some(&pull.base.branch),
        is_from_fork: pull.head.repo.is_some(),
        updated_at: instant(&pull.updated_at),
    }
}

fn fit(mergeable: &at::Mergeable) -> Fit {
    match mergeable {
        at::Mergeable::Conflict => Fit::Conflicts,
        at::Mergeable::Behind => Fit::Behind,
        at::Mergeable::Unknown => Fit::Unknown,
        // Any other reason has nothing to do with the base.
        at::Mergeable::Yes | at::Mergeable::No(_) => Fit::Fits,
    }
}

/// What a review decides; none where it decides nothing.
fn verdict(review: &at::Review) -> Option<Verdict> {
    let state = match review.state {
        at::ReviewState::Approved => Some(ReviewState::Approved),
        at::ReviewState::ChangesRequested => Some(ReviewState::ChangesRequested),
        at::ReviewState::Dismissed => None,
        at::ReviewState::Commented | at::ReviewState::Pending => return None,
    };
    let (by, at) = (account(review.author.clone()), instant(&review.submitted_at));
    Some(Verdict { state, by, head: review.commit.clone(), at })
}

/// The text of a review, also where it is empty: what was said at lines depends on what the review says.
fn review(review: &at::Review) -> Option<Spoken> {
    let state = match review.state {
        at::ReviewState::Approved => ReviewState::Approved,
        at::ReviewState::ChangesRequested => ReviewState::ChangesRequested,
        at::ReviewState::Commented => ReviewState::Commented,
        at::ReviewState::Dismissed | at::ReviewState::Pending => return None,
    };
    let comment = NewComment {
        review_id: Some(review.id.clone()),
        review_state: Some(state),
        head_sha: review.commit.clone(),
        ..comment(CommentKind::Review, &review.id, &review.author, &review.body)
    };
    Some(Spoken { comment, at: instant(&review.submitted_at), is_settled: false })
}

fn general(said: &at::Comment) -> Spoken {
    let comment =
        NewComment { url: Some(said.url.clone()), ..comment(CommentKind::General, &said.id, &said.author, &said.body) };
    Spoken { comment, at: instant(&said.created_at), is_settled: false }
}

/// What was said at a line. Only the first comment came with the thread's review.
fn lines(thread: &at::Thread) -> impl Iterator<Item = Spoken> {
    thread.comments.iter().enumerate().map(|(number, said)| {
        let comment = NewComment {
            thread_id: Some(thread.id.clone()),
            review_id: thread.review.clone().filter(|_| number == 0),
            path: Some(stored(&thread.path, MAX_NAME_BYTES)).filter(|path| !path.is_empty()),
            line: thread.line.and_then(|line| line.try_into().ok()),
            hunk: thread.hunk.as_deref().and_then(end_of_hunk),
            url: Some(said.url.clone()),
            ..comment(CommentKind::Line, &said.id, &said.author, &said.body)
        };
        Spoken { comment, at: instant(&said.created_at), is_settled: thread.resolved == Some(true) }
    })
}

fn comment(kind: CommentKind, id: &str, author: &at::Account, body: &str) -> NewComment {
    NewComment {
        forge_id: id.to_owned(),
        kind,
        thread_id: None,
        review_id: None,
        review_state: None,
        head_sha: None,
        author: account(author.clone()),
        body: stored(body, MAX_BODY_BYTES),
        path: None,
        line: None,
        hunk: None,
        url: None,
    }
}

fn check_facts(check: &at::Check, of: &PullFacts) -> CheckFacts {
    let (state, word) = match check.state {
        at::CheckState::Pending => (CheckState::Pending, "pending"),
        at::CheckState::Success => (CheckState::Success, "success"),
        at::CheckState::Failure => (CheckState::Failure, "failure"),
        at::CheckState::Neutral => (CheckState::Neutral, "neutral"),
    };
    CheckFacts {
        pull: PullRef::numbered(of.number),
        sha: of.head_sha.clone().unwrap_or_default(),
        forge_id: check.id.clone(),
        // As a delivery's: what Postgres can't store would keep the whole pull request from being read.
        name: stored(&check.name, MAX_NAME_BYTES),
        state,
        conclusion: word.to_owned(),
        summary: check.summary.as_deref().map(|text| stored(text, MAX_BODY_BYTES)),
        url: check.url.clone(),
        author: Account { is_bot: true, ..Account::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_with_commits_of_a_person_is_not_rebased() {
        let by = |author: &str| at::Commit {
            sha: "0".repeat(40),
            message: "Greet".to_owned(),
            author: author.to_owned(),
            url: None,
        };
        assert!(has_one_author(&[by("Terarchitect"), by("Terarchitect")]));
        assert!(!has_one_author(&[by("Terarchitect"), by("Ann")]));
        // Where the forge has no list of them, nothing is known.
        assert!(!has_one_author(&[]));
    }

    #[test]
    fn what_a_check_says_can_be_stored() {
        let check = at::Check {
            id: "1".to_owned(),
            name: "te\0st".to_owned(),
            state: at::CheckState::Failure,
            url: None,
            summary: Some(format!("a\0b{}", "x".repeat(MAX_BODY_BYTES))),
            ours: false,
            log: None,
        };
        let pull = at::Pull {
            number: 3,
            url: String::new(),
            title: String::new(),
            body: String::new(),
            state: at::PullState::Open,
            draft: false,
            head: at::Ref { branch: "b".to_owned(), sha: "ABC".to_owned(), repo: None },
            base: at::Ref::default(),
            author: at::Account::default(),
            mergeable: at::Mergeable::Yes,
            updated_at: "2026-11-02T10:00:00Z".to_owned(),
        };
        let facts = check_facts(&check, &facts(&pull));
        assert_eq!((facts.name.as_str(), facts.sha.as_str()), ("test", "abc"));
        let summary = facts.summary.unwrap();
        assert!(summary.starts_with("abx") && summary.len() == MAX_BODY_BYTES, "{}", summary.len());
    }
}
