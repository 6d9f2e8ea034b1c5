//! The commands of the agent worker's guide, typed as they are written there; only the host and ids are replaced. Once without keys on
//! this machine, and once with the key. What is printed is compared with what the guide shows: it has everything that is shown, of the
//! same kind, with the same words.

use crate::support::{ADMIN_KEY, CallerOf, TestApp};
use chrono::DateTime;
use serde_json::{Value, json};
use std::process::Command;

/// Step 2, option B, without the start of a server.
const START_WORKER: &str = r#"curl -X POST http://localhost:3000/api/admin/agent-worker \
  -H "Cookie: your-session-cookie""#;
const CHECK_STATUS: &str = "curl http://localhost:3000/api/admin/agent-worker";

/// Step 3.
const SIMPLE_TASK: &str = r#"curl -X POST http://localhost:3000/api/agent-jobs \
  -H "Content-Type: application/json" \
  -H "Cookie: your-session-cookie" \
  -d '{
    "jobType": "simple-task",
    "taskDescription": "Process user data",
    "inputData": {
      "userId": "user-123",
      "action": "update-profile"
    },
    "priority": 5
  }'"#;
const SIMPLE_TASK_RESPONSE: &str = r#"{
  "success": true,
  "job": {
    "id": "clx1234567890",
    "jobType": "simple-task",
    "status": "PENDING",
    "taskDescription": "Process user data",
    "priority": 5,
    "createdAt": "2024-01-15T10:30:00Z"
  }
}"#;
const CODE_GENERATION: &str = r#"curl -X POST http://localhost:3000/api/agent-jobs \
  -H "Content-Type: application/json" \
  -H "Cookie: your-session-cookie" \
  -d '{
    "jobType": "code-generation",
    "taskDescription": "Generate authentication module",
    "inputData": {
      "files": [
        {
          "path": "lib/auth.ts",
          "content": "export function authenticate() { return true; }"
        },
        {
          "path": "lib/auth.test.ts",
          "content": "describe(\"auth\", () => { ... })"
        }
      ],
      "description": "User authentication module"
    },
    "priority": 8
  }'"#;
const DATA_PROCESSING: &str = r#"curl -X POST http://localhost:3000/api/agent-jobs \
  -H "Content-Type: application/json" \
  -H "Cookie: your-session-cookie" \
  -d '{
    "jobType": "data-processing",
    "taskDescription": "Transform customer data",
    "inputData": {
      "operation": "transform",
      "data": [
        {"id": 1, "name": "John", "email": "john@example.com"},
        {"id": 2, "name": "Jane", "email": "jane@example.com"}
      ],
      "transform": "normalize"
    },
    "priority": 7
  }'"#;

/// Step 4.
const LIST: &str = r#"curl http://localhost:3000/api/agent-jobs \
  -H "Cookie: your-session-cookie""#;
const LIST_PENDING: &str = r#"curl "http://localhost:3000/api/agent-jobs?status=PENDING" \
  -H "Cookie: your-session-cookie""#;
const LIST_BY_TYPE: &str = r#"curl "http://localhost:3000/api/agent-jobs?jobType=code-generation" \
  -H "Cookie: your-session-cookie""#;
const LIST_PAGE: &str = r#"curl "http://localhost:3000/api/agent-jobs?limit=10&offset=0" \
  -H "Cookie: your-session-cookie""#;
const DETAILS: &str = r#"curl http://localhost:3000/api/agent-jobs/[jobId] \
  -H "Cookie: your-session-cookie""#;
const CHECKPOINTS: &str = r#"curl http://localhost:3000/api/agent-jobs/[jobId]/checkpoints \
  -H "Cookie: your-session-cookie""#;

/// Step 5.
const APPROVE: &str = r#"curl -X POST http://localhost:3000/api/admin/agent-checkpoints/[checkpointId] \
  -H "Cookie: your-session-cookie""#;
const APPROVED: &str = r#"{
  "success": true,
  "checkpoint": {
    "id": "checkpoint-123",
    "status": "APPROVED",
    "approvedBy": "admin-user-id",
    "approvedAt": "2024-01-15T10:35:00Z"
  },
  "message": "Checkpoint approved successfully"
}"#;
/// The guide's own text ends at the apostrophe of `doesn't`, where a shell does not read on as it is meant.
const REJECT: &str = r#"curl -X DELETE http://localhost:3000/api/admin/agent-checkpoints/[checkpointId] \
  -H "Content-Type: application/json" \
  -H "Cookie: your-session-cookie" \
  -d '{
    "reason": "Code doesn'\''t meet security standards"
  }'"#;
