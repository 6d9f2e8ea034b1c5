//! Whole tickets: the Director on a scripted chat model, with an agent and hooks that only keep a record.

#![allow(clippy::unwrap_used, reason = "tests")]

use async_trait::async_trait;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use terarchitect_agent_runner::agent::{Agent, AgentError, ModelFailure, TurnOutput};
use terarchitect_agent_runner::director::chat::ChatModel;
use terarchitect_agent_runner::director::{Brief, DriveError, DriveHooks, Limits, Outcome, Phase, TurnChanges, drive};
use terarchitect_testbed::chat::{ChatServer, Reply, Rule, Script};
use tokio_util::sync::CancellationToken;

const PLAN_OK: &str = r#"{"approved": true, "feedback": ""}"#;
const MORE: &str = r#"{"complete": false, "summary": "", "instructions": "Write the test too"}"#;
const COMPLETE: &str = r#"{"complete": true, "summary": "A cart and its test", "reason": null}"#;

/// An agent that does everything at once, and records the phases of its prompts.
#[derive(Clone, Default)]
struct Scribe {
    phases: Arc<Mutex<Vec<String>>>,
    fails_to_compact: bool,
    waits_for_cancel: bool,
}

#[async_trait]
impl Agent for Scribe {
    fn name(&self) -> String {
        "Scribe 1".to_owned()
    }

    async fn prompt(&mut self, prompt: &str, cancel: &CancellationToken) -> Result<TurnOutput, AgentError> {
        let phase = prompt.lines().next().unwrap_or_default().to_owned();
        self.phases.lock().unwrap().push(phase);
        if self.waits_for_cancel {
            cancel.cancelled().await;
            return Err(AgentError::Cancelled);
        }
        Ok(TurnOutput { text: "I did it.".to_owned(), cost_usd: Some(0.25), ..TurnOutput::default() })
    }

    async fn compact(&mut self, _cancel: &CancellationToken) -> Result<(), AgentError> {
        self.phases.lock().unwrap().push("compact".to_owned());
        if self.fails_to_compact {
            return Err(AgentError::Model { kind: ModelFailure::Compaction, message: "no".to_owned() });
        }
        Ok(())
    }

    async fn shutdown(self: Box<Self>) {}
}

/// Hooks that keep a record.
#[derive(Default)]
struct Record {
    turns: Vec<(Phase, u32)>,
    log: Vec<String>,
    fails_at: Option<u32>,
}

#[async_trait]
impl DriveHooks for Record {
    async fn after_turn(
        &mut self,
        phase: Phase,
        turn: u32,
        _output: &TurnOutput,
    ) -> Result<TurnChanges, anyhow::Error> {
        self.turns.push((phase, turn));
        anyhow::ensure!(self.fails_at != Some(turn), "the push was refused");
        Ok(TurnChanges { changed: true, diffstat: " cart.rs | 10 +".to_owned(), diff: None, left_out: String::new() })
    }

    async fn log(&mut self, step: &str, summary: &str, raw_output: Option<&str>) {
        let raw_output = raw_output.map(|raw| format!(" <{raw}>")).unwrap_or_default();
        self.log.push(format!("{step}: {summary}{raw_output}"));
    }
}

fn brief() -> Brief {
    Brief { title: "Add a cart".to_owned(), description: "With a test".to_owned(), ..Brief::default() }
}

fn once(rule: Rule) -> Rule {
    Rule { times: Some(1), ..rule }
}

/// What the Director says, in order, to plans and to turns.
async fn director(plans: &[&str], turns: &[&str]) -> ChatServer {
    let rules = |phase: &'static str, answers: &[&str]| {
        answers.iter().map(move |answer| once(Rule::text("director", phase, answer))).collect::<Vec<_>>()
    };
    let rules = [rules("Phase: plan-review", plans), rules("Phase: turn-review", turns)].concat();
    ChatServer::start(Script { rules }).await.unwrap()
}

fn model(server: &ChatServer) -> ChatModel {
    ChatModel::new(&server.base_url(), "director", None).unwrap().with_patience(Duration::from_secs(1))
}

async fn drive_with(
    server: &ChatServer,
    limits: Limits,
    agent: &mut Scribe,
    hooks: &mut Record,
) -> Result<Outcome, DriveError> {
    drive(&brief(), limits, agent, Some(&model(server)), hooks, &CancellationToken::new()).await
}

#[tokio::test]
async fn a_ticket_goes_through_its_phases_and_ends_with_the_directors_summary() {
    let server = director(&[PLAN_OK], &[MORE, COMPLETE]).await;
    let (mut agent, mut hooks) = (Scribe::default(), Record::default());
    let outcome = drive_with(&server, Limits::default(), &mut agent, &mut hooks).await.unwrap();
    let expected = Outcome {
        summary: "A cart and its test".to_owned(),
        reason: None,
        agent_turns: 4,
        cost_usd: Some(1.0),
        ..Outcome::default()
    };
    assert_eq!(outcome, expected);
    let phases = agent.phases.lock().unwrap().clone();
    assert_eq!(phases, ["Phase: research", "Phase: plan", "Phase: execution", "Phase: execution"]);
    assert_eq!(hooks.turns, [(Phase::Research, 1), (Phase::Plan, 2), (Phase::Execution, 3), (Phase::Execution, 4)]);
    let wants_more = format!("turn-review: The Director asks for more work after turn 1: Write the test too <{MORE}>");
    assert!(hooks.log.contains(&wants_more), "{:?}", hooks.log);
    let last = server.requests().pop().unwrap();
    assert!(last.last("user").contains("cart.rs | 10 +"), "{}", last.last("user"));
}

