//! What agents that run elsewhere send through hooks: by the document's calls, and by the scripts themselves.

use crate::support::{ADMIN_KEY, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::AsyncWriteExt;

const INGEST: &str = "/api/v1/ingest";

async fn order(app: &TestApp, lines: Value) -> String {
    let body = json!({"objective": "Say hello", "source": "local", "lines": lines});
    app.post("/api/v1/work-orders", body).await.expect(201)["work_order_id"].as_str().unwrap().to_owned()
}

async fn detail(app: &TestApp, id: &str) -> Value {
    app.get(&format!("/api/v1/work-orders/{id}")).await.expect(200)
}

/// What Cursor sends with each event.
fn cursor(event: &str, own: Value) -> Value {
    let mut raw = json!({
        "conversation_id": "c-1", "generation_id": "g-1", "model": "m", "hook_event_name": event,
        "cursor_version": "2.0", "workspace_roots": ["/w"], "user_email": null, "transcript_path": null
    });
    raw.as_object_mut().unwrap().extend(own.as_object().cloned().unwrap());
    raw
}

/// The events of a session as Cursor sends them, with what they are and how a person reads them.
fn session() -> Vec<(Value, &'static str, &'static str)> {
    let tool = json!({"command": "ls -la"});
    vec![
        (
            cursor("sessionStart", json!({"session_id": "c-1", "is_background_agent": false})),
            "session_start",
            "The session began.",
        ),
        (
            cursor(
                "postToolUse",
                json!({"tool_name": "Shell", "tool_input": tool, "tool_use_id": "t-1", "tool_output": "\"ok\"", "duration": 3}),
            ),
            "tool_call",
            "Shell: ls -la",
        ),
        (
            cursor(
                "postToolUseFailure",
                json!({"tool_name": "Read", "tool_use_id": "t-2", "error_message": "no such file", "failure_type": "error"}),
            ),
            "tool_failure",
            "Read failed: no such file",
        ),
        (
            cursor(
                "afterShellExecution",
                json!({"command": "env", "output": "GITHUB_TOKEN=ghp_0123456789abcdefghij\n", "duration": 5}),
            ),
            "shell_execution",
            "$ env",
        ),
        (
            cursor("afterFileEdit", json!({"file_path": "/w/a.rs", "edits": [{"old_string": "a", "new_string": "b"}]})),
            "file_edit",
            "Edited /w/a.rs (1 place)",
        ),
        (
            cursor("afterMCPExecution", json!({"tool_name": "search", "tool_input": "{}", "result_json": "[]"})),
            "mcp_execution",
            "Used search",
        ),
        (cursor("afterAgentThought", json!({"text": "Hm.\nLet's see."})), "agent_thought", "Hm. Let's see."),
        (cursor("afterAgentResponse", json!({"text": "Done \"so far\"."})), "agent_response", "Done \"so far\"."),
        (
            cursor("subagentStart", json!({"subagent_id": "s", "task": "Look"})),
            "subagent_start",
            "Started another agent: Look",
        ),
        (
            cursor("subagentStop", json!({"status": "completed", "summary": "Found"})),
            "subagent_stop",
            "Another agent ended: Found",
        ),
        (
            cursor("stop", json!({"status": "completed", "loop_count": 0})),
            "session_end",
            "The agent stopped: completed.",
        ),
    ]
}

#[tokio::test]
async fn each_event_of_the_document_is_stored_read_and_shown() {
    let app = TestApp::start().await;
    let agent = app.post("/api/v1/agents", json!({"name": "Hooked"})).await.expect(201)["id"].clone();
    let id = order(&app, json!(["Only"])).await;
    for (raw, kind, _) in session() {
        let body = json!({"event_type": kind, "work_order_id": id, "agent_id": agent, "raw_payload": raw});
        let reply = app.post(INGEST, body).await.expect(200);
        assert_eq!((reply["ok"].clone(), reply["stored"].clone()), (json!(true), json!(1)), "{kind}: {reply}");
        assert_eq!(reply["followup_message"].is_string(), kind == "session_end", "{reply}");
    }
    let detail = detail(&app, &id).await;
    let logs: Vec<_> = detail["logs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|log| (log["event_type"].as_str().unwrap(), log["summary"].as_str().unwrap()))
        .collect();
    let expected: Vec<_> = session().iter().map(|(_, kind, summary)| (*kind, *summary)).collect();
    assert_eq!(logs, expected);
    assert_eq!(detail["status"], "running");
    assert_eq!(detail["logs"][2]["success"], false);
    assert_eq!(detail["logs"][1]["payload"]["tool_input"]["command"], "ls -la");
    assert!(!detail.to_string().contains("ghp_0123456789"), "a token is stored");
    let stored: Vec<Option<String>> =
        sqlx::query_scalar("select raw_output from execution_logs order by seq").fetch_all(&app.pool).await.unwrap();
    assert_eq!(stored[3].as_deref(), Some("GITHUB_TOKEN=[secret]\n"));
    let agent = app.get(&format!("/api/v1/agents/{}", agent.as_str().unwrap())).await.expect(200);
    assert_eq!(agent["status"], "idle");
    let events = app.get("/api/events?limit=100&kind=log.appended").await.expect(200);
    assert_eq!(events["events"].as_array().unwrap().len(), session().len());
    let audited: i64 = sqlx::query_scalar("select count(*) from audit where kind = 'log.appended'")
        .fetch_one(&app.pool)
        .await
        .unwrap();
    assert_eq!(audited, 0, "what agents say is in their log");
}

#[tokio::test]
async fn an_event_is_stored_once_however_often_and_however_it_comes() {
    let app = TestApp::start().await;
    let id = order(&app, json!([])).await;
    let event = |key: &str| json!({"event_type": "tool_call", "event_id": key, "work_order_id": id, "raw_payload": {"tool_name": "T"}});
    let batch = json!({"events": [event("one"), event("two"), event("one")]});
    let first = app.post(INGEST, batch.clone()).await.expect(200);
    assert_eq!((first["stored"].clone(), first["repeated"].clone()), (json!(2), json!(1)));
    let again = app.post(INGEST, batch).await.expect(200);
    assert_eq!((again["stored"].clone(), again["repeated"].clone()), (json!(0), json!(3)));
    // One object a line; what is no object, no known event or of no known order does not keep the others out.
    let nowhere = json!({"event_type": "tool_call", "work_order_id": "00000000-0000-0000-0000-000000000009"});
    let lines = format!("{}\n\n{{broken\n{nowhere}\n{{\"event_type\":\"odd\"}}\n{}\n", event("two"), event("three"));
    let sent =
        app.http().post(format!("{}{INGEST}", app.base)).header("content-type", "application/x-ndjson").body(lines);
    let reply = TestApp::reply(sent).await.expect(200);
    assert_eq!((reply["stored"].clone(), reply["repeated"].clone()), (json!(1), json!(1)), "{reply}");
    assert_eq!(reply["refused"].as_array().unwrap().len(), 3, "{reply}");
    assert_eq!(detail(&app, &id).await["logs"].as_array().unwrap().len(), 3);
    for (body, status, code) in [
        (json!({}), 400, "invalid_field"),
        (json!({"event_type": "odd", "work_order_id": id}), 400, "invalid_field"),
        (json!({"event_type": "error", "work_order_id": "x"}), 400, "invalid_field"),
        (nowhere, 404, "not_found"),
        (json!({"events": vec![event("x"); 501]}), 400, "invalid_field"),
    ] {
        assert_eq!(app.post(INGEST, body).await.error(status), code);
    }
    let unknown = app.post(INGEST, json!({"event_type": "error"})).await.expect(200);
    assert_eq!(unknown["without_order"], 1);
}

#[tokio::test]
async fn the_definition_of_done_is_that_of_the_lines() {
    let app = TestApp::start().await;
    let id = order(&app, json!(["One", "Two"])).await;
    let end = async |status: &str, key: &str| {
        let body = json!({"event_type": "session_end", "event_id": key, "work_order_id": id, "raw_payload": {"status": status}});
        app.post(INGEST, body).await.expect(200)["followup_message"].clone()
    };
    let told = end("completed", "1").await;
    assert!(told.as_str().unwrap().contains("- One\n- Two\n"), "{told}");
    assert_eq!(end("completed", "1").await, told, "the same again is answered again");
    assert_eq!(detail(&app, &id).await["status"], "running");
    assert_eq!(end("aborted", "2").await, Value::Null);
    app.post(&format!("/api/v1/work-orders/{id}/lines/1"), json!({})).await.expect(200);
    assert!(!end("completed", "3").await.as_str().unwrap().contains("One"));
    app.post(&format!("/api/v1/work-orders/{id}/lines/2"), json!({})).await.expect(200);
    assert_eq!(end("completed", "4").await, Value::Null);
    let done = detail(&app, &id).await;
    assert_eq!(done["status"], "completed");
    assert_eq!(end("error", "5").await, Value::Null);
    assert_eq!(detail(&app, &id).await["status"], "completed", "what has ended stays so");

    // An agent that never gets there is told a few times, and then the order fails.
    let stuck = order(&app, json!(["Never"])).await;
    for n in 0..6 {
        let body = json!({"event_type": "session_end", "event_id": n.to_string(), "work_order_id": stuck});
        assert_eq!(app.post(INGEST, body).await.expect(200)["followup_message"].is_string(), n < 5);
    }
    let stuck = detail(&app, &stuck).await;
    assert_eq!(stuck["status"], "failed");
    assert!(stuck["error_message"].as_str().unwrap().contains("Never"), "{stuck}");
}

#[tokio::test]
async fn the_end_of_what_a_worker_has_is_the_workers() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let repo = project.rsplit('/').next().unwrap();
    let new = async || {
        let body = json!({"objective": "Say hello", "repo_id": repo, "lines": ["One"]});
        app.post("/api/v1/work-orders", body).await.expect(201)["work_order_id"].as_str().unwrap().to_owned()
    };
    let ended = async |id: &str| {
        app.post(&format!("/api/v1/work-orders/{id}/lines/1"), json!({})).await.expect(200);
        let body = json!({"event_type": "session_end", "work_order_id": id});
        app.post(INGEST, body).await.expect(200);
        detail(&app, id).await["status"].clone()
    };
    let held = new().await;
    let job = app.claim_as("one", json!({})).await.unwrap();
    assert_eq!(ended(&held).await, "running");
    app.post(&format!("{}/complete", TestApp::job_path(&job)), json!({"attempt": 1, "worker_id": "one"}))
        .await
        .expect(200);
    assert_eq!(detail(&app, &held).await["status"], "completed");
    // What still waits in the queue was done elsewhere, and need not be done again.
    let waiting = new().await;
    assert_eq!(ended(&waiting).await, "completed");
    assert!(app.claim_as("one", json!({})).await.is_none());
}

#[tokio::test]
async fn what_is_learnt_is_found_in_other_words_and_reaches_the_prompt() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let repo = project.rsplit('/').next().unwrap();
    let new = async |objective: &str| {
        let body = json!({"objective": objective, "repo_id": repo, "source": "local", "lines": [{"title": "Go", "definition_of_done": "It went"}]});
        app.post("/api/v1/work-orders", body).await.expect(201)["work_order_id"].as_str().unwrap().to_owned()
    };
    let first = new("Change the login").await;
    let text = "The migrations must be applied before the tests run.";
    let added = app
        .post("/api/v1/knowledge", json!({"text": text, "work_order_id": first, "agent_type": "cursor"}))
        .await
        .expect(200);
    assert_eq!(
        (added["ok"].clone(), added["embedding"].clone(), added["frequency"].clone()),
        (json!(true), json!(false), json!(1))
    );
    let again = json!({"text": format!(" {} ", text.to_uppercase()), "work_order_id": first});
    assert_eq!(app.post("/api/v1/knowledge", again).await.expect(200)["frequency"], 2);

    let later = new("Testing needs an applied migration, doesn't it?").await;
    let known = app.get(&format!("/api/v1/knowledge?work_order_id={later}")).await.expect(200);
    assert_eq!(known["results"][0]["learning"], text);
    let formatted = known["formatted"].as_str().unwrap();
    assert!(
        formatted.contains(text) && formatted.contains("Done when: It went") && formatted.contains(&later),
        "{formatted}"
    );
    assert_eq!(known["additional_context"], known["formatted"]);
    let asked = app.get("/api/v1/knowledge/query?query=migration&agent_type=cursor").await.expect(200);
    assert_eq!(asked["results"][0]["frequency"], 2);
    assert!(
        app.get("/api/v1/knowledge?query=migration&agent_type=other").await.expect(200)["results"]
            .as_array()
            .unwrap()
            .is_empty()
    );

    let body = json!({"objective": "Apply a migration", "repo_id": repo});
    let prompt = app.post("/api/v1/work-orders/preview", body).await.expect(200);
    assert!(prompt["prompt"].as_str().unwrap().contains(text), "{prompt}");
    let ticket = format!("{project}/tickets/{later}/worker-context");
    assert_eq!(app.get(&ticket).await.expect(200)["memory"][0], text);
    assert_eq!(app.get("/api/v1/knowledge").await.error(400), "invalid_field");
    assert_eq!(app.post("/api/v1/knowledge", json!({"text": " "})).await.error(400), "invalid_field");
}

