use super::*;
use crate::domain::forges::snapshot::PullBranch;

fn pull() -> PullNow {
    PullNow {
        number: 7,
        url: "https://h/o/r/pull/7".to_owned(),
        title: "T".to_owned(),
        body: String::new(),
        state: PullState::Open,
        draft: false,
        head: PullBranch::default(),
        base: PullBranch::default(),
        author: "bot".to_owned(),
        mergeable: Some(true),
        mergeable_reason: None,
        updated_at: String::new(),
    }
}

#[test]
fn a_merge_that_is_not_possible_has_a_reason() {
    assert_eq!(can_merge(&pull()), Possible::yes());
    let unknown = can_merge(&PullNow { mergeable: None, ..pull() });
    assert!(unknown.possible && unknown.reason.is_some());
    let why = Some("it conflicts with its base".to_owned());
    let conflict = can_merge(&PullNow { mergeable: Some(false), mergeable_reason: why, ..pull() });
    assert_eq!(conflict, Possible::no("It conflicts with its base."));
    assert!(!can_merge(&PullNow { draft: true, ..pull() }).possible);
    assert!(!can_merge(&PullNow { state: PullState::Merged, ..pull() }).possible);
}

#[test]
fn another_head_than_the_one_that_was_seen_is_refused() {
    assert!(require_head(None, "abcdef0123").is_ok());
    assert!(require_head(Some("abcdef0123"), "abcdef0123").is_ok());
    assert!(require_head(Some("ABCDEF0"), "abcdef0123").is_ok());
    for seen in ["", "abc", "1234567890"] {
        assert_eq!(require_head(Some(seen), "abcdef0123").unwrap_err().code, ErrorCode::HeadMoved, "{seen}");
    }
}

#[test]
fn a_persons_name_is_only_a_name_at_the_forge() {
    assert_eq!(in_the_name_of("Ann Lee", "Rename it."), "Ann Lee wrote:\n\nRename it.");
    let hostile = in_the_name_of("@all\n# <b>x</b> [y](z)", "x");
    assert_eq!(hostile, "all bxb yz wrote:\n\nx");
    assert_eq!(approval("<>", Some("  ")), "Approved by Someone.");
    assert_eq!(approval("Ann", Some("Good.")), "Approved by Ann.\n\nGood.");
}

#[test]
fn a_comment_has_a_text_that_forges_take() {
    assert_eq!(comment_text(" x\n").unwrap(), "x");
    assert!(comment_text(" \n").is_err());
    assert!(comment_text(&"é".repeat(60_000)).is_ok());
    assert!(comment_text(&"é".repeat(60_001)).is_err());
}

#[test]
fn ready_is_approved_or_green_with_nothing_open() {
    use CheckResult::{Failure, Neutral, Pending, Success};
    let ready = |approved, checks: &[CheckResult], open| {
        is_ready(&Readiness { state: PullState::Open, draft: false, approved, checks, open })
    };
    assert!(ready(Some(true), &[], 0));
    assert!(ready(None, &[Success, Neutral], 0));
    assert!(!ready(None, &[], 0), "nobody and nothing has looked at it");
    assert!(!ready(Some(true), &[Failure], 0));
    assert!(!ready(Some(true), &[Pending], 0));
    assert!(!ready(Some(false), &[Success], 0), "changes were asked for");
    assert!(!ready(Some(true), &[], 1));
    let merged = Readiness { state: PullState::Merged, draft: false, approved: Some(true), checks: &[], open: 0 };
    assert!(!is_ready(&merged));
    assert!(!is_ready(&Readiness { state: PullState::Open, draft: true, ..merged }));
}
