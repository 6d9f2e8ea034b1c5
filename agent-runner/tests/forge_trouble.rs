//! Whole tickets while the forge fails, limits, refuses or is behind a proxy: finished work is never paid for twice.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

mod opencode_support;
mod ticket_support;

use serde_json::json;
use std::process::Stdio;
use terarchitect_testbed::chat::Script;
use terarchitect_testbed::forge::{Answer, Faults};
use terarchitect_testbed::proxy::Proxy;
use terarchitect_testbed::tls::{self, Tls};
use ticket_support::World;
use tokio::io::AsyncWriteExt;

fn answer(status: u16, times: u32, body: &'static str) -> Option<Answer> {
    Some(Answer { status, times, headers: &[], body })
}

#[tokio::test]
async fn a_forge_that_fails_or_limits_for_some_seconds_costs_nothing() {
    let limited = "You have exceeded a secondary rate limit.";
    for (clones, pushes) in
        [(answer(502, 3, ""), answer(503, 4, "")), (answer(403, 3, limited), answer(403, 6, limited))]
    {
        let Some(world) = World::start(Script::demo()).await else { return };
        world.forge.set_faults(Faults { git_answer: clones, push_answer: pushes, ..Faults::default() });
        let finished = world.attempt_with_pulls().await.unwrap();
        assert!(finished.pull_url.is_some());
        let retries = world.logs("retry");
        assert!(retries.len() >= 3, "each is in the log: {retries:?}");
        assert_eq!(world.logs("commit").len(), 2, "no turn is repeated");
    }
}

#[tokio::test]
async fn a_refused_push_ends_the_attempt_with_the_remotes_words() {
    let Some(world) = World::start(Script::demo()).await else { return };
    let hook = world.forge.repo_path("demo", "hello").join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\necho \"no ticket number\" >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let error = world.attempt_with_pulls().await.unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error:?}");
    assert!(error.chain().contains("no ticket number") && error.chain().contains("hook declined"), "{}", error.chain());
    assert!(world.logs("failed")[0]["summary"].as_str().unwrap().contains("no ticket number"));

    // What is refused is kept once, since the refusal may be over; refused again, it does not stand in the way.
    let kept = |ending: &str| {
        let files = std::fs::read_dir(world.unpushed.path()).unwrap().map(|file| file.unwrap().path());
        files.filter(|file| file.extension().is_some_and(|found| found == ending)).count()
    };
    let turns = world.turns();
    assert_eq!((kept("commits"), kept("refused")), (1, 0));
    let error = world.attempt_with_pulls().await.unwrap_err();
    assert!(error.chain().contains("no ticket number") && world.turns() == turns, "{}", error.chain());
    assert_eq!((kept("commits"), kept("refused")), (0, 1));
}

