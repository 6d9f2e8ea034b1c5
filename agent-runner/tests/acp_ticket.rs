//! Whole tickets with Claude Code and Codex, the real programs: to an open pull request, with a Director, and across a kill.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod acp_support;
mod opencode_support;
mod ticket_support;

use acp_support::{CLAUDE, CODEX, Case};
use std::path::Path;
use terarchitect_testbed::chat::Script;
use ticket_support::{WORKER_KEY, World};

async fn becomes_a_pull_request(case: &Case) {
    let Some(program) = case.program() else { return };
    let world = World::with_agent("/nowhere/opencode".into(), Script::demo()).await;
    let (api, bin) = (world.forge.api_url(), program.to_str().unwrap());
    let options = ["--github-api-url", &api, "--worker-mode", case.kind.as_str(), "--acp-agent-bin", bin];
    let finished = world.attempt(&options).await.unwrap();
    let pulls = world.forge.pulls("demo", "hello");
    assert_eq!((pulls.len(), pulls[0].title.as_str()), (1, "Greet people by name"));
    let log = world.forge.git("demo", "hello", &["log", "--format=%an <%ae>", &finished.branch]).unwrap();
    assert_eq!(log.lines().filter(|line| *line == "Ada <ada@example.com>").count(), 2, "a commit for each turn: {log}");
    assert!(world.on_branch("greet.sh").unwrap().contains("Hello, $1!"));
    assert!(world.on_branch("README.md").unwrap().contains("sh greet.sh Ada"));
    let said = format!("{:?} {:?} {}", world.calls("/logs"), world.calls("/complete"), pulls[0].body);
    for secret in [world.forge.token(), WORKER_KEY, "scripted-worker-key"] {
        assert!(!said.contains(secret), "{secret}");
    }
    let ready = world.logs("agent_ready");
    assert!(ready[0]["summary"].as_str().unwrap().contains(bin_name(&program)), "{ready:?}");
    let asked: Vec<_> = world.chat.requests().iter().map(|request| request.key.clone()).collect();
    assert!(asked.iter().all(|key| key.as_deref() == Some("scripted-worker-key")), "{asked:?}");
    let used = world.logs("model_usage");
    assert!(used[0]["data"]["calls"].as_u64().unwrap() >= 6, "what the agent used is known: {used:?}");
}

fn bin_name(program: &Path) -> &str {
    program.file_name().unwrap().to_str().unwrap()
}

#[tokio::test]
async fn a_ticket_becomes_a_pull_request_with_claude_code() {
    becomes_a_pull_request(&CLAUDE).await;
}

#[tokio::test]
async fn a_ticket_becomes_a_pull_request_with_codex() {
    becomes_a_pull_request(&CODEX).await;
}
