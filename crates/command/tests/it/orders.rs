//! Work orders and schedules from a shell, with a real API.

use crate::api::Api;
use crate::program::Person;
use crate::stand_in::{ID, OTHER, StandIn};
use serde_json::json;

const URL: &str = "https://forge.example/o/r/pull/1";

#[tokio::test]
async fn an_order_is_made_shown_listed_and_cancelled() {
    let api = Api::start().await;
    let project = api.project("Hello").await;
    let person = api.person();
    let line = "Greet by name :: hello.sh takes a name\u{1b}[2J";
    let options = ["--line", line, "--line", "Say so in the README", "--test-command", "./hello.sh Ada"];
    let create = [&["orders", "create", "Greet people", "--branch", "release"], &options[..]].concat();
    let prompt = person.run(&[&create[..], &["--preview"]].concat()).await.with_code(0).out;
    assert!(prompt.contains("Greet people") && prompt.contains("./hello.sh Ada"), "{prompt}");
    assert!(person.run(&["orders", "--json"]).await.with_code(0).json()["work_orders"].as_array().unwrap().is_empty());

    let made = person.run(&create).await.with_code(0);
    let id = made.out.trim();
    let job = api.claim().await;
    assert_eq!(job["ticket_id"], id);
    let shown = person.run(&["orders", "show", "greet"]).await.with_code(0).out;
    for part in
        ["running", "release", "1. Greet by name", "done when: hello.sh takes a name\\e[2J", "2. Say so in the README"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let list = person.run(&["orders", "list", "--status", "running", "-p", "Hello"]).await.with_code(0).out;
    assert!(list.starts_with(&format!("{id}\tGreet people\trunning\t0/2\t")), "{list}");
    let detail = person.run(&["order", "show", id, "--json"]).await.with_code(0).json();
    assert_eq!((&detail["repo_id"], &detail["branch_name"]), (&json!(project), &json!("release")));

    api.complete(&job, URL).await;
    assert!(person.run(&["orders"]).await.with_code(0).out.trim_end().ends_with(URL));
    let late = person.run(&["orders", "cancel", id]).await.with_code(1);
    assert!(late.err.contains("there is nothing to cancel"), "{}", late.err);

    let file =
        json!({"objective": "From a file", "constraints": {"must_use": ["sh"]}, "source": "local", "lines": ["One"]});
    let made =
        person.run_with(&["orders", "create", "--file", "-", "--json"], &file.to_string()).await.with_code(0).json();
    assert_eq!(made["status"], "pending");
    let gone = person.run(&["orders", "cancel", "From"]).await.with_code(0);
    assert!(gone.err.contains("'From a file' is cancelled."), "{}", gone.err);
}

#[tokio::test]
async fn what_is_wrong_with_an_order_is_said() {
    let api = Api::start().await;
    let person = api.person();
    let none = person.run(&["orders", "create", "Greet"]).await.with_code(1);
    assert!(none.err.contains("terarchitect projects new"), "{}", none.err);
    api.project("Hello").await;
    let agent = person.run(&["orders", "create", "Greet", "--agent", "nobody"]).await.with_code(1);
    assert!(agent.err.contains("there is no agent 'nobody'; there are: "), "{}", agent.err);
    let file = person.run_with(&["orders", "create", "--file", "-"], "[1]").await.with_code(2);
    assert!(file.err.contains("must hold a JSON object"), "{}", file.err);
    let branch = person.run(&["orders", "create", "Greet", "--branch", "a b"]).await.with_code(1);
    assert!(branch.err.contains("not a name that Git allows"), "{}", branch.err);
    let unknown = person.run(&["orders", "show", "Paint"]).await.with_code(1);
    assert!(unknown.err.contains("there is no work order 'Paint' that you can see"), "{}", unknown.err);
}

#[tokio::test]
async fn an_order_that_is_not_launched_is_1_and_says_why() {
    let api = StandIn::start().await;
    let why = "There is no CURSOR_API_KEY.";
    api.on(
        "POST /api/v1/work-orders",
        201,
        json!({"ok": true, "work_order_id": OTHER, "status": "pending", "launch_error": why}),
    );
    let done = Person::at(&api.url, "key").run(&["orders", "create", "Greet"]).await.with_code(1);
    assert_eq!(done.out, format!("{OTHER}\n"));
    assert!(done.err.contains(why), "{}", done.err);
    assert_eq!(api.called("POST /api/v1/work-orders")[0].body, json!({"objective": "Greet", "repo_id": ID}));
}

#[tokio::test]
async fn a_schedule_is_listed_shown_run_paused_and_resumed() {
    let api = Api::start().await;
    let project = api.project("Hello").await;
    let id = api.schedule("Nightly", &project).await;
    let person = api.person();
    let list = person.run(&["schedules"]).await.with_code(0).out;
    assert!(list.starts_with(&format!("{id}\tNightly\t0 3 * * * Europe/Berlin\t")), "{list}");

    let order = person.run(&["schedules", "run", "night"]).await.with_code(0).out;
    assert_eq!(api.claim().await["ticket_id"], order.trim());
    let shown = person.run(&["schedule", "show", "Nightly"]).await.with_code(0).out;
    for part in ["Tidy up", "Next", "Runs", ", by hand", order.trim()] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let paused = person.run(&["schedules", "pause", "Nightly"]).await.with_code(0);
    assert!(paused.err.contains("'Nightly' rests"), "{}", paused.err);
    assert!(person.run(&["schedules"]).await.with_code(0).out.trim_end().ends_with("paused"));
    let resumed = person.run(&["schedules", "resume", "Nightly", "--json"]).await.with_code(0).json();
    assert!(resumed["enabled"] == true && resumed["next_run_at"].is_string(), "{resumed}");
    let unknown = person.run(&["schedules", "run", "Weekly"]).await.with_code(1);
    assert!(unknown.err.contains("there is no schedule 'Weekly' that you can see"), "{}", unknown.err);
}