const REJECTED: &str = r#"{
  "success": true,
  "checkpoint": {
    "id": "checkpoint-123",
    "status": "REJECTED",
    "rejectionReason": "Code doesn't meet security standards"
  },
  "message": "Checkpoint rejected successfully"
}"#;

/// Step 6: what is counted, without how much.
const METRICS: &str = "curl http://localhost:3000/api/metrics";
const METRICS_OUTPUT: &str = r#"agent_jobs_total{status="PENDING"} 5
agent_jobs_total{status="RUNNING"} 1
agent_jobs_total{status="COMPLETED"} 42
agent_jobs_total{status="FAILED"} 2
# TYPE agent_jobs_duration_seconds histogram
agent_jobs_duration_seconds_bucket{status="COMPLETED",le="1"} 10
agent_jobs_duration_seconds_bucket{status="COMPLETED",le="5"} 25
agent_jobs_duration_seconds_bucket{status="COMPLETED",le="10"} 35
agent_jobs_duration_seconds_bucket{status="COMPLETED",le="+Inf"} 42
agent_jobs_duration_seconds_count{status="COMPLETED"} 42
agent_jobs_duration_seconds_sum{status="COMPLETED"} 156.78
agent_checkpoints_total{status="PENDING"} 3
agent_checkpoints_total{status="APPROVED"} 28
agent_checkpoints_total{status="REJECTED"} 2
# TYPE agent_checkpoints_pending gauge
agent_checkpoints_pending 3
# TYPE agent_worker_active_jobs gauge
agent_worker_active_jobs 1"#;

/// Step 7.
const STATUS: &str = r#"curl http://localhost:3000/api/admin/agent-worker \
  -H "Cookie: your-session-cookie""#;
const STATUS_RESPONSE: &str = r#"{
  "success": true,
  "worker": {
    "isRunning": true,
    "activeJobs": 1,
    "maxConcurrentJobs": 3,
    "pollInterval": 5000
  },
  "jobs": {
    "pending": 5,
    "running": 1,
    "completed": 42,
    "failed": 2
  }
}"#;
const STOP: &str = r#"curl -X DELETE http://localhost:3000/api/admin/agent-worker \
  -H "Cookie: your-session-cookie""#;
const RESTART: &str = "# Stop first
curl -X DELETE http://localhost:3000/api/admin/agent-worker

# Then start
curl -X POST http://localhost:3000/api/admin/agent-worker";

/// The "Complete Workflow Example" without its first step, which starts a worker, and its `sleep`.
const WORKFLOW: &str = r#"JOB_ID=$(curl -X POST http://localhost:3000/api/agent-jobs \
  -H "Content-Type: application/json" \
  -H "Cookie: your-session-cookie" \
  -d '{
    "jobType": "code-generation",
    "taskDescription": "Generate auth code",
    "inputData": {"files": [{"path": "lib/auth.ts", "content": "..."}]}
  }' | jq -r '.job.id')

echo "Job ID: $JOB_ID"

# Check job status
curl http://localhost:3000/api/agent-jobs/$JOB_ID \
  -H "Cookie: your-session-cookie" | jq '.job.status'

# Get checkpoints
CHECKPOINT_ID=$(curl http://localhost:3000/api/agent-jobs/$JOB_ID/checkpoints \
  -H "Cookie: your-session-cookie" | jq -r '.checkpoints[0].id')

echo "Checkpoint ID: $CHECKPOINT_ID"
"#;
const VERIFY: &str = r#"curl http://localhost:3000/api/agent-jobs/$JOB_ID \
  -H "Cookie: your-session-cookie" | jq '.job.status'"#;
const CHECK_METRICS: &str = "curl http://localhost:3000/api/metrics | grep agent_jobs_total";

/// "Troubleshooting".
const TROUBLESHOOTING: [&str; 3] = [
    "curl http://localhost:3000/api/admin/agent-worker",
    "curl http://localhost:3000/api/admin/agent-checkpoints",
    "curl http://localhost:3000/api/agent-jobs?status=PENDING",
];

/// A person at a shell, with the guide's commands.
struct Typist<'a> {
    app: &'a TestApp,
    key: Option<&'static str>,
}

