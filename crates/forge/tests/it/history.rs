//! One history of a pull request, the same at all three forges through the seam, with faults in between: from a draft to
//! the deletion of its branch. The testbed's forge answers in each dialect, over a real git repository.

use crate::local::{At, LINES, README, all, with_pull};
use std::time::Duration;
use terarchitect_forge::{
    CheckState, Conditional, Conflict, ForgeError, Mergeable, Method, NewStatus, PullState, Reaction, Remark,
    ReviewState, Side, marked,
};
use terarchitect_testbed::forge::{
    Answer, CheckState as JobState, Dialect, Faults, OnCall, Permission, Replies, Rules, Trouble, Verdict,
};

/// What happens to the next call of this kind.
fn once(at: &At, method: &'static str, ends: &'static str, what: Trouble) {
    at.local.set_faults(Faults { on_call: Some(OnCall { method, ends, times: 1, what }), ..Faults::default() });
}

#[tokio::test]
async fn from_a_draft_to_the_deletion_of_its_branch() {
    for dialect in Dialect::ALL {
        let at = At::start(dialect).await;
        opened(&at).await;
        reviewed(&at).await;
        checked(&at).await;
        approved_and_updated(&at).await;
        merged(&at).await;
    }
}

async fn opened(at: &At) {
    // It is opened, and the answer is lost: found, not opened twice.
    let ends = if at.dialect() == Dialect::GitLab { "/merge_requests" } else { "/pulls" };
    once(at, "POST", ends, Trouble::Lost);
    let opened = at.bot.open_pull(&at.new_pull(true)).await.unwrap();
    assert_eq!((opened.number, at.local.pulls("demo", "hello").len()), (1, 1), "{:?}", at.dialect());
    assert!(at.bot.open_pull(&at.new_pull(true)).await.unwrap().reused);
    let pull = at.bot.pull(1).await.unwrap();
    assert_eq!((pull.title.as_str(), pull.draft, pull.state), ("Greet", true, PullState::Open));
    assert_eq!((pull.head.branch.as_str(), pull.head.sha.as_str()), ("ticket-1", at.head().as_str()));
    assert_eq!((pull.head.repo.as_deref(), pull.author.id), (None, at.local.bot().id.to_string()));
    assert!(matches!(pull.mergeable, Mergeable::No(why) if why.contains("draft")));
    assert_eq!(at.bot.pull_of_branch("ticket-1").await.unwrap().unwrap().number, 1);
    assert!(at.bot.pull_of_branch("main").await.unwrap().is_none());

    at.bot.set_ready(1).await.unwrap();
    at.bot.set_ready(1).await.unwrap();
    at.local.set_checking(1);
    let checking = at.bot.pull(1).await.unwrap();
    assert!(!checking.draft && checking.mergeable != Mergeable::Yes, "{checking:?}");
    assert_eq!(at.bot.pull(1).await.unwrap().mergeable, Mergeable::Yes);
}

