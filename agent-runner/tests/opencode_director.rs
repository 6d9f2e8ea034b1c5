//! The whole loop on real parts: the Director and OpenCode on the demonstration's scripted models.

#![allow(clippy::unwrap_used, reason = "tests")]

mod opencode_support;

use async_trait::async_trait;
use opencode_support::{Place, opencode, provider};
use std::path::PathBuf;
use terarchitect_agent_runner::agent::{AgentKind, TurnOutput, start};
use terarchitect_agent_runner::director::chat::ChatModel;
use terarchitect_agent_runner::director::{Brief, DriveHooks, Limits, Phase, TurnChanges, drive};
use terarchitect_testbed::chat::{ChatServer, Script};
use tokio_util::sync::CancellationToken;

/// Says that something changed if the agent's program is there.
struct Look(PathBuf);

#[async_trait]
impl DriveHooks for Look {
    async fn after_turn(&mut self, _: Phase, _: u32, _: &TurnOutput) -> Result<TurnChanges, anyhow::Error> {
        Ok(TurnChanges {
            changed: self.0.exists(),
            diffstat: "greet.sh | 7 +++++++".to_owned(),
            diff: None,
            left_out: String::new(),
        })
    }

    async fn log(&mut self, _step: &str, _summary: &str, _raw_output: Option<&str>) {}
}

#[tokio::test]
async fn the_demonstrations_ticket_is_carried_out() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    std::fs::write(place.work("README.md"), "# Hello\n").unwrap();
    let model = ChatServer::start(Script::demo()).await.unwrap();
    let mut options = place.options(binary, provider(&model.base_url()));
    options.provider.model = "scripted-coder".to_owned();
    let mut agent = start(AgentKind::OpenCode, options).await.unwrap();
    let director = ChatModel::new(&model.base_url(), "scripted-director", None).unwrap();
    let brief = Brief { title: "Greet people by name".to_owned(), ..Brief::default() };
    let mut hooks = Look(place.work("greet.sh"));
    let cancel = CancellationToken::new();
    let outcome = drive(&brief, Limits::default(), agent.as_mut(), Some(&director), &mut hooks, &cancel).await.unwrap();
    assert!(outcome.summary.contains("greet.sh greets"), "{outcome:?}");
    assert_eq!(outcome.agent_turns, 4);
    assert!(std::fs::read_to_string(place.work("README.md")).unwrap().contains("sh greet.sh Ada"));
    place.record("healthy-the-demonstration", "The demonstration's ticket, with OpenCode", None);
    agent.shutdown().await;
    assert_eq!(place.processes(), []);
}
