//! What hooks cost the agents that wait for them: many sessions at once, while the API is well, slow and away.

use crate::api::Api;
use crate::http::Connection;
use crate::report::{Figure, Reach, percentile, print_head};
use crate::seed;
use anyhow::{Context, ensure};
use http::Method;
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use terarchitect_testbed::postgres::{Options, TestPostgres};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// How long a slow API lets each request wait.
const SLOW: Duration = Duration::from_secs(1);
/// How long everything may take to arrive in the end.
const ARRIVAL: Duration = Duration::from_secs(180);
/// Each how manieth event is a stop of the agent.
const STOPS: usize = 10;
/// How the API is: the parts of the time, in their order.
const PARTS: [&str; 3] = ["up", "slow", "down"];

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Load {
    sessions: usize,
    /// Events of all sessions.
    events_a_second: f64,
    /// Of each part.
    part: Duration,
}

/// The path to the API that all hooks take.
struct Way {
    address: SocketAddr,
    part: Arc<AtomicU8>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Way {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Measures everything. A lost event is an error; no figure makes a bench fail.
pub(crate) async fn run(programs: &Path, short: bool) -> anyhow::Result<bool> {
    let load = if short {
        Load { sessions: 5, events_a_second: 20.0, part: Duration::from_secs(3) }
    } else {
        Load { sessions: 50, events_a_second: 500.0, part: Duration::from_secs(20) }
    };
    let postgres = TestPostgres::start(&Options { durable: true, settings: String::new() })?;
    let database = postgres.url(&seed::empty(&postgres).await?);
    let mut api = Api::start(programs, &database, 0, &[]).await?;
    let port = api.address.port();
    let orders = orders(api.address, load.sessions).await?;
    let way = way_to(api.address).await?;
    let spool = tempfile::tempdir().context("could not create a temporary directory")?;
    let mut sessions = JoinSet::new();
    for order in orders {
        let hook = Hook { order, url: format!("http://{}", way.address), spool: spool.path().to_owned() };
        sessions.spawn(session(hook, load, way.part.clone()));
    }
    for part in 0..3 {
        way.part.store(part, Ordering::SeqCst);
        if part == 2 {
            api.kill();
        }
        tokio::time::sleep(load.part).await;
    }
    way.part.store(3, Ordering::SeqCst);
    let _again = Api::start(programs, &database, port, &[]).await?;
    let mut all = Measured::default();
    while let Some(done) = sessions.join_next().await {
        all.add(done.context("a session failed")??);
    }
    let sent = all.sent;
    let arrived = arrived(&database, sent).await?;
    print_head();
    for (what, parts) in [("a hook", &all.logs), ("the hook of a stop", &all.stops)] {
        for (part, values) in PARTS.iter().zip(parts) {
            figure(what, part, values, load.sessions).print();
        }
    }
    Figure {
        what: "events lost over a restart of the API".to_owned(),
        value: 0.0,
        unit: "",
        reach: Reach::AtMost(0.0),
        detail: format!("{sent} were sent, and arrived {:.0} s after the last one at most", arrived.as_secs_f64()),
    }
    .print();
    Ok(true)
}

/// What was measured.
#[derive(Debug, Default)]
struct Measured {
    /// How many events were sent.
    sent: usize,
    /// How many milliseconds each hook took that only logs, by part.
    logs: [Vec<f64>; 3],
    /// The same of stops.
    stops: [Vec<f64>; 3],
}

impl Measured {
    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        let own = self.logs.iter_mut().chain(&mut self.stops);
        for (own, other) in own.zip(other.logs.into_iter().chain(other.stops)) {
            own.extend(other);
        }
    }
}

fn figure(what: &str, part: &str, values: &[f64], sessions: usize) -> Figure {
    Figure {
        what: format!("{what}'s own time, the API {part}: p99"),
        value: percentile(values, 0.99),
        unit: "ms",
        reach: Reach::AtMost(50.0),
        detail: format!("{} events of {sessions} sessions; median {:.1} ms", values.len(), percentile(values, 0.5)),
    }
}

async fn orders(api: SocketAddr, count: usize) -> anyhow::Result<Vec<String>> {
    let mut connection = Connection::open(api).await?;
    let mut orders = Vec::new();
    for _ in 0..count {
        let order = json!({"objective": "Bench", "source": "local", "lines": ["Never done"]}).to_string();
        let made = connection.send(Method::POST, "/api/v1/work-orders", order).await?.json(201)?;
        orders.push(made["work_order_id"].as_str().context("no order")?.to_owned());
    }
    Ok(orders)
}

/// What a session's hooks need.
struct Hook {
    order: String,
    url: String,
    spool: PathBuf,
}

/// One session: an event again and again, and sometimes a stop.
async fn session(hook: Hook, load: Load, part: Arc<AtomicU8>) -> anyhow::Result<Measured> {
    let event = json!({
        "conversation_id": hook.order, "generation_id": "g", "hook_event_name": "postToolUse", "tool_name": "Shell",
        "tool_input": {"command": "cargo test"}, "tool_output": "x".repeat(2_000), "cwd": "/w", "duration": 12
    })
    .to_string();
    let stop = json!({
        "conversation_id": hook.order, "generation_id": "g", "hook_event_name": "stop", "status": "completed", "loop_count": 0
    })
    .to_string();
    let mut clock = tokio::time::interval(Duration::from_secs_f64(load.sessions as f64 / load.events_a_second));
    clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut measured = Measured::default();
    loop {
        clock.tick().await;
        let now = usize::from(part.load(Ordering::SeqCst));
        if now >= PARTS.len() {
            return Ok(measured);
        }
        let begin = Instant::now();
        let is_stop = measured.sent % STOPS == STOPS - 1;
        if is_stop {
            fire(&hook, ["chytr-stop.sh", "cursor"], &stop).await?;
        } else {
            let said = fire(&hook, ["chytr-log.sh", "tool_call"], &event).await?;
            ensure!(said.is_empty(), "a hook that only logs says: {}", String::from_utf8_lossy(&said));
        }
        let took = begin.elapsed().as_secs_f64() * 1000.0;
        let parts = if is_stop { &mut measured.stops } else { &mut measured.logs };
        if let Some(of_part) = parts.get_mut(now) {
            of_part.push(took);
        }
        measured.sent += 1;
    }
}

/// Runs a hook with its argument as an agent does, waits for its end, and returns what it printed.
async fn fire(hook: &Hook, [script, argument]: [&str; 2], event: &str) -> anyhow::Result<Vec<u8>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../integrations/hooks").join(script);
    let mut child = tokio::process::Command::new("sh")
        .arg(script)
        .arg(argument)
        .env("CHYTR_URL", &hook.url)
        .env("CHYTR_API_KEY", "none-is-set")
        .env("WORK_ORDER_ID", &hook.order)
        .env("CHYTR_SPOOL", &hook.spool)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("could not start a hook")?;
    let mut stdin = child.stdin.take().context("no input")?;
    stdin.write_all(event.as_bytes()).await.context("the hook does not read")?;
    drop(stdin);
    let output = child.wait_with_output().await.context("could not wait for a hook")?;
    ensure!(output.status.success(), "a hook failed: {output:?}");
    Ok(output.stdout)
}