async fn reviewed(at: &At) {
    let ann = at.local.account("ann", Permission::Write);
    let remark = at.local.comment("demo", "hello", 1, &ann, "And say it in the README.").unwrap();
    at.local.review(("demo", "hello", 1), &ann, Verdict::ChangesRequested, "Three things.", LINES).unwrap();

    let reviews = at.bot.reviews(1).await.unwrap();
    let last = reviews.last().unwrap();
    assert_eq!((last.state, last.author.id.as_str()), (ReviewState::ChangesRequested, ann.id.to_string().as_str()));
    let said: Vec<String> = at.bot.comments(1).await.unwrap().into_iter().map(|comment| comment.body).collect();
    // GitLab has no reviews with a text: it is a note.
    assert_eq!(said.len(), if at.dialect() == Dialect::GitLab { 2 } else { 1 }, "{said:?}");
    assert!(said.contains(&"And say it in the README.".to_owned()));

    let threads = at.bot.threads(1).await.unwrap();
    let places: Vec<_> = threads.iter().map(|thread| (thread.path.as_str(), thread.line.unwrap().into())).collect();
    assert_eq!(places, LINES.iter().map(|(path, line, _)| (*path, *line)).collect::<Vec<(&str, u64)>>());
    for (thread, (_, _, words)) in threads.iter().zip(LINES) {
        assert_eq!((thread.side, thread.resolved, thread.comments.len()), (Side::New, Some(false), 1));
        assert_eq!((thread.comments[0].body.as_str(), thread.comments[0].author.login.as_str()), (*words, "ann"));
        let hunk = thread.hunk.as_ref().unwrap();
        assert!(hunk.starts_with("@@ ") && hunk.lines().last().unwrap().starts_with('+'), "{hunk}");
    }

    // A reply in each thread, through a lost connection, a proxy's page, and a limit: one in each.
    let ends = match at.dialect() {
        Dialect::GitHub => "/replies",
        Dialect::GitLab => "/notes",
        Dialect::Gitea => "/replies",
    };
    let troubles = [Trouble::Lost, Trouble::DoneBut(Answer::BAD_GATEWAY), Trouble::Answer(Answer::TOO_MANY)];
    for (thread, trouble) in threads.iter().zip(troubles) {
        once(at, "POST", ends, trouble);
        let body = marked("Done in 1a2b3c4.", &format!("reply:{}", thread.id));
        let reply = at.bot.reply(1, thread, &body).await.unwrap();
        assert_eq!(at.bot.reply(1, thread, &body).await.unwrap().id, reply.id, "after a crash");
    }
    let replied = at.bot.threads(1).await.unwrap();
    for thread in &replied {
        let authors: Vec<&str> = thread.comments.iter().map(|comment| comment.author.login.as_str()).collect();
        assert_eq!(authors, ["ann", "terarchitect-bot"], "{:?}", at.dialect());
    }
    for on in [
        Remark::Pull,
        Remark::Comment(remark.id.to_string()),
        Remark::Line(threads[0].comments[0].id.clone()),
        Remark::Pull,
    ] {
        at.bot.react(1, &on, Reaction::Eyes).await.unwrap();
    }
    let pull = at.local.pull("demo", "hello", 1).unwrap();
    let bot = at.local.bot().id;
    assert_eq!(pull.reactions, [(bot, "eyes".to_owned())]);
    assert_eq!((pull.comments[0].reactions.len(), pull.threads[0].comments[0].reactions.len()), (1, 1));
    at.local.resolve(("demo", "hello", 1), &ann, pull.threads[0].comments[0].id, true).unwrap();
    let resolved: Vec<_> = at.bot.threads(1).await.unwrap().iter().map(|thread| thread.resolved).collect();
    assert_eq!(resolved, [Some(true), Some(false), Some(false)]);
}

async fn checked(at: &At) {
    let head = at.head();
    assert!(at.bot.checks(&head).await.unwrap().is_empty());
    let log = format!("{}assertion failed: greet.sh:2\n", "compiling\n".repeat(5_000));
    at.local.job(("demo", "hello"), &head, "test", JobState::Failure, &log).unwrap();
    let status = |state| NewStatus {
        context: "terarchitect/review".into(),
        state,
        description: "The agent is at it. ".repeat(20),
        url: Some("https://terarchitect.example/t/1".into()),
    };
    for state in [CheckState::Pending, CheckState::Pending, CheckState::Success] {
        let status = status(state);
        let status = NewStatus { description: status.description.chars().take(120).collect(), ..status };
        at.bot.set_status(&head, &status).await.unwrap();
    }
    let checks = at.bot.checks(&head).await.unwrap();
    let found: Vec<_> = checks.iter().map(|check| (check.name.as_str(), check.state, check.ours)).collect();
    assert_eq!(
        found,
        [("test", CheckState::Failure, false), ("terarchitect/review", CheckState::Success, true)],
        "{:?}",
        at.dialect()
    );
    // The log is at another host, which refuses a token.
    let tail = at.bot.check_log_tail(&checks[0], 29).await.unwrap();
    let expected = (at.dialect() != Dialect::Gitea).then(|| "assertion failed: greet.sh:2\n".to_owned());
    assert_eq!(tail, expected);
    assert_eq!(at.bot.check_log_tail(&checks[1], 29).await.unwrap(), None);
}

async fn approved_and_updated(at: &At) {
    let head = at.head();
    let own = at.bot.approve(1, "", &head).await.unwrap_err();
    assert!(matches!(own, ForgeError::Refused { .. } | ForgeError::Denied { .. }), "{own}");
    let ann = at.of("ann");
    once(at, "POST", if at.dialect() == Dialect::GitLab { "/approve" } else { "/reviews" }, Trouble::Lost);
    ann.approve(1, "", &head).await.unwrap();
    let approvals = at.bot.reviews(1).await.unwrap();
    let approvals = approvals.iter().filter(|review| review.state == ReviewState::Approved);
    assert_eq!(approvals.map(|review| review.author.login.as_str()).collect::<Vec<_>>(), ["ann"]);

    at.local.push("demo", "hello", "main", &[("NEWS", Some("news\n"))], "News").unwrap();
    let method = at.update_method();
    let moved = at.bot.update_branch(1, method, &"0".repeat(40)).await.unwrap_err();
    assert!(matches!(moved, ForgeError::Conflict { why: Conflict::HeadMoved, .. }), "{moved}");
    at.bot.update_branch(1, method, &head).await.unwrap();
    let updated = at.bot.pull(1).await.unwrap().head.sha;
    assert_ne!(updated, head);
    assert_eq!(at.local.git("demo", "hello", &["show", &format!("{updated}:NEWS")]).unwrap(), "news\n");
    at.bot.update_branch(1, method, &updated).await.unwrap();
    assert_eq!(at.bot.pull(1).await.unwrap().head.sha, updated, "there is nothing new");
}

