//! The worker on the real OpenCode, with a scripted model behind it.

mod opencode_support;

use opencode_support::{Asked, Model, Place, Reply, eventually, opencode};
use secrecy::SecretString;
use serde_json::json;
use std::process::Stdio;
use std::time::{Duration, Instant};
use terarchitect_agent_runner::worker::opencode::{OpenCode, ServerAddress};
use terarchitect_agent_runner::worker::{AgentEvent, ModelFailure, Worker, WorkerError};
use tokio_util::sync::CancellationToken;

type Boxed = Box<dyn Worker>;

async fn launch(place: &Place, model: &Model, binary: std::path::PathBuf) -> Boxed {
    Box::new(OpenCode::launch(place.options(binary, model.provider())).await.unwrap())
}

fn never() -> CancellationToken {
    CancellationToken::new()
}

/// Says "Done." once a tool has answered, and calls `tool` before.
fn once(tool: &'static str, arguments: serde_json::Value) -> impl Fn(Asked<'_>) -> Reply {
    move |asked| match asked.tool_answer {
        None if asked.has_tools => Reply::Call(tool, arguments.clone()),
        _ => Reply::Text("Done."),
    }
}

#[tokio::test]
async fn a_turn_writes_a_file_and_tells_what_it_did() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let file = place.work("hello.txt");
    let model = Model::start(once("write", json!({ "filePath": file, "content": "hello" }))).await;
    let started = Instant::now();
    let mut worker = launch(&place, &model, binary).await;
    let ready = started.elapsed();
    let output = worker.prompt("Write it.", &never()).await.unwrap();
    eprintln!("ready after {ready:?}, first turn {:?}", output.duration);

    assert!(worker.name().starts_with("OpenCode "), "{}", worker.name());
    assert_eq!(std::fs::read_to_string(file).unwrap(), "hello");
    assert_eq!(output.text, "Done.");
    assert_eq!(output.tools.iter().map(ToString::to_string).collect::<Vec<_>>(), ["write hello.txt"]);
    assert_eq!(output.tokens.unwrap().input, 200);
    assert_eq!(output.cost_usd, None);
    place.events.wait_for("the tool", |event| matches!(event, AgentEvent::ToolFinished(_))).await;
    place.events.wait_for("the text", |event| matches!(event, AgentEvent::Text { .. })).await;
    assert!(model.header("authorization").await.iter().all(|value| value == "Bearer key-with-\"quote\""));
    worker.shutdown().await;
    assert_eq!(place.processes(), []);
}

#[tokio::test]
async fn turns_continue_one_conversation_also_across_a_compaction() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let model = Model::start(|asked: Asked<'_>| match asked.prompt {
        "one" => Reply::Text("First."),
        "two" => Reply::Text("Second."),
        _ => Reply::Text("Summary."),
    })
    .await;
    let mut worker = launch(&place, &model, binary).await;
    assert_eq!(worker.prompt("one", &never()).await.unwrap().text, "First.");
    worker.summarize(&never()).await.unwrap();
    let second = worker.prompt("two", &never()).await.unwrap();
    assert_eq!((second.text.as_str(), second.tokens.unwrap().input), ("Second.", 100));
    worker.shutdown().await;
}

#[tokio::test]
async fn a_failed_compaction_is_not_taken_for_a_success() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let model = Model::start(|asked: Asked<'_>| match asked.has_tools {
        true => Reply::Text("First."),
        false => Reply::Refusal(400, "no summaries here"),
    })
    .await;
    let mut worker = launch(&place, &model, binary).await;
    worker.prompt("one", &never()).await.unwrap();
    let error = worker.summarize(&never()).await.unwrap_err();
    assert!(error.to_string().contains("no summaries here"), "{error}");
    assert_eq!(worker.prompt("two", &never()).await.unwrap().text, "First.");
    worker.shutdown().await;
}

#[tokio::test]
async fn cancelling_a_stalled_turn_takes_less_than_five_seconds_and_leaves_the_agent_idle() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let model = Model::start(|asked: Asked<'_>| match asked.prompt {
        "stall" => Reply::Stall,
        _ => Reply::Text("Still here."),
    })
    .await;
    let mut worker = launch(&place, &model, binary).await;
    let cancel = never();
    let asked = async {
        while model.header("authorization").await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        cancel.cancel();
        Instant::now()
    };
    let (result, cancelled) = tokio::join!(worker.prompt("stall", &cancel), asked);
    assert!(matches!(result, Err(WorkerError::Cancelled)), "{result:?}");
    assert!(cancelled.elapsed() < Duration::from_secs(5), "{:?}", cancelled.elapsed());

    let after = worker.prompt("go on", &never()).await.unwrap();
    assert_eq!((after.text.as_str(), after.tokens.unwrap().input), ("Still here.", 100));
    worker.shutdown().await;
    assert_eq!(place.processes(), []);
}

