//! What the testbed's forge tells: webhooks in each dialect, on time, late, twice and out of order; permissions, issues,
//! forks; and that a token goes to its own host alone.

use crate::local::{At, LINES, all, seam, with_pull};
use crate::stub::{Stub, json, text};
use serde_json::json as v;
use std::time::Duration;
use terarchitect_forge::{ForgeError, HookEvent, NewPull, Permission as May, find_kind};
use terarchitect_testbed::forge::{Dialect, Forge as LocalForge, Permission, Sending, Verdict};

const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A webhook that the owner made through the seam, and what receives it.
async fn hooked(at: &At, secret: &str) -> Stub {
    let stub = Stub::start().await;
    stub.on("POST /hook", [json(202, v!({}))]);
    let owner = seam(&at.local, &at.local.owner().token);
    for _ in 0..2 {
        let hook = owner.create_hook(stub.url("/hook").as_str(), &secret.into(), &HookEvent::ALL).await.unwrap();
        assert!(hook.active && hook.events.contains(&HookEvent::Review), "{hook:?}");
    }
    assert_eq!(owner.hooks().await.unwrap().len(), 1);
    stub
}

/// The names of the events that came, and of what they did.
fn told(stub: &Stub) -> Vec<String> {
    let of = |seen: crate::stub::Seen| {
        let header =
            ["x-github-event", "x-gitlab-event", "x-gitea-event"].iter().find_map(|name| seen.headers.get(*name));
        let action = seen.body["action"].as_str().or(seen.body["object_attributes"]["action"].as_str());
        format!("{} {}", header.unwrap().to_str().unwrap(), action.unwrap_or_default()).trim().to_owned()
    };
    stub.seen("POST /hook").into_iter().map(of).collect()
}

#[tokio::test]
async fn a_review_is_told_as_each_forge_tells_it() {
    for at in all().await {
        let stub = hooked(&at, "a secret of sixteen").await;
        let ann = at.local.account("ann", Permission::Write);
        at.local.review(("demo", "hello", 1), &ann, Verdict::ChangesRequested, "Three things.", LINES).unwrap();
        at.local.comment("demo", "hello", 1, &ann, "And the README.").unwrap();
        at.local.push("demo", "hello", "ticket-1", &[("more", Some("more\n"))], "More").unwrap();
        at.local.all_sent().await;
        let expected: &[&str] = match at.dialect() {
            Dialect::GitHub => &[
                "pull_request_review submitted",
                "pull_request_review_comment created",
                "pull_request_review_comment created",
                "pull_request_review_comment created",
                "issue_comment created",
                "push",
                "pull_request synchronize",
            ],
            Dialect::GitLab => &[
                "Note Hook create",
                "Note Hook create",
                "Note Hook create",
                "Note Hook create",
                "Note Hook create",
                "Push Hook",
                "Merge Request Hook update",
            ],
            // Without ids, and without what is said at lines.
            Dialect::Gitea => {
                &["pull_request_rejected reviewed", "issue_comment created", "push", "pull_request synchronized"]
            }
        };
        assert_eq!(told(&stub), expected);
    }
}

#[tokio::test]
async fn what_is_held_comes_late_twice_out_of_order_or_never() {
    for at in all().await {
        let stub = hooked(&at, SIGNING).await;
        at.local.set_sending(Sending::Held);
        let ann = at.local.account("ann", Permission::Write);
        for words in ["one", "two", "three"] {
            at.local.comment("demo", "hello", 1, &ann, words).unwrap();
        }
        let held = at.local.deliveries();
        assert_eq!((held.len(), stub.all().len()), (3, 0));
        for delivery in [&held[2], &held[0], &held[2]] {
            assert_eq!(at.local.send(delivery).await, 202);
        }
        let said: Vec<String> = stub.seen("POST /hook").iter().map(|seen| seen.body.to_string()).collect();
        let order: Vec<&str> = said.iter().map(|body| if body.contains("three") { "three" } else { "one" }).collect();
        assert_eq!(order, ["three", "one", "three"]);
        // A repeat has the same id, by whichever name the forge calls it.
        let id = |seen: &crate::stub::Seen| {
            let names = ["x-github-delivery", "webhook-id", "x-gitea-delivery"];
            names.iter().find_map(|name| seen.headers.get(*name)).unwrap().clone()
        };
        let seen = stub.seen("POST /hook");
        assert_eq!(id(&seen[0]), id(&seen[2]));
        assert_eq!(at.local.deliveries()[2].answers, [202, 202]);
        assert_eq!(at.local.deliveries()[1].answers, [0_u16; 0]);
        if at.dialect() == Dialect::GitLab {
            at.local.send_old(&held[0], Duration::from_secs(600)).await;
            let at_s = |seen: &crate::stub::Seen| -> u64 {
                seen.headers["webhook-timestamp"].to_str().unwrap().parse().unwrap()
            };
            let seen = stub.seen("POST /hook");
            assert!(at_s(&seen[0]) - at_s(&seen[3]) >= 590);
            assert!(seen.iter().all(|seen| !seen.headers.contains_key("x-gitlab-token")));
        }
    }
}

