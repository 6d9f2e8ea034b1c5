//! The agent interface on the real OpenCode, with a scripted model behind it.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::print_stderr, reason = "says what is skipped")]

mod opencode_support;

use opencode_support::{
    KEY, Place, Proxy, eventually, fails, opencode, provider, says, script, stalls, to, to_by_tool,
};
use secrecy::SecretString;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use terarchitect_agent_runner::agent::users::RunAs;
use terarchitect_agent_runner::agent::{
    Agent, AgentError, AgentEvent, AgentKind, AgentOptions, Asked, ModelFailure, Prepared, ServerAddress, start,
};
use terarchitect_testbed::chat::{ChatRequest, ChatServer, Reply, Rule};
use tokio_util::sync::CancellationToken;

/// What OpenCode's own request for a summary contains.
const COMPACTION: &str = "<conversation>";

async fn model(rules: impl IntoIterator<Item = Rule>) -> ChatServer {
    ChatServer::start(script(rules)).await.unwrap()
}

async fn launch(place: &Place, model: &ChatServer, binary: PathBuf) -> Box<dyn Agent> {
    start(AgentKind::OpenCode, place.options(binary, provider(&model.base_url()))).await.unwrap()
}

fn never() -> CancellationToken {
    CancellationToken::new()
}

fn any(_: &ChatRequest) -> bool {
    true
}

#[tokio::test]
async fn a_turn_writes_a_file_and_reports_what_it_did() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let file = place.work("hello.txt");
    let model = model(to_by_tool("Write it.", "write", json!({ "filePath": file, "content": "hello" }))).await;
    let started = Instant::now();
    let mut agent = launch(&place, &model, binary).await;
    let ready = started.elapsed();
    let output = agent.prompt("Write it.", &never()).await.unwrap();
    eprintln!("ready after {ready:?}, first turn {:?}", output.duration);

    assert!(agent.name().starts_with("OpenCode "), "{}", agent.name());
    assert_eq!(std::fs::read_to_string(file).unwrap(), "hello");
    assert_eq!(output.text, "Done.");
    assert_eq!(output.tools.iter().map(ToString::to_string).collect::<Vec<_>>(), ["write hello.txt"]);
    assert!(output.tokens.unwrap().input > 0);
    assert_eq!(output.cost_usd, None);
    place.events.wait_for("the tool", |event| matches!(event, AgentEvent::ToolFinished(_))).await;
    place.events.wait_for("the text", |event| matches!(event, AgentEvent::Text { .. })).await;
    assert!(model.requests().iter().all(|request| request.key.as_deref() == Some(KEY)));
    assert!(model.requests()[0].last("system").contains("You run unattended"));
    agent.shutdown().await;
    assert_eq!(place.processes(), []);
}

#[tokio::test]
async fn turns_continue_one_conversation_also_across_a_compaction() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let rules = [to(COMPACTION, says("Summary.")), to("number one", says("First.")), to("number two", says("Second."))];
    let model = model(rules).await;
    let mut agent = launch(&place, &model, binary).await;
    assert_eq!(agent.prompt("number one", &never()).await.unwrap().text, "First.");
    agent.compact(&never()).await.unwrap();
    assert_eq!(agent.prompt("number two", &never()).await.unwrap().text, "Second.");
    let after = model.wait_for_request(|request| request.last("user") == "number two").await;
    let told = after.body["messages"].to_string();
    assert!(told.contains("Summary.") && !told.contains("number one"), "{told}");
    place.events.wait_for("the compaction", |event| *event == AgentEvent::Compacted).await;
    agent.shutdown().await;
}

#[tokio::test]
async fn a_failed_compaction_is_not_taken_for_a_success() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let rules = [to(COMPACTION, fails(400)), to("number one", says("First.")), to("number two", says("Second."))];
    let model = model(rules).await;
    let mut agent = launch(&place, &model, binary).await;
    agent.prompt("number one", &never()).await.unwrap();
    let error = agent.compact(&never()).await.unwrap_err();
    assert!(matches!(error, AgentError::Model { kind: ModelFailure::Refused, .. }), "{error:?}");
    assert_eq!(agent.prompt("number two", &never()).await.unwrap().text, "Second.");
    agent.shutdown().await;
}

