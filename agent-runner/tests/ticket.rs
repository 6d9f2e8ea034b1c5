//! Whole tickets with the real OpenCode, the local forge and a scripted model, against a stand-in for the API: what is
//! pushed, opened and reported, and what the exit code says.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

mod opencode_support;
mod ticket_support;

use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};
use terarchitect_agent_runner::attempt::AttemptError;
use terarchitect_testbed::chat::{Rule, Script};
use terarchitect_testbed::forge::{Answer, Dialect, Faults};
use ticket_support::{WORKER_KEY, World};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

#[tokio::test]
async fn a_ticket_becomes_a_pull_request_and_no_secret_leaves() {
    let Some(world) = World::start(Script::demo()).await else { return };
    let api = world.forge.api_url();
    let finished = world.attempt(&["--github-api-url", &api]).await.unwrap();
    let pulls = world.forge.pulls("demo", "hello");
    assert_eq!((pulls.len(), pulls[0].title.as_str()), (1, "Greet people by name"));
    assert_eq!(finished.pull_url.as_deref().map(|url| url.ends_with("/pull/1")), Some(true));
    let complete = world.calls("/complete");
    assert_eq!((complete.len(), &complete[0]["pr_number"]), (1, &json!(1)));
    let log = world.forge.git("demo", "hello", &["log", "--format=%an <%ae>", &finished.branch]).unwrap();
    assert_eq!(log.lines().filter(|line| *line == "Ada <ada@example.com>").count(), 2, "a commit for each turn: {log}");
    let steps = world.steps();
    for step in
        ["start", "clone", "agent_ready", "research", "plan", "turn", "commit", "push", "pull_request", "complete"]
    {
        assert!(steps.iter().any(|logged| logged == step), "{step}: {steps:?}");
    }
    let said = format!("{:?} {:?} {}", world.calls("/logs"), world.calls("/complete"), pulls[0].body);
    for secret in [world.forge.token(), WORKER_KEY, "scripted-worker-key"] {
        assert!(!said.contains(secret), "{secret}");
    }
    // A second attempt at the same ticket continues the branch, and reuses the pull request.
    world.attempt(&["--github-api-url", &api]).await.unwrap();
    assert_eq!(world.forge.pulls("demo", "hello").len(), 1);
}

#[tokio::test]
async fn work_starts_from_the_branch_that_its_order_names_and_is_to_be_merged_there() {
    let Some(world) = World::start(Script::demo()).await else { return };
    world.forge.push("demo", "hello", "release", &[("RELEASE", Some("2.0\n"))], "Begin 2.0").unwrap();
    let mut context = world.context();
    context["base_branch"] = json!("release");
    world.api.set_context(context);
    let finished = world.attempt_with_pulls().await.unwrap();
    assert_eq!(world.forge.pulls("demo", "hello")[0].base, "release");
    let files = world.forge.git("demo", "hello", &["ls-tree", "--name-only", &finished.branch]).unwrap();
    assert!(files.lines().any(|file| file == "RELEASE"), "{files}");
}

#[tokio::test]
async fn a_branch_to_start_from_that_is_not_there_is_final_and_said() {
    let Some(world) = World::start(Script::demo()).await else { return };
    let mut context = world.context();
    context["base_branch"] = json!("gone");
    world.api.set_context(context);
    let error = world.attempt_with_pulls().await.unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.chain().contains("has no branch gone to start from; push it"), "{}", error.chain());
    assert!(world.calls("/complete").is_empty() && world.forge.pulls("demo", "hello").is_empty());
}

/// What a person's machine may have in its git configuration. `extensions.unknown` is a key that libgit2 refuses.
const HOSTILE_CONFIGURATION: &str = r#"
[core]
    excludesFile = ~/ignore
    ignoreCase = true
    hooksPath = ~/hooks
    autocrlf = true
    repositoryFormatVersion = 1
[extensions]
    unknown = true
[init]
    templateDir = ~/hooks
[commit]
    gpgSign = true
[credential]
    helper = "!touch ~/asked"