impl Typist<'_> {
    /// What a command prints. Only the address is another one, and `curl` also sends the key, where there is one; a response that is
    /// no success fails the command.
    fn types(&self, commands: &str) -> String {
        let key = self.key.map(|key| format!("-H 'Authorization: Bearer {key}'")).unwrap_or_default();
        let commands = format!(
            "set -euo pipefail\ncurl() {{ command curl -sS --fail-with-body {key} \"$@\"; }}\n{}",
            commands.replace("http://localhost:3000", &self.app.base)
        );
        let output = Command::new("bash").args(["-c", &commands]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{commands}\n{said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    fn reads(&self, command: &str) -> Value {
        serde_json::from_str(&self.types(command)).unwrap()
    }

    fn checkpoint_of(&self, job: &Value) -> String {
        let list = self.reads(&CHECKPOINTS.replace("[jobId]", job["job"]["id"].as_str().unwrap()));
        assert_eq!(list["success"], true);
        list["checkpoints"][0]["id"].as_str().unwrap().to_owned()
    }

    /// The coordinator that works on what is typed.
    fn worker(&self) -> CallerOf<'_> {
        if self.key.is_some() { self.app.as_worker() } else { self.app.anonymous() }
    }
}

/// Whether a response has what the guide shows: names, kinds and words. Ids and times are others, and so are counts.
fn assert_like(shown: &str, got: &Value) {
    let shown: Value = serde_json::from_str(shown).unwrap();
    assert!(is_like(&shown, got), "the guide shows {shown}, and this is {got}");
}

fn is_like(shown: &Value, got: &Value) -> bool {
    match (shown, got) {
        (Value::Object(shown), Value::Object(got)) => {
            shown.iter().all(|(name, value)| got.get(name).is_some_and(|got| is_like(value, got)))
        }
        (Value::String(shown), Value::String(got)) => {
            let is_time = |text: &str| DateTime::parse_from_rfc3339(text).is_ok();
            let is_id = ["clx1234567890", "checkpoint-123", "admin-user-id"].contains(&shown.as_str());
            shown == got || (is_time(shown) && is_time(got)) || (is_id && !got.is_empty())
        }
        (Value::Number(_), Value::Number(_)) => true,
        (shown, got) => shown == got,
    }
}

/// The metric of a line, or all of a line that says its type.
fn counted(line: &str) -> &str {
    if line.starts_with('#') { line } else { line.rsplit_once(' ').map_or(line, |(name, _)| name) }
}

/// Steps 2 to 5, after this job.
fn jobs_and_checkpoints(typist: &Typist<'_>, earlier: &Value) {
    assert_eq!(typist.reads(START_WORKER)["success"], true);
    assert_like(STATUS_RESPONSE, &typist.reads(CHECK_STATUS));
    let simple = typist.reads(SIMPLE_TASK);
    assert_like(SIMPLE_TASK_RESPONSE, &simple);
    assert_eq!(simple["job"]["priority"], 5);
    let (code, data) = (typist.reads(CODE_GENERATION), typist.reads(DATA_PROCESSING));
    assert_eq!((&code["job"]["priority"], &data["job"]["priority"]), (&json!(8), &json!(7)));
    for (list, ids) in [
        (LIST, vec![&data, &code, &simple, earlier]),
        (LIST_PENDING, vec![&simple]),
        (LIST_BY_TYPE, vec![&code, earlier]),
        (LIST_PAGE, vec![&data, &code, &simple, earlier]),
    ] {
        let list = typist.reads(list);
        let got: Vec<&Value> = list["jobs"].as_array().unwrap().iter().map(|job| &job["id"]).collect();
        assert_eq!((got, &list["success"]), (ids.iter().map(|job| &job["job"]["id"]).collect(), &json!(true)));
        assert_eq!(list["pagination"]["total"], ids.len());
    }
    let details = typist.reads(&DETAILS.replace("[jobId]", code["job"]["id"].as_str().unwrap()));
    for part in ["checkpoints", "logs", "timeline"] {
        assert!(details["job"][part].is_array(), "{part}: {details}");
    }
    let approved = APPROVE.replace("[checkpointId]", &typist.checkpoint_of(&data));
    assert_like(APPROVED, &typist.reads(&approved));
    let rejected = typist.reads(&REJECT.replace("[checkpointId]", &typist.checkpoint_of(&code)));
    assert_like(REJECTED, &rejected);
}

/// Steps 6 and 7.
fn metrics_and_the_worker(typist: &Typist<'_>) {
    let metrics = typist.types(METRICS);
    for shown in METRICS_OUTPUT.lines().map(counted) {
        assert!(metrics.lines().any(|line| counted(line) == shown), "{shown} is missing in:\n{metrics}");
    }
    assert_like(STATUS_RESPONSE, &typist.reads(STATUS));
    assert_eq!(typist.reads(STOP)["success"], true);
    assert_eq!(typist.reads(STATUS)["worker"]["isRunning"], false);
    typist.types(RESTART);
    assert_eq!(typist.reads(STATUS)["worker"]["isRunning"], true);
    for command in TROUBLESHOOTING {
        assert_eq!(typist.reads(command)["success"], true, "{command}");
    }
}

/// The complete workflow, with a coordinator that claims the job and completes it. Returns the job's details.
async fn the_workflow(typist: &Typist<'_>) -> Value {
    let said = typist.types(WORKFLOW);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[1], "\"RUNNING\"", "it waits for a person: {said}");
    let id = lines[0].strip_prefix("Job ID: ").unwrap();
    let approve = APPROVE.replace("[checkpointId]", lines[2].strip_prefix("Checkpoint ID: ").unwrap());
    assert_like(APPROVED, &typist.reads(&approve));
    let claimed = typist.worker().post("/api/worker/jobs/start", json!({"worker_id": "one"})).await.expect(200);
    assert_eq!((&claimed["ticket_id"], &claimed["repo_url"]), (&json!(id), &json!("")));
    let (app, token) = (typist.app, claimed["job_token"].as_str());
    let ticket = format!("/api/projects/{}/tickets/{id}", claimed["project_id"].as_str().unwrap());
    let context = app.request(http::Method::GET, &format!("{ticket}/worker-context"), token, None).await.expect(200);
    assert_eq!(context["input_data"]["files"][0]["path"], "lib/auth.ts");
    let output = json!({"output": {"result": "Done", "files": [{"path": "lib/auth.ts", "content": "x", "size": 1}]}});
    app.request(http::Method::PUT, &format!("{ticket}/output"), token, Some(&output)).await.expect(200);
    typist.worker().post(&format!("{}/complete", TestApp::job_path(&claimed)), json!({"attempt": 1})).await.expect(200);
    assert_eq!(typist.types(&VERIFY.replace("$JOB_ID", id)), "\"COMPLETED\"\n");
    let details = typist.reads(&DETAILS.replace("[jobId]", id));
    assert_eq!(details["job"]["outputData"]["result"], "Done");
    let counts = typist.types(CHECK_METRICS);
    assert!(counts.lines().any(|line| line == "agent_jobs_total{status=\"COMPLETED\"} 1"), "{counts}");
    details
}