#[tokio::test]
async fn cancelling_a_stalled_turn_takes_less_than_five_seconds_and_leaves_the_agent_idle() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let model = model([to("stall", stalls()), to("go on", says("Still here."))]).await;
    let mut agent = launch(&place, &model, binary).await;
    let cancel = never();
    let asked = async {
        model.wait_for_request(any).await;
        cancel.cancel();
        Instant::now()
    };
    let (result, cancelled) = tokio::join!(agent.prompt("stall", &cancel), asked);
    assert!(matches!(result, Err(AgentError::Cancelled)), "{result:?}");
    assert!(cancelled.elapsed() < Duration::from_secs(5), "{:?}", cancelled.elapsed());

    assert_eq!(agent.prompt("go on", &never()).await.unwrap().text, "Still here.");
    agent.shutdown().await;
    assert_eq!(place.processes(), []);
}

#[tokio::test]
async fn cancelling_ends_a_running_command_and_shutdown_what_it_left_behind() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let command = json!({ "description": "x", "command": "setsid sleep 4711 >/dev/null 2>&1 & sleep 4712" });
    let model = model(to_by_tool("run it", "bash", command)).await;
    let mut agent = launch(&place, &model, binary).await;
    let cancel = never();
    let running = async {
        eventually("the command", || place.processes().iter().any(|(_, command)| command == "sleep 4712")).await;
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(agent.prompt("run it", &cancel), running);
    assert!(matches!(result, Err(AgentError::Cancelled)), "{result:?}");
    eventually("the command's end", || place.processes().iter().all(|(_, command)| command != "sleep 4712")).await;
    agent.shutdown().await;
    assert_eq!(place.processes(), []);
}

#[tokio::test]
async fn dropping_a_busy_agent_leaves_no_process() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let model = model(to_by_tool("run it", "bash", json!({ "description": "x", "command": "sleep 4713" }))).await;
    let mut agent = launch(&place, &model, binary).await;
    let cancel = never();
    let prompt = agent.prompt("run it", &cancel);
    let running = eventually("the command", || place.processes().iter().any(|(_, command)| command == "sleep 4713"));
    tokio::select! {
        result = prompt => panic!("{result:?}"),
        () = running => {}
    }
    drop(agent);
    eventually("the end of all", || place.processes().is_empty()).await;
}

#[tokio::test]
async fn a_turn_that_takes_too_long_is_stopped() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let model = model([to("", stalls())]).await;
    let mut options = place.options(binary, provider(&model.base_url()));
    options.turn_timeout = Duration::from_secs(4);
    let mut agent = start(AgentKind::OpenCode, options).await.unwrap();
    let started = Instant::now();
    let error = agent.prompt("stall", &never()).await.unwrap_err();
    assert!(matches!(error, AgentError::Timeout { after } if after == Duration::from_secs(4)), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert!(error.to_string().contains("WORKER_TIMEOUT_SEC"), "{error}");
    agent.shutdown().await;
    assert_eq!(place.processes(), []);
}

#[tokio::test]
async fn a_wrong_key_is_a_misconfiguration_that_names_the_setting() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let model = model([to("", fails(401))]).await;
    let mut agent = launch(&place, &model, binary).await;
    let error = agent.prompt("hello", &never()).await.unwrap_err();
    assert!(error.is_misconfiguration() && !error.is_infrastructure(), "{error:?}");
    assert!(error.to_string().contains("WORKER_API_KEY") && error.to_string().contains("401"), "{error}");
    agent.shutdown().await;
}

#[tokio::test]
async fn an_unknown_model_is_a_misconfiguration() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let model = model([to("", fails(404))]).await;
    let mut agent = launch(&place, &model, binary).await;
    let error = agent.prompt("hello", &never()).await.unwrap_err();
    assert!(matches!(error, AgentError::Model { kind: ModelFailure::NotFound, .. }), "{error:?}");
    assert!(error.is_misconfiguration() && error.to_string().contains("WORKER_MODEL"), "{error}");
    agent.shutdown().await;
}

