//! Whole tickets with agents in Cursor's cloud, against its stand-in and the local forge: launch, follow-ups, their commits, the
//! pull request, and runners that are killed in between.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

mod cursor_support;
mod opencode_support;
mod ticket_support;

use cursor_support::{CursorWorld, TURNS, VERSIONS, kill};
use serde_json::json;
use terarchitect_testbed::cursor::{End, When};
use ticket_support::WORKER_KEY;

#[tokio::test]
async fn a_ticket_becomes_a_pull_request_of_what_one_agent_has_pushed() {
    for version in VERSIONS {
        let at = CursorWorld::start(version).await;
        let (finished, ()) = tokio::join!(at.attempt(), at.work(1, &TURNS));
        let finished = finished.unwrap();
        at.ended_as_ever();
        let agents = at.cloud.agents();
        assert_eq!((agents.len(), agents[0].runs.len(), agents[0].opens_pull), (1, 4, false), "{version}");
        assert_eq!(agents[0].start.as_deref(), Some(finished.branch.as_str()));
        assert_eq!(agents[0].branch == finished.branch, version == "v1", "{}", agents[0].branch);
        let prompts = at.prompts();
        for (prompt, phase) in prompts.iter().zip(["research", "plan", "execution", "execution"]) {
            assert!(prompt.contains(&format!("Phase: {phase}")), "{prompt}");
            assert!(prompt.contains(&format!("push them to the branch {}; ", agents[0].branch)), "{prompt}");
        }
        // What the Director reviews is what the agent has said and pushed.
        let reviews = at.world.chat.requests();
        assert!(reviews[0].last("user").contains("1. Write greet.sh."), "{}", reviews[0].last("user"));
        let first = reviews.iter().find(|request| request.last("user").contains("Phase: turn-review")).unwrap();
        assert!(first.last("user").contains("+echo \"Hello, $1!\""), "{}", first.last("user"));
        assert!(reviews.iter().all(|request| request.model() == "scripted-director"));
        let log = at.world.forge.git("demo", "hello", &["log", "--format=%an", &finished.branch]).unwrap();
        assert_eq!(log.lines().filter(|line| *line == "Cursor Agent").count(), 3, "{log}");
        assert_eq!(at.world.logs("commit").len(), 2);
        assert!(at.world.logs("cloud_agent")[0]["summary"].as_str().unwrap().contains(&agents[0].id));
        // The change of a turn is all of its commits.
        let diffs = at.world.calls("/diffs");
        let of_last = diffs.iter().rfind(|diff| diff["turn"] == json!(4));
        assert!(of_last.is_none_or(|diff| diff["files"] == json!(2)), "{of_last:?}");
        let said = format!("{:?} {:?}", at.world.calls("/logs"), at.world.calls("/complete"));
        for secret in [at.cloud.key(), at.world.forge.token(), WORKER_KEY] {
            assert!(!said.contains(secret), "{secret}");
        }
    }
}