#[tokio::test]
async fn an_unusable_answer_is_asked_for_once_more() {
    let server = director(&["Fine with me!", PLAN_OK], &[COMPLETE]).await;
    drive_with(&server, Limits::default(), &mut Scribe::default(), &mut Record::default()).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_stays_unusable_is_a_failure_that_says_so() {
    let server = director(&["Fine with me!", "I said: fine!", "Fine!"], &[]).await;
    let error =
        drive_with(&server, Limits::default(), &mut Scribe::default(), &mut Record::default()).await.unwrap_err();
    assert!(matches!(error, DriveError::UnusableAnswer { phase: Phase::PlanReview, .. }), "{error:?}");
    assert!(!error.is_infrastructure() && !error.is_misconfiguration() && error.to_string().contains("AGENT_MODEL"));
}

#[tokio::test]
async fn a_compaction_that_fails_does_not_end_the_ticket() {
    let server = director(&[PLAN_OK], &[MORE, MORE, COMPLETE]).await;
    let mut agent = Scribe { fails_to_compact: true, ..Scribe::default() };
    let limits = Limits { compact_every: 3, ..Limits::default() };
    let mut hooks = Record::default();
    drive_with(&server, limits, &mut agent, &mut hooks).await.unwrap();
    let phases = agent.phases.lock().unwrap().clone();
    assert_eq!(phases.iter().position(|entry| entry == "compact"), Some(3), "{phases:?}");
    assert!(hooks.log.iter().any(|entry| entry.contains("could not be compacted")), "{:?}", hooks.log);
}

#[tokio::test]
async fn a_hook_that_fails_ends_the_ticket_with_its_own_error() {
    let server = director(&[PLAN_OK], &[COMPLETE]).await;
    let mut hooks = Record { fails_at: Some(3), ..Record::default() };
    let error = drive_with(&server, Limits::default(), &mut Scribe::default(), &mut hooks).await.unwrap_err();
    let DriveError::Hook(source) = &error else { panic!("{error:?}") };
    assert_eq!(source.to_string(), "the push was refused");
}

#[tokio::test]
async fn cancelling_ends_the_agents_turn_and_the_ticket() {
    let server = director(&[], &[]).await;
    let mut agent = Scribe { waits_for_cancel: true, ..Scribe::default() };
    let cancel = CancellationToken::new();
    let director = model(&server);
    let (brief, mut hooks) = (brief(), Record::default());
    let running = drive(&brief, Limits::default(), &mut agent, Some(&director), &mut hooks, &cancel);
    let (result, ()) = tokio::join!(running, async { cancel.cancel() });
    assert!(result.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn cancelling_does_not_wait_for_a_silent_director() {
    let silent = Rule { reply: Reply { stall: true, ..Reply::default() }, ..Rule::text("director", "", "") };
    let server = ChatServer::start(Script { rules: vec![silent] }).await.unwrap();
    let cancel = CancellationToken::new();
    let director = model(&server);
    let (brief, mut agent, mut hooks) = (brief(), Scribe::default(), Record::default());
    let running = drive(&brief, Limits::default(), &mut agent, Some(&director), &mut hooks, &cancel);
    let asked = async {
        server.wait_for_request(|_| true).await;
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(running, asked);
    assert!(result.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn a_refused_key_of_the_director_is_a_misconfiguration() {
    let refused = Rule { reply: Reply { status: Some(401), ..Reply::default() }, ..Rule::text("director", "", "") };
    let server = ChatServer::start(Script { rules: vec![refused] }).await.unwrap();
    let error =
        drive_with(&server, Limits::default(), &mut Scribe::default(), &mut Record::default()).await.unwrap_err();
    assert!(error.is_misconfiguration() && !error.is_infrastructure(), "{error:?}");
}

#[tokio::test]
async fn without_a_director_the_agent_is_prompted_once_and_its_answer_is_the_summary() {
    let (mut agent, mut hooks) = (Scribe::default(), Record::default());
    let cancel = CancellationToken::new();
    let outcome = drive(&brief(), Limits::default(), &mut agent, None, &mut hooks, &cancel).await.unwrap();
    assert_eq!((outcome.summary.as_str(), outcome.agent_turns), ("I did it.", 1));
    assert_eq!(
        (hooks.turns, hooks.log),
        (vec![(Phase::Execution, 1)], vec!["execution: Agent turn 1 starts".to_owned()])
    );
}