#[tokio::test]
#[ignore = "takes minutes: OpenCode itself is patient with a failing server, twice"]
async fn a_model_that_stays_down_counts_as_infrastructure() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let model = model([to("", fails(503))]).await;
    let mut agent = launch(&place, &model, binary).await;
    let error = agent.prompt("hello", &never()).await.unwrap_err();
    assert!(error.is_infrastructure() && !error.is_misconfiguration(), "{error:?}");
    place.events.wait_for("a retry", |event| matches!(event, AgentEvent::Retrying { .. })).await;
    agent.shutdown().await;
}

#[tokio::test]
async fn a_prompt_that_opencode_loses_over_a_full_conversation_is_given_again() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let twice = Rule { times: Some(2), ..to("do it", fails(413)) };
    let model = model([twice, to("do it", says("Did it.")), to("", says("Whatever."))]).await;
    let mut agent = launch(&place, &model, binary).await;
    assert_eq!(agent.prompt("do it", &never()).await.unwrap().text, "Did it.");
    agent.shutdown().await;
}

#[tokio::test]
async fn the_death_of_the_server_is_noticed_at_once() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let model = model([to("", stalls())]).await;
    let mut agent = launch(&place, &model, binary).await;
    let cancel = never();
    let killed = async {
        model.wait_for_request(any).await;
        let processes = place.processes();
        let (pid, _) = processes.iter().find(|(_, command)| command.contains(" serve ")).unwrap();
        let pid = rustix::process::Pid::from_raw(*pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        Instant::now()
    };
    let (result, killed) = tokio::join!(agent.prompt("stall", &cancel), killed);
    assert!(matches!(&result, Err(error @ AgentError::Died { .. }) if error.is_infrastructure()), "{result:?}");
    assert!(killed.elapsed() < Duration::from_secs(3), "{:?}", killed.elapsed());
    assert!(matches!(agent.prompt("again", &never()).await, Err(AgentError::Died { .. })));
    agent.shutdown().await;
    assert_eq!(place.processes(), []);
}

#[tokio::test]
async fn access_outside_of_the_workspace_is_refused_without_waiting_for_a_person() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let model = model(to_by_tool("read it", "read", json!({ "filePath": "/etc/hostname" }))).await;
    let mut agent = launch(&place, &model, binary).await;
    let output = agent.prompt("read it", &never()).await.unwrap();
    assert_eq!(output.text, "Done.");
    assert!(output.tools[0].to_string().contains("failed"), "{:?}", output.tools);
    agent.shutdown().await;
}

#[tokio::test]
async fn a_question_to_a_person_is_answered_by_the_runner() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let option = json!({ "label": "a", "description": "b" });
    let question = json!({ "questions": [{ "question": "which?", "header": "h", "options": [option] }] });
    // Its own server, with the configuration that it has by default: it asks.
    let asking = to_by_tool("ask it", "question", question);
    let reading = to_by_tool("read it", "read", json!({ "filePath": "/etc/hostname" }));
    let model = model(asking.into_iter().chain(reading)).await;
    let (_server, address) = foreign_server(&place, &model, binary.clone());
    let mut options = place.options(binary, provider(&model.base_url()));
    options.server = Some(address);
    let mut agent = start(AgentKind::OpenCode, options).await.unwrap();

    let output = agent.prompt("ask it", &never()).await.unwrap();
    assert_eq!((output.text.as_str(), output.tools[0].name.as_str()), ("Done.", "question"));
    place.events.wait_for("the answer", |event| matches!(event, AgentEvent::QuestionRejected)).await;

    let output = agent.prompt("read it", &never()).await.unwrap();
    assert!(output.tools[0].to_string().contains("failed"), "{:?}", output.tools);
    place.events.wait_for("the refusal", |event| matches!(event, AgentEvent::PermissionRejected { .. })).await;
    agent.shutdown().await;
}