/// Waits until so many events are stored.
async fn arrived(database: &str, sent: usize) -> anyhow::Result<Duration> {
    use sqlx::Connection as _;
    let mut conn = sqlx::PgConnection::connect(database).await.context("could not connect to the database")?;
    let begin = Instant::now();
    loop {
        let stored: i64 = sqlx::query_scalar("select count(*) from execution_logs").fetch_one(&mut conn).await?;
        let stored = usize::try_from(stored).unwrap_or(0);
        ensure!(stored <= sent, "{stored} events are stored, but {sent} were sent");
        if stored == sent {
            return Ok(begin.elapsed());
        }
        ensure!(begin.elapsed() < ARRIVAL, "{} of {sent} events are lost", sent - stored);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Passes connections to the API: at once, or late while it is to be slow.
async fn way_to(api: SocketAddr) -> anyhow::Result<Way> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("could not listen")?;
    let address = listener.local_addr().context("could not listen")?;
    let part = Arc::new(AtomicU8::new(0));
    let shared = part.clone();
    let task = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let is_slow = shared.load(Ordering::SeqCst) == 1;
            tokio::spawn(async move {
                if is_slow {
                    tokio::time::sleep(SLOW).await;
                }
                // While the API is away, the connection just ends.
                if let Ok(mut server) = TcpStream::connect(api).await {
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
    });
    Ok(Way { address, part, task })
}