#[tokio::test]
async fn a_hooks_token_sends_and_sets_lines_in_its_own_project_and_nothing_else() {
    let app = TestApp::start_guarded().await;
    let new = async |name: &str| {
        let body =
            json!({"name": name, "github_url": format!("https://github.com/demo/{name}"), "is_existing_repo": true});
        let project = app.as_admin().post("/api/projects", body).await.expect(201)["id"].clone();
        let order = json!({"objective": "x", "repo_id": project, "source": "local", "lines": ["One"]});
        let order = app.as_admin().post("/api/v1/work-orders", order).await.expect(201)["work_order_id"].clone();
        (project, order.as_str().unwrap().to_owned())
    };
    let ((project, own), (_, other)) = (new("own").await, new("other").await);
    let token = json!({"name": "hooks", "scope": "ingest", "project_id": project});
    let token = app.as_admin().post("/api/tokens", token).await.expect(201)["token"].clone();
    let send = async |method: Method, path: &str, body: Value| {
        app.send(method, path, &[("x-api-key", token.as_str().unwrap())], Some(body)).await
    };
    let event = |order: &str| json!({"event_type": "tool_call", "work_order_id": order});
    send(Method::POST, INGEST, event(&own)).await.expect(200);
    assert_eq!(send(Method::POST, INGEST, event(&other)).await.error(404), "not_found");
    send(Method::POST, &format!("/api/v1/work-orders/{own}/lines/1"), json!({})).await.expect(200);
    assert_eq!(
        send(Method::POST, &format!("/api/v1/work-orders/{other}/lines/1"), json!({})).await.error(404),
        "not_found"
    );
    send(Method::GET, &format!("/api/v1/knowledge?work_order_id={own}"), json!({})).await.expect(200);
    assert_eq!(
        send(Method::GET, &format!("/api/v1/knowledge?work_order_id={other}"), json!({})).await.error(404),
        "not_found"
    );
    send(Method::POST, "/api/v1/knowledge", json!({"text": "So."})).await.expect(200);
    for (method, path) in
        [(Method::GET, "/api/v1/work-orders"), (Method::GET, "/api/projects"), (Method::POST, "/api/v1/work-orders")]
    {
        assert_eq!(send(method, path, json!({})).await.error(403), "not_allowed", "{path}");
    }
}

