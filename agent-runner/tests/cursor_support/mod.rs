//! A ticket's surroundings with Cursor's cloud: its agents push with the real git to the local forge, and no OpenCode is there.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(unreachable_pub, reason = "a module that several test binaries include")]
#![allow(clippy::unwrap_used, reason = "support for tests")]

use crate::ticket_support::{WORKER_KEY, World};
use serde_json::{Value, json};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use terarchitect_agent_runner::attempt::{AttemptError, Finished};
use terarchitect_testbed::chat::Script;
use terarchitect_testbed::cursor::{Cloud, End};
use uuid::Uuid;

/// Both of Cursor's APIs.
pub const VERSIONS: [&str; 2] = ["v0", "v1"];
/// Short enough for a test that waits for some looks.
const LOOK_MS: &str = "20";

/// What an agent says at the end of a turn, and the files that it pushed before.
pub type Turn = (&'static str, &'static [(&'static str, &'static str)]);

/// The turns of the demonstration's ticket: its Director finds the first turn of work incomplete, once.
pub const TURNS: [Turn; 4] = [
    ("The script greets the world.", &[]),
    ("1. Write greet.sh. 2. Say so in the README.", &[]),
    ("Wrote greet.sh.", &[("greet.sh", "echo \"Hello, $1!\"\n")]),
    ("Said so in the README.", &[("README.md", "# Hello\n\nsh greet.sh Ada\n"), ("docs/greet.md", "Greets.\n")]),
];

pub struct CursorWorld {
    pub world: World,
    pub cloud: Cloud,
    version: &'static str,
    job: Uuid,
}

impl CursorWorld {
    pub async fn start(version: &'static str) -> Self {
        let world = World::with_agent("/nonexistent/opencode".into(), Script::demo()).await;
        let this = Self { world, cloud: Cloud::start().await.unwrap(), version, job: Uuid::now_v7() };
        this.world.api.set_context(this.context(&json!({})));
        this
    }

    /// The context, with these settings as well; null removes one.
    pub fn context(&self, settings: &Value) -> Value {
        let mut context = self.world.context();
        let all = context["agent_settings"].as_object_mut().unwrap();
        all.retain(|name, _| !name.starts_with("WORKER_"));
        let own = json!({
            "WORKER_MODE": "cursor", "CURSOR_API_KEY": self.cloud.key(), "CURSOR_API_URL": self.cloud.api_url(),
            "CURSOR_API_VERSION": self.version, "AGENT_LLM_URL": self.world.chat.base_url(),
        });
        for (name, value) in own.as_object().unwrap().iter().chain(settings.as_object().unwrap()) {
            all.insert(name.clone(), value.clone());
        }
        all.retain(|_, value| !value.is_null());
        context
    }

    /// What the API has of the conversation after this turn is given to the next attempt.
    pub fn hand_on(&self, turn: u32) {
        let bytes = self.world.api.conversation().expect("each finished turn's conversation is kept").len();
        let mut context = self.context(&json!({}));
        context["conversation"] = json!({"attempt": 1, "turn": turn, "agent": "cursor", "bytes": bytes});
        self.world.api.set_context(context);
    }

    pub async fn attempt(&self) -> Result<Finished, AttemptError> {
        let (api, job) = (self.world.forge.api_url(), self.job.to_string());
        self.world.attempt(&["--github-api-url", &api, "--cursor-look-ms", LOOK_MS, "--job-id", &job]).await
    }

    /// The program in a process of its own, which can be killed.
    pub fn spawn(&self) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agent-runner"));
        command.args(["ticket", "--api-url", &self.world.api.url(), "--worker-api-key", WORKER_KEY]);
        command.args(["--project-id", &self.world.project.to_string(), "--ticket-id", &self.world.ticket.to_string()]);
        command.args(["--github-api-url", &self.world.forge.api_url(), "--cursor-look-ms", LOOK_MS]);
        command.args(["--job-id", &self.job.to_string()]).arg("--unpushed-dir").arg(self.world.unpushed.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// The agents do these turns, the first of which is the `first`-th prompt.
    pub async fn work(&self, first: usize, turns: &[Turn]) {
        for (number, (said, files)) in turns.iter().enumerate() {
            let id = self.cloud.prompted(first + number).await.id;
            self.cloud.run(&id);
            self.finish_turn(&id, said, files);
        }
    }

    /// Waits until an attempt that begins after this call has looked what the agent was told last.
    pub fn looked_back(&self) -> impl Future<Output = ()> + '_ {
        let before = self.cloud.calls().len();
        // v0 has the prompts in the conversation, which is read for their number and for the last one.
        let (path, times) = if self.version == "v0" { ("/conversation", 2) } else { ("/runs?limit", 1) };
        async move {
            let looks = || self.cloud.calls().iter().skip(before).filter(|call| call.contains(path)).count();
            self.cloud.until(|_| looks() >= times).await;
        }
    }

    pub fn finish_turn(&self, id: &str, said: &str, files: &[(&str, &str)]) {
        if !files.is_empty() {
            self.cloud.push(id, &self.world.forge.repo_path("demo", "hello"), files).unwrap();
        }
        self.cloud.end(id, &End::finished(said, None));
    }

    /// All prompts, of whichever agent.
    pub fn prompts(&self) -> Vec<String> {
        let agents = self.cloud.agents();
        agents.iter().flat_map(|agent| &agent.runs).map(|run| run.prompt.clone()).collect()
    }

    /// Whether an agent works.
    pub fn is_busy(&self) -> bool {
        self.cloud.agents().iter().any(terarchitect_testbed::cursor::CloudAgent::is_busy)
    }

    /// The ticket ended in one pull request with all that the turns changed.
    pub fn ended_as_ever(&self) {
        let pulls = self.world.forge.pulls("demo", "hello");
        assert_eq!(pulls.len(), 1);
        assert!(pulls[0].body.contains("3 files changed"), "{}", pulls[0].body);
        assert!(self.world.on_branch("greet.sh").unwrap().contains("Hello, $1!"));
        assert_eq!(self.world.calls("/complete").len(), 1);
        assert!(!self.is_busy());
    }
}

/// Kills a runner outright.
pub fn kill(mut runner: Child) {
    runner.kill().unwrap();
    assert_eq!(runner.wait().unwrap().signal(), Some(9));
}