#[tokio::test]
async fn only_those_who_may_change_settings_see_webhooks() {
    for at in all().await {
        let error = at.bot.hooks().await.unwrap_err();
        assert!(matches!(error, ForgeError::Denied { .. } | ForgeError::NotFound { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_forge_says_what_it_is_and_what_people_may_do() {
    for at in all().await {
        let place = find_kind(&at.local.git_url("demo", "hello"), None).await.unwrap();
        assert_eq!(place.kind, at.bot.kind());
        assert!(at.local.calls().iter().all(|call| !call.contains(at.local.token())));
        at.local.account("ann", Permission::Write);
        at.local.account("bob", Permission::Read);
        at.local.account("eve", Permission::None);
        let owner = seam(&at.local, &at.local.owner().token);
        for (login, may) in [("ann", May::Write), ("bob", May::Read), ("eve", May::None), ("nobody", May::None)] {
            assert_eq!(owner.permission(login).await.unwrap(), may, "{login} at {:?}", at.dialect());
        }
        let about = at.bot.repository().await.unwrap();
        assert_eq!(
            (about.full_name.as_str(), about.default_branch.as_str(), about.private),
            ("demo/hello", "main", true)
        );
        assert_eq!(about.permission, May::Write);
        assert_eq!(at.bot.me().await.unwrap().login, "terarchitect-bot");
        let stranger = seam(&at.local, "no-such-token").me().await.unwrap_err();
        assert!(matches!(stranger, ForgeError::Denied { .. }), "{stranger}");
    }
}

#[tokio::test]
async fn issues_are_found_by_their_label_and_are_no_pull_requests() {
    for at in all().await {
        let ann = at.local.account("ann", Permission::Write);
        let issue = at.local.open_issue(("demo", "hello"), &ann, "Greet", "By name.", &["agent"]).unwrap();
        at.local.open_issue(("demo", "hello"), &ann, "Other", "", &["later"]).unwrap();
        let found = at.bot.issues("agent").await.unwrap();
        assert_eq!(found.iter().map(|issue| issue.title.as_str()).collect::<Vec<_>>(), ["Greet"]);
        let number = i64::try_from(issue.number).unwrap();
        at.bot.comment_issue(number, "On it.").await.unwrap();
        let said = at.bot.issue_comments(number).await.unwrap();
        assert_eq!((said.len(), said[0].author.login.as_str()), (1, "terarchitect-bot"));
        assert_eq!(at.bot.issue(number).await.unwrap().labels, ["agent"]);
    }
}

/// What an agent writes is no command.
#[tokio::test]
async fn a_line_with_a_slash_closes_nothing() {
    let at = with_pull(Dialect::GitLab).await;
    at.bot.comment(1, "Done.\n/close").await.unwrap();
    assert_eq!(at.local.pull("demo", "hello", 1).unwrap().state, "open");
    let ann = seam(&at.local, &at.local.account("ann", Permission::Write).token);
    assert!(ann.comments(1).await.unwrap()[0].body.ends_with("\\/close"));
}

#[tokio::test]
async fn a_pull_request_of_a_fork_is_told_from_the_repositorys_own() {
    for dialect in [Dialect::GitHub, Dialect::Gitea] {
        let at = At::start(dialect).await;
        at.local.fork("demo", "hello", "eve").unwrap();
        let eve = seam(&at.local, &at.local.account("eve", Permission::Read).token);
        let new = NewPull { head: "eve:ticket-1".into(), ..at.new_pull(false) };
        assert_eq!(eve.open_pull(&new).await.unwrap().number, 1);
        let pull = at.bot.pull(1).await.unwrap();
        assert_eq!(pull.head.repo.as_deref(), Some("eve/hello"));
        assert!(at.bot.pull_of_branch("ticket-1").await.unwrap().is_none(), "the branch of that name is another one");
        assert_eq!(at.bot.open_pull(&at.new_pull(false)).await.unwrap().number, 2);
    }
}

/// Redirects of every call, and addresses of forks: the other host gets nothing.
#[tokio::test]
async fn a_token_never_reaches_another_host() {
    for at in all().await {
        let elsewhere = LocalForge::start_as(at.dialect()).await.unwrap();
        elsewhere.create_repo("demo", "hello", &[("a", "a")]).unwrap();
        let ann = at.local.account("ann", Permission::Write);
        at.local.review(("demo", "hello", 1), &ann, Verdict::Commented, "", LINES).unwrap();
        let thread = at.bot.threads(1).await.unwrap().remove(0);
        for host in ["127.0.0.1", "localhost"] {
            let base = format!("http://{host}:{}", elsewhere.address().port());
            at.local.set_elsewhere(Some(&base));
            assert!(at.bot.pull(1).await.is_err());
            assert!(at.bot.comment(1, "Done.").await.is_err());
            assert!(at.bot.reply(1, &thread, "Done.").await.is_err());
            let error = at.bot.open_pull(&at.new_pull(false)).await.unwrap_err().to_string();
            assert!(error.contains("where the token is not sent"), "{error}");
        }
        assert_eq!((elsewhere.calls(), elsewhere.credentials_offered()), (Vec::new(), 0));
        at.local.set_elsewhere(None);
        assert_eq!(at.local.pull("demo", "hello", 1).unwrap().comments.len(), 0);
    }
    // A stranger's page is not taken for a forge.
    let stub = Stub::start().await;
    stub.on("GET /api/v1/version", [text(200, "<html>")]);
    assert!(find_kind(stub.url("/demo/hello").as_ref(), None).await.is_err());
}