#[tokio::test]
async fn cancelling_ends_a_running_command_and_shutdown_what_it_left_behind() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let command = json!({ "description": "x", "command": "setsid sleep 4711 >/dev/null 2>&1 & sleep 4712" });
    let model = Model::start(once("bash", command)).await;
    let mut worker = launch(&place, &model, binary).await;
    let cancel = never();
    let running = async {
        eventually("the command", || place.processes().iter().any(|(_, command)| command == "sleep 4712")).await;
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(worker.prompt("run it", &cancel), running);
    assert!(matches!(result, Err(WorkerError::Cancelled)), "{result:?}");
    eventually("the command's end", || place.processes().iter().all(|(_, command)| command != "sleep 4712")).await;
    worker.shutdown().await;
    assert_eq!(place.processes(), []);
}

#[tokio::test]
async fn dropping_a_busy_worker_leaves_no_process() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let model = Model::start(once("bash", json!({ "description": "x", "command": "sleep 4713" }))).await;
    let mut worker = launch(&place, &model, binary).await;
    let cancel = never();
    let prompt = worker.prompt("run it", &cancel);
    let running = eventually("the command", || place.processes().iter().any(|(_, command)| command == "sleep 4713"));
    tokio::select! {
        result = prompt => panic!("{result:?}"),
        () = running => {}
    }
    drop(worker);
    eventually("the end of all", || place.processes().is_empty()).await;
}

#[tokio::test]
async fn a_turn_that_takes_too_long_is_stopped() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let model = Model::start(|_: Asked<'_>| Reply::Stall).await;
    let mut options = place.options(binary, model.provider());
    options.turn_timeout = Duration::from_secs(4);
    let mut worker: Boxed = Box::new(OpenCode::launch(options).await.unwrap());
    let started = Instant::now();
    let error = worker.prompt("stall", &never()).await.unwrap_err();
    assert!(matches!(error, WorkerError::Timeout { after } if after == Duration::from_secs(4)), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert!(error.to_string().contains("WORKER_TIMEOUT_SEC"), "{error}");
    worker.shutdown().await;
    assert_eq!(place.processes(), []);
}

#[tokio::test]
async fn a_wrong_key_is_a_misconfiguration_that_names_the_setting() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let model = Model::start(|_: Asked<'_>| Reply::Refusal(401, "invalid key")).await;
    let mut worker = launch(&place, &model, binary).await;
    let error = worker.prompt("hello", &never()).await.unwrap_err();
    assert!(error.is_misconfiguration() && !error.is_infrastructure(), "{error:?}");
    assert!(error.to_string().contains("WORKER_API_KEY") && error.to_string().contains("invalid key"), "{error}");
    worker.shutdown().await;
}

#[tokio::test]
async fn an_unknown_model_is_a_misconfiguration() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let model = Model::start(|_: Asked<'_>| Reply::Refusal(404, "no such model")).await;
    let mut worker = launch(&place, &model, binary).await;
    let error = worker.prompt("hello", &never()).await.unwrap_err();
    assert!(matches!(error, WorkerError::Model { kind: ModelFailure::NotFound, .. }), "{error:?}");
    assert!(error.is_misconfiguration() && error.to_string().contains("WORKER_MODEL"), "{error}");
    worker.shutdown().await;
}

#[tokio::test]
async fn a_prompt_that_opencode_loses_over_a_full_conversation_is_given_again() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let overflows = std::sync::atomic::AtomicU32::new(0);
    let model = Model::start(move |asked: Asked<'_>| match asked.prompt {
        "do it" if overflows.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2 => {
            Reply::Refusal(400, "This model's maximum context length is 100 tokens: context_length_exceeded")
        }
        "do it" => Reply::Text("Did it."),
        _ => Reply::Text("Whatever."),
    })
    .await;
    let mut worker = launch(&place, &model, binary).await;
    assert_eq!(worker.prompt("do it", &never()).await.unwrap().text, "Did it.");
    worker.shutdown().await;
}

#[tokio::test]
async fn the_death_of_the_server_is_noticed_at_once() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let model = Model::start(|_: Asked<'_>| Reply::Stall).await;
    let mut worker = launch(&place, &model, binary).await;
    let cancel = never();
    let killed = async {
        while model.header("authorization").await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let processes = place.processes();
        let (pid, _) = processes.iter().find(|(_, command)| command.contains(" serve ")).unwrap();
        let pid = rustix::process::Pid::from_raw(*pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        Instant::now()
    };
    let (result, killed) = tokio::join!(worker.prompt("stall", &cancel), killed);
    assert!(matches!(&result, Err(error @ WorkerError::Died { .. }) if error.is_infrastructure()), "{result:?}");
    assert!(killed.elapsed() < Duration::from_secs(3), "{:?}", killed.elapsed());
    assert!(matches!(worker.prompt("again", &never()).await, Err(WorkerError::Died { .. })));
    worker.shutdown().await;
    assert_eq!(place.processes(), []);
}

#[tokio::test]
async fn what_lies_outside_of_the_workspace_is_refused_without_waiting_for_anybody() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let model = Model::start(once("read", json!({ "filePath": "/etc/hostname" }))).await;
    let mut worker = launch(&place, &model, binary).await;
    let output = worker.prompt("read it", &never()).await.unwrap();
    assert_eq!(output.text, "Done.");
    assert!(output.tools[0].to_string().contains("failed"), "{:?}", output.tools);
    worker.shutdown().await;
}