#[tokio::test]
async fn without_a_director_the_agent_works_alone_and_no_model_is_needed() {
    for version in VERSIONS {
        let at = CursorWorld::start(version).await;
        at.world.api.set_context(at.context(&json!({"AGENT_LLM_URL": null, "AGENT_MODEL": null})));
        let all = [("Done, in one turn.", [TURNS[2].1, TURNS[3].1].concat().leak() as &'static [_])];
        let (finished, ()) = tokio::join!(at.attempt(), at.work(1, &all));
        assert_eq!(finished.unwrap().summary, "Done, in one turn.");
        at.ended_as_ever();
        assert!(at.world.chat.requests().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_is_killed_before_it_knows_of_its_launch_launches_once() {
    for version in VERSIONS {
        let at = CursorWorld::start(version).await;
        let mut held = at.cloud.hold("POST", "/agents", When::After);
        let runner = at.spawn();
        held.arrived().await;
        kill(runner);
        drop(held);
        let looked = at.looked_back();
        let work = async {
            looked.await;
            at.work(1, &TURNS).await;
        };
        let (finished, ()) = tokio::join!(at.attempt(), work);
        finished.unwrap();
        at.ended_as_ever();
        assert_eq!((at.cloud.agents().len(), at.prompts().len()), (1, 4), "{version}");
    }
}

/// The turn that the killed runner waited for goes on meanwhile, or has ended; the next attempt takes it over.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_a_killed_runner_waited_for_is_not_paid_twice() {
    for (version, has_ended) in [("v0", false), ("v1", false), ("v1", true)] {
        let at = CursorWorld::start(version).await;
        let runner = at.spawn();
        at.work(1, &TURNS[..2]).await;
        let id = at.cloud.prompted(3).await.id;
        kill(runner);
        if has_ended {
            at.finish_turn(&id, TURNS[2].0, TURNS[2].1);
        }
        at.hand_on(2);
        let looked = at.looked_back();
        let work = async {
            if !has_ended {
                looked.await;
                at.finish_turn(&id, TURNS[2].0, TURNS[2].1);
            }
            at.work(4, &TURNS[3..]).await;
        };
        let (finished, ()) = tokio::join!(at.attempt(), work);
        finished.unwrap();
        at.ended_as_ever();
        assert_eq!((at.cloud.agents().len(), at.prompts().len()), (1, 4), "{version} {has_ended}");
        assert!(at.world.steps().contains(&"resumed".to_owned()));
    }
}

/// v0 says of an agent that was stopped what it says of one that is done, so it is told again.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_may_not_have_ended_its_turn_is_told_to_look_what_it_did() {
    let at = CursorWorld::start("v0").await;
    let runner = at.spawn();
    at.work(1, &TURNS[..2]).await;
    let id = at.cloud.prompted(3).await.id;
    kill(runner);
    at.finish_turn(&id, TURNS[2].0, TURNS[2].1);
    at.hand_on(2);
    let again = [("It was all there.", &[] as &[_]), TURNS[3]];
    let (finished, ()) = tokio::join!(at.attempt(), at.work(4, &again));
    finished.unwrap();
    at.ended_as_ever();
    assert!(at.prompts()[3].starts_with("Your last turn was interrupted."), "{}", at.prompts()[3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_cursor_has_ended_meanwhile_is_replaced_by_a_new_one() {
    for version in VERSIONS {
        let at = CursorWorld::start(version).await;
        let runner = at.spawn();
        at.work(1, &TURNS[..1]).await;
        let id = at.cloud.prompted(2).await.id;
        kill(runner);
        at.cloud.end(&id, &End::expired());
        at.hand_on(1);
        let (finished, ()) = tokio::join!(at.attempt(), at.work(3, &TURNS));
        finished.unwrap();
        at.ended_as_ever();
        assert_eq!(at.cloud.agents().len(), 2, "{version}");
    }
}

#[tokio::test]
async fn a_branch_that_is_continued_and_conflicts_goes_on_without_the_base() {
    let at = CursorWorld::start("v1").await;
    let person = at.world.checkout();
    person.git(&["checkout", "--quiet", "-b", &format!("ticket-{}", at.world.ticket)]);
    person.git(&["commit", "--quiet", "--allow-empty", "-m", "Begin"]);
    person.git(&["push", "--quiet", "origin", "HEAD"]);
    person.change(&format!("ticket-{}", at.world.ticket), &[("hello.sh", "echo good day\n")]);
    person.change("main", &[("hello.sh", "echo good evening\n")]);
    let (finished, ()) = tokio::join!(at.attempt(), at.work(1, &TURNS));
    finished.unwrap();
    let said = at.world.logs("conflict");
    assert!(said[0]["summary"].as_str().unwrap().contains("hello.sh; work goes on without"), "{said:?}");
    assert_eq!(at.world.on_branch("hello.sh").as_deref(), Some("echo good day\n"));
    assert!(at.world.on_branch("greet.sh").is_some());
}
