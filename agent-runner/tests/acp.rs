//! Claude Code and Codex, the real programs, with a scripted model: the same behaviour of each.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod acp_support;
mod opencode_support;

use acp_support::CASES;
use opencode_support::{Place, says, script, to};
use terarchitect_agent_runner::agent;
use terarchitect_testbed::chat::ChatServer;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_turn_has_what_the_agent_says() {
    for case in CASES {
        let Some(bin) = case.program() else { continue };
        let chat = ChatServer::start(script([to("Say hello", says("Hello there."))])).await.unwrap();
        let place = Place::new();
        let options = case.options(&place, bin, &chat.base_url());
        let mut agent = agent::start(case.kind, options).await.unwrap();
        let turn = agent.prompt("Say hello", &CancellationToken::new()).await;
        for request in chat.requests() {
            eprintln!("{:?} {}", request.wire, request.body.to_string().chars().take(20000).collect::<String>());
        }
        eprintln!("{}: {turn:?}", agent.name());
        agent.shutdown().await;
        assert_eq!(place.processes(), []);
        assert_eq!(turn.unwrap().text, "Hello there.", "{:?}", case.kind);
    }
}