async fn the_guide(app: &TestApp, key: Option<&'static str>) {
    app.may_leave_jobs_live();
    let typist = Typist { app, key };
    let heartbeat = json!({"worker_id": "one", "slots": 3});
    typist.worker().post("/api/worker/heartbeat", heartbeat).await.expect(200);
    // What the workflow's coordinator claims must be the workflow's job.
    let earlier = the_workflow(&typist).await;
    jobs_and_checkpoints(&typist, &earlier);
    metrics_and_the_worker(&typist);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_commands_work_without_keys_on_this_machine() {
    the_guide(&TestApp::start().await, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_commands_work_with_the_key_and_need_it() {
    let app = TestApp::start_guarded().await;
    the_guide(&app, Some(ADMIN_KEY)).await;
    for path in ["/api/agent-jobs", "/api/admin/agent-checkpoints", "/api/admin/agent-worker", "/api/metrics"] {
        assert_eq!(app.get(path).await.error(401), "unauthorized", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_cookie_is_that_of_an_admins_session() {
    let app = TestApp::start_guarded().await;
    let cookie = app.person("admin@example.com", "admin", &[]).await;
    let typist = Typist { app: &app, key: None };
    let typed = |command: &str| typist.reads(&command.replace("your-session-cookie", &cookie));
    assert_eq!(typed(START_WORKER)["success"], true);
    let job = typed(CODE_GENERATION);
    let id = job["job"]["id"].as_str().unwrap();
    let checkpoints = typed(&CHECKPOINTS.replace("[jobId]", id));
    let checkpoint = checkpoints["checkpoints"][0]["id"].as_str().unwrap().to_owned();
    let rejected = typed(&REJECT.replace("[checkpointId]", &checkpoint));
    assert_like(REJECTED, &rejected);
    assert_eq!(typed(&DETAILS.replace("[jobId]", id))["job"]["status"], "FAILED");
    assert!(typed(LIST)["jobs"][0]["userId"].is_string());
}