#[tokio::test]
async fn what_people_have_to_answer_ends_the_turn_and_the_next_prompt_goes_on() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    // Outside of the workspace and of what every agent may use.
    let file = "/etc/os-release";
    let known = std::fs::read_to_string(file).unwrap();
    let choice = json!({ "label": "Postgres", "description": "as elsewhere" });
    let question = json!({ "questions": [{ "question": "Which database?", "header": "h", "options": [choice] }] });
    let asking = to_by_tool("ask it", "question", question);
    let reading = to_by_tool("read it", "read", json!({ "filePath": file }));
    let granted = to_by_tool("granted", "read", json!({ "filePath": file }));
    let answer = to("Take Postgres", says("Taken."));
    let model = model(asking.into_iter().chain(reading).chain(granted).chain([answer])).await;
    let mut options = place.options(binary, provider(&model.base_url()));
    options.may_ask = true;
    let mut agent = start(AgentKind::OpenCode, options).await.unwrap();

    let output = agent.prompt("ask it", &never()).await.unwrap();
    let asked = output.asked.unwrap();
    assert_eq!(asked, Asked::Question { text: "Which database?\n- Postgres: as elsewhere".to_owned() });
    assert_eq!(output.tools[0].name, "question");
    let output = agent.prompt("Take Postgres", &never()).await.unwrap();
    assert_eq!((output.text.as_str(), &output.asked), ("Taken.", &None));
    let requests = model.requests();
    let last = requests.last().unwrap().body.to_string();
    assert!(last.contains("Which database?") && last.contains("ask it"), "the conversation goes on: {last}");

    let output = agent.prompt("read it", &never()).await.unwrap();
    let Some(Asked::Permission { permission, patterns }) = output.asked else { panic!("{output:?}") };
    assert_eq!(permission, "external_directory");
    agent.grant(&permission, &patterns);
    let output = agent.prompt("granted", &never()).await.unwrap();
    assert_eq!((output.text.as_str(), &output.asked), ("Done.", &None));
    let first = known.lines().next().unwrap();
    assert!(output.tools[0].output.contains(first), "{:?}", output.tools);
    agent.shutdown().await;
    assert_eq!(place.processes(), []);
}

#[tokio::test]
async fn a_lost_connection_to_the_server_costs_no_turn() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let slow = Reply { delay_ms: 4_000, ..says("Took my time.") };
    let model = model([to("slowly", slow)]).await;
    let (_server, mut address) = foreign_server(&place, &model, binary.clone());
    let proxy = Proxy::start(address.url.socket_addrs(|| None).unwrap()[0]).await;
    address.url = format!("http://{}", proxy.address).parse().unwrap();
    let mut options = place.options(binary, provider(&model.base_url()));
    options.server = Some(address);
    let mut agent = start(AgentKind::OpenCode, options).await.unwrap();
    let cut = async {
        model.wait_for_request(any).await;
        proxy.cut();
    };
    let cancel = never();
    let (output, ()) = tokio::join!(agent.prompt("slowly", &cancel), cut);
    assert_eq!(output.unwrap().text, "Took my time.");
    agent.shutdown().await;
}

#[tokio::test]
async fn a_wrong_password_for_a_running_server_is_reported_before_any_turn() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    let model = model([to("", says("Hello."))]).await;
    let (_server, mut address) = foreign_server(&place, &model, binary.clone());
    address.password = Some(SecretString::from("wrong"));
    let mut options = place.options(binary, provider(&model.base_url()));
    options.server = Some(address);
    let error = start(AgentKind::OpenCode, options).await.err().unwrap();
    assert!(error.is_misconfiguration() && error.to_string().contains("OPENCODE_SERVER_PASSWORD"), "{error}");
}

#[tokio::test]
async fn as_another_user_the_agent_has_no_privilege_and_no_group_of_ours() {
    let Some(binary) = opencode() else { return };
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can start the agent as another user");
        return;
    }
    let place = Place::new();
    let (uid, gid) = (64_217, 64_218);
    place.give_to(uid, gid);
    let command = "id -u; id -G; grep -E '^(CapPrm|CapEff|CapAmb)' /proc/self/status; \
        setsid sleep 4714 >/dev/null 2>&1 & touch $HOME/mine && echo own home; \
        cat /proc/$PPID/environ | tr '\\0' '\\n' | grep -c GITHUB";
    let model = model(to_by_tool("who am I", "bash", json!({ "description": "x", "command": command }))).await;
    let mut options = place.options(binary, provider(&model.base_url()));
    options.run_as = Some(RunAs { uid, gid, home: place.root().join("home") });
    let mut agent = start(AgentKind::OpenCode, options).await.unwrap();
    agent.prompt("who am I", &never()).await.unwrap();
    let said = model.wait_for_request(|request| !request.last("tool").is_empty()).await.last("tool");
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    assert_eq!(lines[..2], ["64217", "64218"], "{said}");
    for capability in &lines[2..5] {
        assert!(capability.ends_with("0000000000000000"), "{said}");
    }
    assert_eq!(lines[5..7], ["own home", "0"], "{said}");
    agent.shutdown().await;
    assert_eq!(place.processes(), []);
}

