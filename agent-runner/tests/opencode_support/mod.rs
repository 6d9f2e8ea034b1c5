//! What the tests with the real OpenCode share: a scripted model, a workspace, a list of the processes.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(unreachable_pub, reason = "a module that several test binaries include")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "support for tests")]

use secrecy::SecretString;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use terarchitect_agent_runner::agent::{AgentEvent, AgentOptions, ProgressSink, Provider, ToolStatus};
use terarchitect_agent_runner::stuck::{Call, Kind, Remedy, Seen};
use terarchitect_outbound::api_base;
use terarchitect_testbed::chat::{Reply, Rule, Script, ToolCall, When};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// OpenCode's program. Without it this returns `None` and says so: the tests that need it are then skipped.
pub fn opencode() -> Option<PathBuf> {
    let named = std::env::var_os("OPENCODE_BIN").map(PathBuf::from);
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|directory| directory.join("opencode")).find(|program| program.is_file())
    };
    let found = named.or_else(on_path).filter(|program| program.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: no OpenCode here; set OPENCODE_BIN or put `opencode` on PATH to run this test");
    }
    found
}

/// The model's name in all scripts.
pub const MODEL: &str = "scripted/model";

/// A key that would break a careless configuration.
pub const KEY: &str = "key-with-\"quote\"";

/// A script of these rules; the first that fits answers.
pub fn script(rules: impl IntoIterator<Item = Rule>) -> Script {
    Script { rules: rules.into_iter().collect() }
}

/// To a prompt with these words: this reply.
pub fn to(words: &str, reply: Reply) -> Rule {
    let when = When { contains: Some(words.to_owned()), ..When::default() };
    Rule { when, reply, times: None }
}

/// To a prompt with these words: one tool call, then "Done.".
pub fn to_by_tool(words: &str, tool: &str, arguments: Value) -> [Rule; 2] {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    let call = Reply { tools: vec![ToolCall { name: tool.to_owned(), arguments }], ..Reply::default() };
    let [mut first, mut second] = [to(words, call), to(words, says("Done."))];
    first.when.after_tool = Some(false);
    second.when.after_tool = Some(true);
    [first, second]
}

/// A reply of words alone.
pub fn says(text: &str) -> Reply {
    Reply { text: text.to_owned(), ..Reply::default() }
}

/// A reply that begins and never ends.
pub fn stalls() -> Reply {
    Reply { text: "Let me think".to_owned(), stall: true, ..Reply::default() }
}

/// An HTTP error.
pub fn fails(status: u16) -> Reply {
    Reply { status: Some(status), ..Reply::default() }
}

/// OpenCode's configuration for the scripted model.
pub fn provider(base_url: &str) -> Provider {
    let api_key = Some(SecretString::from(KEY));
    Provider { base_url: api_base(base_url).unwrap(), model: MODEL.to_owned(), api_key, limits: None }
}

/// A repository to work in, and a place for the agent's state.
pub struct Place {
    root: tempfile::TempDir,
    pub events: Arc<Events>,
}

impl Place {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("work")).unwrap();
        git2::Repository::init(root.path().join("work")).unwrap();
        Self { root, events: Arc::default() }
    }

    pub fn work(&self, name: &str) -> PathBuf {
        self.root.path().join("work").join(name)
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Lets another user come in, and gives it the workspace and the place for its state.
    pub fn give_to(&self, uid: u32, gid: u32) {
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(self.root(), open).unwrap();
        let state = self.root().join("state");
        std::fs::create_dir(&state).unwrap();
        let mut directories = vec![self.work(""), state];
        while let Some(path) = directories.pop() {
            std::os::unix::fs::chown(&path, Some(uid), Some(gid)).unwrap();
            if path.is_dir() {
                directories.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
    }

    pub fn options(&self, binary: PathBuf, provider: Provider) -> AgentOptions {
        let mut options = AgentOptions::new(binary, self.work(""), self.root.path().join("state"), provider);
        options.progress = self.events.clone();
        options
    }

    /// Writes what happened as a record for `stuck_replayed`, into the directory that `TERARCHITECT_RECORD_DIR` names, if any.
    pub fn record(&self, name: &str, about: &str, stuck: Option<&str>) {
        let Some(directory) = std::env::var_os("TERARCHITECT_RECORD_DIR") else { return };
        let mut lines = vec![serde_json::json!({ "event": "about", "text": about, "stuck": stuck })];
        lines.extend(self.events.0.lock().unwrap().iter().filter_map(line_of));
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let text = text.replace(self.work("").to_str().unwrap().trim_end_matches('/'), "/workspace");
        std::fs::write(Path::new(&directory).join(name).with_extension("jsonl"), text).unwrap();
    }

    /// The command lines of all living processes that belong to this place's agent.
    pub fn processes(&self) -> Vec<(i32, String)> {
        let mark = format!("TMPDIR={}", self.root.path().join("state/tmp").display()).into_bytes();
        let pids = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.filter_map(|pid| {
            let environ = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
            environ.split(|&byte| byte == 0).any(|variable| variable == mark).then_some(())?;
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            Some((pid, String::from_utf8_lossy(&command).replace('\0', " ").trim().to_owned()))
        })
        .collect()
    }
}

/// Keeps the events that it receives.
#[derive(Default)]
pub struct Events(Mutex<Vec<AgentEvent>>);

impl ProgressSink for Events {
    fn event(&self, event: AgentEvent) {
        self.0.lock().unwrap().push(event);
    }
}

impl Events {
    /// How the agent was found to be stuck, in order, with what was tried then.
    pub fn stuck(&self) -> Vec<(Kind, Remedy)> {
        let events = self.0.lock().unwrap();
        let stuck = events.iter().filter_map(|event| match event {
            AgentEvent::Stuck { found, remedy } => Some((found.kind, *remedy)),
            _ => None,
        });
        stuck.collect()
    }

    /// Waits until an event of this kind was seen.
    pub async fn wait_for(&self, what: &str, is_it: impl Fn(&AgentEvent) -> bool) {
        eventually(what, || self.0.lock().unwrap().iter().any(&is_it)).await;
    }
}

/// An event as a line of a record.
fn line_of(event: &AgentEvent) -> Option<Value> {
    match event {
        AgentEvent::ToolFinished(call) => {
            let seen = Seen::Call(Call {
                name: [Some(call.name.clone()), call.title.clone()].into_iter().flatten().collect::<Vec<_>>().join(" "),
                input: call.input.clone(),
                output: call.output.clone(),
                failed: matches!(call.status, ToolStatus::Failed { .. }),
                took_ms: call.took.map_or(0, |took| u64::try_from(took.as_millis()).unwrap()),
            });
            Some(serde_json::to_value(seen).unwrap())
        }
        AgentEvent::Compacted => Some(serde_json::to_value(Seen::Compacted).unwrap()),
        _ => None,
    }
}

/// Waits until it is so, for a bounded time.
pub async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited too long for: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A wire that can be cut: all connections at once. New ones work again.
pub struct Proxy {
    pub address: SocketAddr,
    cuts: watch::Sender<u32>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cuts, cut) = watch::channel(0);
        let accepting = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut cut = cut.clone();
                cut.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(target).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { address, cuts, accepting }
    }

    pub fn cut(&self) {
        self.cuts.send_modify(|count| *count += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