#[tokio::test]
async fn a_question_to_a_person_is_answered_by_the_runner() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let option = json!({ "label": "a", "description": "b" });
    let question = json!({ "questions": [{ "question": "which?", "header": "h", "options": [option] }] });
    // Its own server, with the configuration that it has by default: it asks.
    let model = Model::start(move |asked: Asked<'_>| match (asked.prompt, asked.tool_answer) {
        ("ask", None) => Reply::Call("question", question.clone()),
        ("read", None) => Reply::Call("read", json!({ "filePath": "/etc/hostname" })),
        _ => Reply::Text("Done."),
    })
    .await;
    let (mut server, address) = foreign_server(&place, &model, binary.clone());
    let mut options = place.options(binary, model.provider());
    options.server = Some(address);
    let mut worker: Boxed = Box::new(OpenCode::launch(options).await.unwrap());

    let output = worker.prompt("ask", &never()).await.unwrap();
    assert_eq!((output.text.as_str(), output.tools[0].name.as_str()), ("Done.", "question"));
    place.events.wait_for("the answer", |event| matches!(event, AgentEvent::QuestionRejected)).await;

    let output = worker.prompt("read", &never()).await.unwrap();
    assert!(output.tools[0].to_string().contains("failed"), "{:?}", output.tools);
    place.events.wait_for("the refusal", |event| matches!(event, AgentEvent::PermissionRejected { .. })).await;
    worker.shutdown().await;
    server.kill().unwrap();
    server.wait().unwrap();
}

#[tokio::test]
async fn a_wrong_password_for_a_running_server_is_said_before_any_turn() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let model = Model::start(|_: Asked<'_>| Reply::Text("Hello.")).await;
    let (mut server, mut address) = foreign_server(&place, &model, binary.clone());
    address.password = Some(SecretString::from("wrong"));
    let mut options = place.options(binary, model.provider());
    options.server = Some(address);
    let error = OpenCode::launch(options).await.err().unwrap();
    assert!(error.is_misconfiguration() && error.to_string().contains("OPENCODE_SERVER_PASSWORD"), "{error}");
    server.kill().unwrap();
    server.wait().unwrap();
}

/// A server that is not ours, with OpenCode's own default permissions, on a port that was free a moment ago.
fn foreign_server(place: &Place, model: &Model, binary: std::path::PathBuf) -> (std::process::Child, ServerAddress) {
    let provider = model.provider();
    let config = json!({ "model": "p/scripted/model", "small_model": "p/scripted/model", "enabled_providers": ["p"],
        "provider": { "p": { "npm": "@ai-sdk/openai-compatible", "models": { "scripted/model": {} },
            "options": { "baseURL": provider.base_url.as_str() } } } });
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = std::process::Command::new(binary)
        .args(["serve", "--hostname", "127.0.0.1", "--port", &port.to_string()])
        .env("HOME", place.root().join("foreign"))
        .env("OPENCODE_CONFIG_CONTENT", config.to_string())
        .env("OPENCODE_SERVER_PASSWORD", "open sesame")
        .env("OPENCODE_DISABLE_MODELS_FETCH", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let url = format!("http://127.0.0.1:{port}").parse().unwrap();
    (server, ServerAddress { url, username: None, password: Some(SecretString::from("open sesame")) })
}

#[tokio::test]
async fn a_missing_program_is_one_sentence() {
    let place = Place::new();
    let model = Model::start(|_: Asked<'_>| Reply::Text("Hello.")).await;
    let options = place.options("/nowhere/opencode".into(), model.provider());
    let error = OpenCode::launch(options).await.err().unwrap();
    assert!(error.is_misconfiguration() && error.to_string().contains("OPENCODE_BIN"), "{error}");
}

#[tokio::test]
async fn a_program_that_ends_at_once_is_reported_with_its_last_words() {
    let place = Place::new();
    let model = Model::start(|_: Asked<'_>| Reply::Text("Hello.")).await;
    let program = place.root().join("broken");
    std::fs::write(&program, "#!/bin/sh\necho illegal instruction >&2\nexit 3\n").unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let error = OpenCode::launch(place.options(program, model.provider())).await.err().unwrap();
    assert!(matches!(error, WorkerError::Startup { .. }), "{error:?}");
    assert!(error.to_string().contains("exit status: 3"), "{error}");
}