#[tokio::test]
async fn work_that_could_not_be_pushed_is_pushed_by_the_next_attempt_and_not_done_again() {
    let Some(world) = World::start(Script::demo()).await else { return };
    world.forge.set_faults(Faults { push_answer: answer(503, u32::MAX, ""), ..Faults::default() });
    let api = world.forge.api_url();
    let impatient = ["--github-api-url", &api, "--git-patience-sec", "2"];
    let error = world.attempt(&impatient).await.unwrap_err();
    assert_eq!(error.exit_code(), 75, "{error:?}");
    assert_eq!(world.on_branch("README.md"), None);
    let said = world.logs("push");
    assert!(
        said.last().unwrap()["summary"].as_str().unwrap().contains("the next attempt pushes them first"),
        "{said:?}"
    );
    let (turns, noted) = (world.turns(), world.logs("work_finished"));

    // A further attempt during the same trouble costs no turn either.
    let mut context = world.context();
    context["finished_work"] = serde_json::from_str(noted[0]["raw_output"].as_str().unwrap()).unwrap();
    world.api.set_context(context);
    assert_eq!(world.attempt(&impatient).await.unwrap_err().exit_code(), 75);
    world.forge.set_faults(Faults::default());
    let finished = world.attempt_with_pulls().await.unwrap();
    assert_eq!(world.turns(), turns, "the model is not asked again");
    assert!(finished.pull_url.is_some() && finished.diffstat.contains("README.md"), "{finished:?}");
    assert_ne!(world.on_branch("README.md").unwrap(), "# Hello\n");
    assert_eq!(std::fs::read_dir(world.unpushed.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn turns_whose_push_was_refused_are_pushed_first_once_the_remote_accepts_them() {
    let Some(world) = World::start(Script::demo()).await else { return };
    let denied = answer(403, 20, r#"{"message": "Resource not accessible by personal access token"}"#);
    world.forge.set_faults(Faults { push_answer: denied, ..Faults::default() });
    world.attempt_with_pulls().await.unwrap_err();
    let kept = kept_head(&world);
    world.forge.set_faults(Faults::default());
    world.attempt_with_pulls().await.unwrap();
    assert!(is_on_the_branch(&world, &kept), "{kept}");
}

/// The head of the commits that wait to be pushed, from the file's label.
fn kept_head(world: &World) -> String {
    let file = std::fs::read_dir(world.unpushed.path()).unwrap().next().unwrap().unwrap();
    let content = std::fs::read(file.path()).unwrap();
    let label = content[32..].split(|&byte| byte == b'\n').next().unwrap();
    serde_json::from_slice::<serde_json::Value>(label).unwrap()["head"].as_str().unwrap().to_owned()
}

fn is_on_the_branch(world: &World, commit: &str) -> bool {
    let branch = format!("ticket-{}", world.ticket);
    world.forge.git("demo", "hello", &["merge-base", "--is-ancestor", commit, &branch]).is_ok()
}

#[tokio::test]
async fn a_runner_that_is_killed_while_the_forge_fails_loses_no_finished_turn() {
    let Some(world) = World::start(Script::demo()).await else { return };
    world.forge.set_faults(Faults { push_answer: answer(503, u32::MAX, ""), ..Faults::default() });
    {
        let attempt = world.attempt_with_pulls();
        let reviewed = world.chat.wait_for_request(|request| request.last("user").contains("Phase: turn-review"));
        tokio::select! {
            ended = attempt => panic!("{ended:?}"),
            // The attempt is dropped here, as in a kill: nothing of it runs any more.
            _ = reviewed => {}
        }
    }
    let kept = kept_head(&world);
    world.forge.set_faults(Faults::default());
    world.attempt_with_pulls().await.unwrap();
    assert!(is_on_the_branch(&world, &kept), "{kept}");
}

#[tokio::test]
async fn work_that_is_done_is_not_done_again() {
    let Some(world) = World::start(Script::demo()).await else { return };
    let denied = answer(403, 1, r#"{"message": "Resource not accessible by personal access token"}"#);
    world.forge.set_faults(Faults { rest_answer: denied, ..Faults::default() });
    world.attempt_with_pulls().await.unwrap_err();
    let noted = world.logs("work_finished");
    assert_eq!(noted.len(), 1, "{noted:?}");
    let turns = world.turns();

    // The API gives the note to the next attempt of the same job.
    let mut context = world.context();
    context["finished_work"] = serde_json::from_str(noted[0]["raw_output"].as_str().unwrap()).unwrap();
    world.api.set_context(context);
    let finished = world.attempt_with_pulls().await.unwrap();
    assert!(finished.pull_url.is_some() && finished.diffstat.contains("README.md"), "{finished:?}");
    assert_eq!(world.turns(), turns, "the model is not asked again");
    assert!(world.forge.pulls("demo", "hello")[0].body.contains(&finished.summary));
    assert_eq!(world.api.calls("/complete").len(), 1);

    // Where the branch went on in the meantime, the note is old.
    let branch = format!("refs/heads/{}", finished.branch);
    world.forge.git("demo", "hello", &["update-ref", &branch, "refs/heads/main"]).unwrap();
    world.attempt_with_pulls().await.unwrap();
    assert!(world.turns() > turns);
}

/// The runner as a program, since proxies and trust come from its environment.
/// How the program learns of its proxy.
enum Given<'a> {
    /// As a variable.
    Variable(&'a str),
    /// Over standard input, as the coordinator passes on what contains a password.
    Stdin(&'a str),
}

async fn runs_through(world: &World, proxy: Given<'_>, trusted: Option<&std::path::Path>) -> std::process::Output {
    let mut context = world.context();
    context["repo_url"] = json!(format!("https://{}/demo/hello.git", tls::NAME));
    context["agent_settings"]["GITHUB_API_URL"] = json!(format!("https://{}", tls::NAME));
    context["agent_settings"].as_object_mut().unwrap().remove("GITHUB_TOKEN_HOST");
    world.api.set_context(context);
    let mut runner = tokio::process::Command::new(env!("CARGO_BIN_EXE_agent-runner"));
    runner.arg("ticket").env_clear().kill_on_drop(true);
    for name in ["PATH", "HOME", "TMPDIR"] {
        runner.envs(std::env::var(name).ok().map(|value| (name, value)));
    }
    runner.env("TERARCHITECT_API_URL", world.api.url()).env("OPENCODE_BIN", &world.opencode);
    runner.env("PROJECT_ID", world.project.to_string()).env("TICKET_ID", world.ticket.to_string());
    runner.envs(trusted.map(|file| ("SSL_CERT_FILE", file)));
    runner.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let line = match proxy {
        Given::Variable(address) => {
            runner.env("https_proxy", address);
            String::new()
        }
        Given::Stdin(address) => {
            runner.env("TERARCHITECT_SECRETS_STDIN", "1");
            // The key beside it arrives as well.
            format!("{}\n", json!({"env": {"https_proxy": address, "GIT_USER_NAME": "Name from stdin"}}))
        }
    };
    let mut runner = runner.spawn().unwrap();
    runner.stdin.take().unwrap().write_all(line.as_bytes()).await.unwrap();
    runner.wait_with_output().await.unwrap()
}

#[tokio::test]
async fn a_forge_behind_a_proxy_with_its_own_authority_is_reached_by_git_and_rest() {
    let Some(world) = World::start(Script::demo()).await else { return };
    let tls = Tls::start(world.forge.address()).await.unwrap();
    let proxy = Proxy::start(tls.address(), Some("ada:pass%word")).await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let authority = place.path().join("ca.pem");
    std::fs::write(&authority, tls::CA).unwrap();

    let wrong = format!("http://ada:wrong@{}", proxy.address());
    let wrong = runs_through(&world, Given::Variable(&wrong), Some(&authority)).await;
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned() + &String::from_utf8_lossy(&wrong.stdout);
    assert_eq!(wrong.status.code(), Some(2), "{said}");
    assert_eq!((proxy.passed(), said.contains("ada:wrong")), (0, false), "{said}");

    let address = format!("http://ada:pass%25word@{}", proxy.address());
    let output = runs_through(&world, Given::Stdin(&address), Some(&authority)).await;
    let said = format!("{} {:?}", String::from_utf8_lossy(&output.stderr), world.calls("/logs"));
    assert!(output.status.success() && !said.contains("pass%25word") && !said.contains("pass%word"), "{said}");
    let authors = world.forge.git("demo", "hello", &["log", "--all", "--format=%an"]).unwrap();
    assert!(authors.contains("Name from stdin"), "{authors}");
    assert_eq!(world.forge.pulls("demo", "hello").len(), 1);
    assert!(proxy.passed() >= 4, "git's list, fetch and push, and the pull request: {}", proxy.passed());
}