[url "http://127.0.0.1:9/"]
    insteadOf = http://
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_machine_s_git_configuration_changes_nothing() {
    for configuration in [HOSTILE_CONFIGURATION, "[core\nthis is not git's format"] {
        let Some(world) = World::start(Script::demo()).await else { return };
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join("git")).unwrap();
        for name in [".gitconfig", "git/config"] {
            std::fs::write(home.path().join(name), configuration).unwrap();
        }
        for name in ["ignore", "git/ignore"] {
            std::fs::write(home.path().join(name), "*\n").unwrap();
        }
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_agent-runner"))
            .args(["ticket", "--api-url", &world.api.url(), "--worker-api-key", WORKER_KEY])
            .args(["--project-id", &world.project.to_string(), "--ticket-id", &world.ticket.to_string()])
            .args(["--github-api-url", &world.forge.api_url(), "--opencode-bin", world.opencode.to_str().unwrap()])
            .env("HOME", home.path())
            .env("XDG_CONFIG_HOME", home.path())
            .env("GIT_DIR", "/nowhere")
            .env("GIT_CONFIG_GLOBAL", home.path().join(".gitconfig"))
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(world.forge.pulls("demo", "hello").len(), 1);
        assert!(!home.path().join("asked").exists());
    }
}

/// GitLab and Gitea are found by their addresses, and the setting's token, which is for GitHub, stays away from them.
#[tokio::test]
async fn a_ticket_at_another_forge_becomes_a_pull_request_there() {
    for dialect in [Dialect::GitLab, Dialect::Gitea] {
        let Some(world) = World::start_at(dialect, Script::demo()).await else { return };
        let mut context = world.context();
        let settings = context["agent_settings"].as_object_mut().unwrap();
        settings.insert("GITHUB_TOKEN".to_owned(), json!("for-github-alone"));
        settings.remove("GITHUB_TOKEN_HOST");
        settings.insert("FORGE_TOKEN".to_owned(), json!(world.forge.token()));
        settings.insert("FORGE_TOKEN_HOST".to_owned(), json!(format!("http://{}", world.forge.address())));
        context["closes_issue"] = json!(4);
        world.api.set_context(context);
        let finished = world.attempt(&[]).await.unwrap();
        let pulls = world.forge.pulls("demo", "hello");
        assert_eq!((pulls.len(), pulls[0].title.as_str()), (1, "Greet people by name"), "{dialect:?}");
        assert!(pulls[0].body.contains("\nCloses #4\n"), "{}", pulls[0].body);
        assert!(finished.pull_url.is_some());
        assert_eq!(world.calls("/complete")[0]["pr_number"], json!(pulls[0].number));
        // A second attempt finds it.
        world.attempt(&[]).await.unwrap();
        assert_eq!(world.forge.pulls("demo", "hello").len(), 1);
    }
}

#[tokio::test]
async fn without_a_known_forge_the_branch_is_pushed_and_that_is_said() {
    let Some(world) = World::start(Script::demo()).await else { return };
    world.forge.set_faults(Faults { rest_answer: Some(Answer::PAGE.times(u32::MAX)), ..Faults::default() });
    let finished = world.attempt(&[]).await.unwrap();
    assert_eq!(finished.pull_url, None);
    assert!(world.forge.git("demo", "hello", &["rev-parse", &finished.branch]).is_ok());
    let complete = world.calls("/complete");
    assert_eq!(complete[0]["pr_number"], json!(null));
    let said = world.calls("/logs");
    assert!(
        said.iter().any(|entry| entry["summary"].as_str().unwrap().contains("not on a supported forge")),
        "{said:?}"
    );
}