async fn merged(at: &At) {
    let Conditional::Changed(before) = at.bot.changed_pulls(None, None).await.unwrap() else { panic!("no tag yet") };
    assert_eq!(before.value.len(), 1);
    if let Some(etag) = &before.etag {
        let counted = at.local.counted();
        assert_eq!(at.bot.changed_pulls(None, Some(etag)).await.unwrap(), Conditional::NotModified);
        assert_eq!(at.local.counted(), counted, "it costs nothing of the limit");
    }
    assert_eq!(before.etag.is_some(), at.dialect() == Dialect::GitHub);

    let head = at.bot.pull(1).await.unwrap().head.sha;
    let moved = at.bot.merge(1, Method::Merge, &"0".repeat(40)).await.unwrap_err();
    assert!(matches!(moved, ForgeError::Conflict { why: Conflict::HeadMoved, .. }), "{moved}");
    let method = if at.dialect() == Dialect::Gitea { "POST" } else { "PUT" };
    at.local.set_checking(1);
    once(at, method, "/merge", Trouble::Lost);
    let merged = match at.bot.merge(1, Method::Merge, &head).await {
        // GitHub does not say that it only needs a moment.
        Err(ForgeError::Conflict { why: Conflict::NotMergeable, .. }) if at.dialect() == Dialect::GitHub => {
            once(at, method, "/merge", Trouble::Lost);
            at.bot.merge(1, Method::Merge, &head).await.unwrap()
        }
        merged => merged.unwrap(),
    };
    let main = at.local.git("demo", "hello", &["rev-parse", "main"]).unwrap();
    assert_eq!(merged.sha.as_deref(), Some(main.trim()), "{:?}", at.dialect());
    assert_eq!(at.bot.merge(1, Method::Merge, &head).await.unwrap(), merged, "after a crash");
    assert_eq!(at.bot.pull(1).await.unwrap().state, PullState::Merged);
    for _ in 0..2 {
        at.bot.delete_branch("ticket-1").await.unwrap();
    }
    assert!(at.local.git("demo", "hello", &["rev-parse", "--verify", "--quiet", "ticket-1"]).is_err());
    let since = before.value[0].updated_at.clone();
    let Conditional::Changed(after) = at.bot.changed_pulls(Some(&since), None).await.unwrap() else { panic!("no tag") };
    assert_eq!(after.value[0].state, PullState::Merged);
}

/// Gitea's versions reply in three ways.
#[tokio::test]
async fn every_version_of_gitea_gets_its_reply() {
    for replies in [Replies::Own, Replies::OfReview, Replies::None] {
        let at = with_pull(Dialect::Gitea).await;
        at.local.set_replies(replies);
        let ann = at.local.account("ann", Permission::Write);
        at.local.review(("demo", "hello", 1), &ann, Verdict::Commented, "", LINES).unwrap();
        let thread = at.bot.threads(1).await.unwrap().remove(1);
        let body = marked("Done.", "reply:1");
        for _ in 0..2 {
            at.bot.reply(1, &thread, &body).await.unwrap();
        }
        let threads = at.bot.threads(1).await.unwrap();
        assert_eq!(threads.iter().map(|thread| thread.comments.len()).collect::<Vec<_>>(), [1, 2, 1], "{replies:?}");
        assert_eq!(threads[1].comments[1].body, body);
    }
}

#[tokio::test]
async fn what_conflicts_is_neither_merged_nor_updated() {
    for at in all().await {
        let head = at.head();
        at.local.push("demo", "hello", "main", &[("greet.sh", Some("other\n"))], "Other").unwrap();
        let error = at.bot.merge(1, Method::Merge, &head).await.unwrap_err();
        assert!(matches!(error, ForgeError::Conflict { why: Conflict::NotMergeable, .. }), "{error}");
        let error = at.bot.update_branch(1, at.update_method(), &head).await.unwrap_err();
        assert!(matches!(error, ForgeError::Conflict { why: Conflict::NotMergeable, .. }), "{error}");
        assert_eq!(at.head(), head);
        let mergeable = at.bot.pull(1).await.unwrap().mergeable;
        // Gitea goes on saying what it found out before the base moved.
        assert_eq!(mergeable == Mergeable::Yes, at.dialect() == Dialect::Gitea, "{mergeable:?}");
    }
}