/// The scripts, and a folder in which they run.
struct Hooks {
    folder: tempfile::TempDir,
    url: String,
    order: String,
    /// For how many seconds a stop waits: long, unless a test is about that.
    stop_wait: &'static str,
}

impl Hooks {
    fn new(url: &str, order: &str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), url: url.to_owned(), order: order.to_owned(), stop_wait: "20" }
    }

    fn scripts() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../integrations/hooks")
    }

    fn spool(&self) -> PathBuf {
        self.folder.path().join("spool")
    }

    /// Runs a script with an event, and returns what it printed. It never fails.
    async fn run(&self, script: &str, argument: &str, event: &Value) -> String {
        let mut child = tokio::process::Command::new("sh")
            .arg(Self::scripts().join(script))
            .args((!argument.is_empty()).then_some(argument))
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("HOME", self.folder.path())
            .env("CHYTR_SPOOL", self.spool())
            .env("CHYTR_URL", &self.url)
            .env("CHYTR_API_KEY", ADMIN_KEY)
            .env("WORK_ORDER_ID", &self.order)
            .env("CHYTR_SEND_PAUSE", "0")
            .env("CHYTR_STOP_WAIT", self.stop_wait)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // As people's editors may print it: over several lines.
        stdin.write_all(serde_json::to_string_pretty(event).unwrap().as_bytes()).await.unwrap();
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a stop of an agent of Cursor prints, in this state and without waiting for the API longer than a moment.
    async fn stop_at_once(&mut self, status: &str) -> String {
        self.stop_wait = "0.01";
        let start = std::time::Instant::now();
        let said = self.run("chytr-stop.sh", "cursor", &cursor("stop", json!({"status": status}))).await;
        assert!(start.elapsed() < std::time::Duration::from_secs(5), "{:?}", start.elapsed());
        self.stop_wait = "20";
        said
    }

    /// What the API said ahead: for Cursor, and for Claude Code.
    fn ahead(&self) -> Option<(Value, Value)> {
        let text = std::fs::read_to_string(self.spool().join(&self.order).join("ahead")).ok()?;
        let (cursor, claude) = text.trim_end().split_once('\n')?;
        Some((serde_json::from_str(cursor).unwrap(), serde_json::from_str(claude).unwrap()))
    }

    /// Ends the sender as an agent's container does.
    fn kill_sender(&self) {
        let pid = std::fs::read_to_string(self.spool().join(&self.order).join("sender.pid")).unwrap();
        let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }

    fn waiting(&self) -> usize {
        let folder = self.spool().join(&self.order);
        std::fs::read_dir(folder).map_or(0, |all| {
            all.filter(|one| one.as_ref().unwrap().path().extension().is_some_and(|end| end == "ok")).count()
        })
    }
}