fn idle(verdict: &str) -> Script {
    Script {
        rules: vec![
            Rule::text("scripted-director", "Phase: plan-review", r#"{"approved": true, "feedback": ""}"#),
            Rule::text("scripted-director", "Phase: turn-review", verdict),
            Rule::text("scripted-coder", "Phase: ", "There is nothing to do."),
        ],
    }
}

#[tokio::test]
async fn nothing_changed_is_a_failure_unless_the_director_says_why() {
    let verdict = r#"{"complete": true, "summary": "Nothing done.", "instructions": ""}"#;
    let Some(world) = World::start(idle(verdict)).await else { return };
    let error = world.attempt(&[]).await.unwrap_err();
    assert!(matches!(error, AttemptError::NothingChanged) && error.exit_code() == 1, "{error:?}");
    assert!(world.calls("/complete").is_empty());

    let verdict =
        r#"{"complete": true, "summary": "Done before.", "instructions": "", "reason": "It greets already."}"#;
    let Some(world) = World::start(idle(verdict)).await else { return };
    let finished = world.attempt(&[]).await.unwrap();
    assert_eq!((finished.pull_url, world.calls("/complete").len()), (None, 1));
    assert!(world.steps().contains(&"nothing_changed".to_owned()));
}

#[tokio::test]
async fn a_cancellation_in_a_long_turn_ends_the_attempt_within_seconds() {
    let stall = Script::parse(include_str!("../../crates/testbed/scripts/stall.json")).unwrap();
    let Some(world) = World::start(stall).await else { return };
    let cancel = async {
        world.chat.wait_for_request(|request| request.last("user").contains("Phase: execution")).await;
        world.api.set_cancel_requested(true);
        Instant::now()
    };
    let both = async { tokio::join!(world.attempt(&[]), cancel) };
    // A cancellation that is not noticed would wait for the stalled model for ever.
    let (ended, cancelled_at) = tokio::time::timeout(Duration::from_secs(120), both).await.expect("it was cancelled");
    assert!(cancelled_at.elapsed() < Duration::from_secs(10));
    assert_eq!(ended.unwrap_err().exit_code(), 130);
    assert!(world.calls("/complete").is_empty());
    assert!(world.steps().contains(&"cancelled".to_owned()));
}

#[tokio::test]
async fn a_wrong_setting_is_exit_code_2() {
    let Some(world) = World::start(Script::demo()).await else { return };
    let error = world.attempt(&["--github-token", "wrong-token-wrong"]).await.unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error:?}");
    assert!(error.chain().contains("check that GITHUB_TOKEN"), "{}", error.chain());
}

#[tokio::test]
async fn a_model_that_is_not_there_is_named_before_the_agent_starts() {
    let place = tempfile::tempdir().unwrap();
    let started = place.path().join("started");
    let program = place.path().join("agent");
    std::fs::write(&program, format!("#!/bin/sh\ntouch {}\nexit 3\n", started.display())).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let world = World::with_agent(program, Script::demo()).await;
    let site = MockServer::start().await;
    let page = ResponseTemplate::new(200).set_body_raw("<html>Welcome</html>", "text/html");
    Mock::given(any()).respond_with(page).mount(&site).await;
    let elsewhere = format!("{}/v1", site.uri());
    for (setting, option) in [("WORKER_LLM_URL", "--worker-llm-url"), ("AGENT_LLM_URL", "--agent-llm-url")] {
        let error = world.attempt(&[option, &elsewhere]).await.unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error:?}");
        assert!(error.chain().contains(&elsewhere) && error.chain().contains(setting), "{}", error.chain());
    }
    assert!(!started.exists(), "the agent was started");
}

#[tokio::test]
async fn an_agent_that_can_not_start_is_a_failure_of_its_own_and_not_a_cancellation() {
    let place = tempfile::tempdir().unwrap();
    let broken = place.path().join("broken");
    std::fs::write(&broken, "#!/bin/sh\nexit 3\n").unwrap();
    std::fs::set_permissions(&broken, std::fs::Permissions::from_mode(0o755)).unwrap();
    for (program, exit_code) in [(broken, 75), ("/nowhere/opencode".into(), 2)] {
        let world = World::with_agent(program, Script::demo()).await;
        let error = world.attempt(&[]).await.unwrap_err();
        assert!(matches!(error, AttemptError::Agent(_)) && error.exit_code() == exit_code, "{error:?}");
        assert!(world.steps().contains(&"failed".to_owned()));
    }
}