#[tokio::test]
async fn every_way_to_merge_is_a_commit_on_the_base() {
    for (method, parents, rules) in
        [(Method::Squash, 1, Rules::default()), (Method::Rebase, 1, Rules { fast_forward: true, ..Rules::default() })]
    {
        for at in all().await {
            at.local.set_rules("demo", "hello", rules).unwrap();
            let merged = at.bot.merge(1, method, &at.head()).await.unwrap();
            let main = at.local.git("demo", "hello", &["rev-parse", "main"]).unwrap();
            assert_eq!(merged.sha.as_deref(), Some(main.trim()), "{:?} {method:?}", at.dialect());
            let log = at.local.git("demo", "hello", &["log", "-1", "--format=%P", "main"]).unwrap();
            assert_eq!(log.split_whitespace().count(), parents);
            assert!(at.local.git("demo", "hello", &["show", "main:greet.sh"]).unwrap().contains("Hello"));
        }
    }
}

#[tokio::test]
async fn a_rule_that_is_not_met_stands_in_the_way() {
    for at in all().await {
        at.local.set_rules("demo", "hello", Rules { approval: true, ..Rules::default() }).unwrap();
        let head = at.head();
        let error = at.bot.merge(1, Method::Merge, &head).await.unwrap_err();
        assert!(matches!(error, ForgeError::Conflict { why: Conflict::NotMergeable, .. }), "{error}");
        at.of("ann").approve(1, "Good.", &head).await.unwrap();
        at.bot.merge(1, Method::Merge, &head).await.unwrap();
    }
}

#[tokio::test]
async fn a_head_that_moves_and_a_branch_that_is_closed_are_seen() {
    for at in all().await {
        let (head, ann) = (at.head(), at.local.account("ann", Permission::Write));
        let pushed = at.local.push("demo", "hello", "ticket-1", &[("more", Some("more\n"))], "More").unwrap();
        let error = at.bot.merge(1, Method::Merge, &head).await.unwrap_err();
        assert!(matches!(error, ForgeError::Conflict { why: Conflict::HeadMoved, .. }), "{error}");
        assert_eq!(at.bot.pull(1).await.unwrap().head.sha, pushed);
        at.local.set_open("demo", "hello", 1, &ann, false).unwrap();
        assert_eq!(at.bot.pull(1).await.unwrap().state, PullState::Closed);
        let error = at.bot.merge(1, Method::Merge, &pushed).await.unwrap_err();
        assert!(matches!(error, ForgeError::Conflict { why: Conflict::NotMergeable, .. }), "{error}");
        at.local.set_open("demo", "hello", 1, &ann, true).unwrap();
        at.local.delete_branch("demo", "hello", &ann, "ticket-1").unwrap();
        let state = at.bot.pull(1).await.unwrap().state;
        // At GitLab, a merge request outlives its branch.
        assert_eq!(state == PullState::Open, at.dialect() == Dialect::GitLab, "{state:?}");
    }
}

#[tokio::test]
async fn limits_failures_and_pages_of_proxies_pass_or_are_said() {
    for at in all().await {
        for answer in [Answer::SPENT, Answer::TOO_MANY, Answer::BAD_GATEWAY, Answer::BAD_GATEWAY.times(2)] {
            at.local.set_faults(Faults { rest_answer: Some(answer), ..Faults::default() });
            assert_eq!(at.bot.pull(1).await.unwrap().number, 1, "{answer:?}");
        }
        at.local.set_faults(Faults { rest_answer: Some(Answer::PAGE), ..Faults::default() });
        let error = at.bot.pull(1).await.unwrap_err().to_string();
        assert!(error.starts_with("127.0.0.1 ") && !error.contains(at.local.token()), "{error}");
        at.local.set_faults(Faults { rest_answer: Some(Answer::BAD_GATEWAY.times(99)), ..Faults::default() });
        let error = at.bot.pull(1).await.unwrap_err();
        assert!(error.is_infrastructure(), "{error}");
        let long = Answer { headers: &[("retry-after", "120")], ..Answer::TOO_MANY };
        at.local.set_faults(Faults { rest_answer: Some(long), ..Faults::default() });
        assert_eq!(at.bot.pull(1).await.unwrap_err().retry_after(), Some(Duration::from_secs(120)));
    }
}

#[tokio::test]
async fn the_files_of_the_history_are_what_the_tests_say() {
    let at = with_pull(Dialect::GitHub).await;
    assert_eq!(at.local.git("demo", "hello", &["show", "main:README.md"]).unwrap(), README);
    assert_eq!(at.local.pull("demo", "hello", 1).unwrap().head_sha, at.head());
}