/// Ended with the test, however that ends.
struct Foreign(Child);

impl Drop for Foreign {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A server that is not ours, with OpenCode's own default permissions, on a port that was free a moment ago.
fn foreign_server(place: &Place, model: &ChatServer, binary: PathBuf) -> (Foreign, ServerAddress) {
    let config = json!({ "model": "p/scripted/model", "small_model": "p/scripted/model", "enabled_providers": ["p"],
        "provider": { "p": { "npm": "@ai-sdk/openai-compatible", "models": { "scripted/model": {} },
            "options": { "baseURL": model.base_url() } } } });
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Command::new(binary)
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
    (Foreign(server), ServerAddress { url, username: None, password: Some(SecretString::from("open sesame")) })
}

#[tokio::test]
async fn a_broken_configuration_in_the_repository_is_named() {
    let Some(binary) = opencode() else { return };
    let place = Place::new();
    std::fs::write(place.work("opencode.json"), "{ broken").unwrap();
    let model = model([to("hello", says("Hello."))]).await;
    let mut agent = launch(&place, &model, binary).await;
    let error = agent.prompt("hello", &never()).await.unwrap_err();
    assert!(error.is_misconfiguration() && error.to_string().contains("opencode.json"), "{error}");
    agent.shutdown().await;
}

#[tokio::test]
async fn a_missing_program_is_one_sentence() {
    let place = Place::new();
    let model = model([to("", says("Hello."))]).await;
    let options = place.options("/nowhere/opencode".into(), provider(&model.base_url()));
    let error = start(AgentKind::OpenCode, options).await.err().unwrap();
    assert!(error.is_misconfiguration() && error.to_string().contains("OPENCODE_BIN"), "{error}");
}

#[tokio::test]
async fn a_program_that_ends_at_once_is_reported_with_its_last_output() {
    let place = Place::new();
    let model = model([to("", says("Hello."))]).await;
    let program = place.root().join("broken");
    std::fs::write(&program, "#!/bin/sh\necho illegal instruction >&2\nexit 3\n").unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let error = start(AgentKind::OpenCode, place.options(program, provider(&model.base_url()))).await.err().unwrap();
    assert!(matches!(error, AgentError::Startup { .. }), "{error:?}");
    assert!(error.to_string().contains("exit status: 3"), "{error}");
}

#[tokio::test]
async fn an_agent_that_was_started_in_advance_is_used_if_it_fits_and_is_started_again_if_not() {
    let Some(binary) = opencode() else { return };
    let model = model([to("Say it.", says("Said."))]).await;
    for (may_ask, starts) in [(false, 1), (true, 2)] {
        let place = Place::new();
        let (counted, log) = (place.root().join("counted"), place.root().join("starts"));
        let script = format!("#!/bin/sh\necho started >>{}\nexec {} \"$@\"\n", log.display(), binary.display());
        std::fs::write(&counted, script).unwrap();
        std::fs::set_permissions(&counted, std::fs::Permissions::from_mode(0o755)).unwrap();
        let expected = place.options(counted, provider(&model.base_url()));
        let prepared = Prepared::start(AgentKind::OpenCode, expected.clone()).await.unwrap().unwrap();
        let wanted = AgentOptions { may_ask, ..expected };
        let mut agent = prepared.or_start(AgentKind::OpenCode, wanted).await.unwrap();
        assert_eq!(agent.prompt("Say it.", &never()).await.unwrap().text, "Said.");
        assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), starts, "may ask: {may_ask}");
        agent.shutdown().await;
    }
}