/// The script that a Cursor event runs, with its argument, as hooks.json says it.
fn script_of(event: &str) -> (String, String) {
    let file = std::fs::read_to_string(Hooks::scripts().join("hooks.json")).unwrap();
    let hooks: Value = serde_json::from_str(&file).unwrap();
    let command = hooks["hooks"][event][0]["command"].as_str().unwrap_or_else(|| panic!("no hook for {event}"));
    let (script, argument) = command.split_once(' ').unwrap_or((command, ""));
    (script.rsplit('/').next().unwrap().to_owned(), argument.to_owned())
}

#[tokio::test]
async fn the_scripts_send_what_cursor_gives_them_and_print_what_it_reads() {
    let app = TestApp::start_guarded().await;
    let body = json!({"objective": "Say hello", "source": "local", "lines": ["Say \"hello\""]});
    let id = app.as_admin().post("/api/v1/work-orders", body).await.expect(201)["work_order_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let hooks = Hooks::new(&app.base, &id);
    let mut printed = Vec::new();
    for (raw, kind, _) in session() {
        let (script, argument) = script_of(raw["hook_event_name"].as_str().unwrap());
        printed.push((kind, hooks.run(&script, &argument, &raw).await));
    }
    for (kind, text) in &printed {
        match *kind {
            "session_start" => {
                let said: Value = serde_json::from_str(text).unwrap();
                assert!(said["additional_context"].as_str().unwrap().contains("Say hello"), "{said}");
            }
            "session_end" => {
                let said: Value = serde_json::from_str(text).unwrap();
                assert!(said["followup_message"].as_str().unwrap().contains("Say 'hello'"), "{said}");
            }
            _ => assert_eq!(text, "", "{kind}"),
        }
    }
    app.eventually(async || hooks.waiting() == 0).await;
    let order = app.as_admin().get(&format!("/api/v1/work-orders/{id}")).await.expect(200);
    let mut kinds: Vec<_> =
        order["logs"].as_array().unwrap().iter().map(|log| log["event_type"].as_str().unwrap()).collect();
    let mut expected: Vec<_> = session().iter().map(|(_, kind, _)| *kind).collect();
    kinds.sort_unstable();
    expected.sort_unstable();
    assert_eq!(kinds, expected);
    // Claude Code reads other words.
    let stop = json!({"hook_event_name": "Stop", "session_id": "s", "stop_hook_active": false});
    let said: Value = serde_json::from_str(&hooks.run("chytr-stop.sh", "claude", &stop).await).unwrap();
    assert_eq!(said["decision"], "block");
    let bash = json!({"hook_event_name": "PostToolUse", "session_id": "s", "tool_name": "Bash", "tool_use_id": "u",
        "tool_input": {"command": "ls"}, "tool_response": {"stdout": "a", "stderr": ""}});
    hooks.run("chytr-log.sh", "", &bash).await;
    app.eventually(async || {
        let order = app.as_admin().get(&format!("/api/v1/work-orders/{id}")).await.expect(200);
        order["logs"].as_array().unwrap().iter().any(|log| log["summary"] == "$ ls")
    })
    .await;
}

#[tokio::test]
async fn what_happens_while_the_api_is_away_is_sent_later_and_nothing_waits_for_it() {
    let app = TestApp::start().await;
    let id = order(&app, json!(["One"])).await;
    // No API listens there.
    let mut hooks = Hooks::new("http://127.0.0.1:9", &id);
    let start = std::time::Instant::now();
    for n in 0..5 {
        let raw = cursor("postToolUse", json!({"tool_name": format!("T{n}"), "tool_use_id": format!("t-{n}")}));
        assert_eq!(hooks.run("chytr-log.sh", "tool_call", &raw).await, "");
    }
    assert_eq!(hooks.run("chytr-stop.sh", "cursor", &cursor("stop", json!({"status": "completed"}))).await, "");
    assert!(start.elapsed() < std::time::Duration::from_secs(15), "{:?}", start.elapsed());
    assert_eq!(hooks.waiting(), 6);
    hooks.kill_sender();

    hooks.url = app.base.clone();
    let said: Value = serde_json::from_str(
        &hooks.run("chytr-stop.sh", "cursor", &cursor("stop", json!({"status": "completed", "loop_count": 1}))).await,
    )
    .unwrap();
    assert!(said["followup_message"].as_str().unwrap().contains("One"), "{said}");
    let logs = detail(&app, &id).await["logs"].clone();
    let kinds: Vec<_> =
        logs.as_array().unwrap().iter().map(|log| log["event_type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["tool_call", "tool_call", "tool_call", "tool_call", "tool_call", "session_end", "session_end"]);
    assert_eq!(hooks.waiting(), 0);
}

#[tokio::test]
async fn a_stop_says_what_the_api_said_ahead_where_the_api_is_slow() {
    let app = TestApp::start().await;
    let id = order(&app, json!(["One"])).await;
    let mut hooks = Hooks::new(&app.base, &id);
    let start = cursor("sessionStart", json!({"session_id": "c-1"}));
    hooks.run("chytr-session.sh", "cursor", &start).await;
    // It takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    hooks.url = format!("http://{}", silent.local_addr().unwrap());
    for status in ["aborted", "error"] {
        assert_eq!(hooks.stop_at_once(status).await, "", "such an agent is told nothing");
    }
    let said: Value = serde_json::from_str(&hooks.stop_at_once("completed").await).unwrap();
    assert!(said["followup_message"].as_str().unwrap().contains("- One\n"), "{said}");
    assert_eq!(hooks.stop_at_once("completed").await, "", "it counts once");
    hooks.kill_sender();
    // Nothing is lost, and what the API says next is known again.
    hooks.url = app.base.clone();
    let again = cursor("stop", json!({"status": "completed"}));
    assert!(hooks.run("chytr-stop.sh", "cursor", &again).await.contains("- One"));
    assert!(hooks.ahead().is_some());
    assert_eq!(hooks.waiting(), 0);
    let kinds: Vec<_> = detail(&app, &id).await["logs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|log| log["event_type"].as_str().unwrap().to_owned())
        .collect();
    let ends = ["session_end"; 5];
    assert_eq!((kinds[0].as_str(), &kinds[1..]), ("session_start", &ends.map(str::to_owned)[..]));
}

#[tokio::test]
async fn what_is_said_ahead_follows_the_lines() {
    let app = TestApp::start().await;
    let id = order(&app, json!(["One"])).await;
    let hooks = Hooks::new(&app.base, &id);
    let logged = async |n: u32| {
        let raw = cursor("postToolUse", json!({"tool_name": "T", "tool_use_id": n.to_string()}));
        hooks.run("chytr-log.sh", "tool_call", &raw).await;
    };
    logged(1).await;
    app.eventually(async || hooks.ahead().is_some()).await;
    let (for_cursor, for_claude) = hooks.ahead().unwrap();
    assert!(for_cursor["followup_message"].as_str().unwrap().contains("One"), "{for_cursor}");
    assert_eq!((&for_claude["decision"], &for_claude["reason"]), (&json!("block"), &for_cursor["followup_message"]));
    app.post(&format!("/api/v1/work-orders/{id}/lines/1"), json!({})).await.expect(200);
    logged(2).await;
    app.eventually(async || hooks.ahead() == Some((json!({}), json!({})))).await;
}

#[tokio::test]
async fn what_is_said_ahead_ends_with_what_is_said_at_all() {
    let app = TestApp::start().await;
    let id = order(&app, json!(["Never"])).await;
    let send = async |query: &str, event: Value| {
        let sent =
            app.http().post(format!("{}{INGEST}?{query}", app.base)).header("content-type", "application/x-ndjson");
        let text = sent.body(event.to_string()).send().await.unwrap().text().await.unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let start = json!({"event_type": "session_start", "work_order_id": id});
    let lines = send("reply=claude&ahead=true", start).await;
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["hookSpecificOutput"]["hookEventName"], "SessionStart");
    for n in 0..5 {
        let end = json!({"event_type": "session_end", "event_id": n.to_string(), "work_order_id": id});
        let lines = send("ahead=true", end).await;
        assert_eq!((lines.len(), lines[0]["followup_message"].is_string()), (2, n < 4), "{lines:?}");
    }
    let end = json!({"event_type": "session_end", "event_id": "last", "work_order_id": id});
    assert_eq!(send("ahead=true", end).await, [json!({}), json!({})]);
    assert_eq!(detail(&app, &id).await["status"], "failed");
}

#[tokio::test]
async fn without_an_address_the_scripts_do_nothing() {
    let hooks = Hooks::new("", "x");
    for script in ["chytr-session.sh", "chytr-log.sh", "chytr-stop.sh"] {
        assert_eq!(hooks.run(script, "", &json!({"hook_event_name": "stop"})).await, "");
    }
    assert!(!hooks.spool().exists());
}

#[test]
fn every_event_in_the_files_is_one_that_the_programs_know() {
    let read = |name: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(Hooks::scripts().join(name)).unwrap()).unwrap()
    };
    let cursor = read("hooks.json");
    let known = [
        "sessionStart",
        "sessionEnd",
        "postToolUse",
        "postToolUseFailure",
        "afterShellExecution",
        "afterMCPExecution",
        "afterFileEdit",
        "subagentStart",
        "subagentStop",
        "afterAgentResponse",
        "afterAgentThought",
        "stop",
    ];
    let hooks = cursor["hooks"].as_object().unwrap();
    assert_eq!(cursor["version"], 1);
    for (event, entries) in hooks {
        // One unknown name makes Cursor's command drop the whole file.
        assert!(known.contains(&event.as_str()), "{event}");
        let command = entries[0]["command"].as_str().unwrap();
        let script = command.split(' ').next().unwrap().rsplit('/').next().unwrap();
        assert!(Hooks::scripts().join(script).exists(), "{command}");
    }
    assert_eq!(hooks.len(), known.len());
    for (event, groups) in read("claude-settings.json")["hooks"].as_object().unwrap() {
        assert!(groups[0]["hooks"][0]["command"].as_str().unwrap().contains("/.claude/hooks/chytr-"), "{event}");
    }
}
