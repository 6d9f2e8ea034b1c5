//! What open pages cost the API: two hundred of them on a board on which twenty agents work.

use crate::api::{Api, cpu_seconds, resident_bytes};
use crate::http::Connection;
use crate::report::{Figure, Reach, print_head};
use crate::seed::{self, Rows};
use anyhow::{Context, ensure};
use bytes::Bytes;
use http::header::{ACCEPT, HOST};
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use terarchitect_testbed::postgres::{Options, TestPostgres};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

const TICKETS: u32 = 2_000;
const AGENTS: usize = 20;
/// Between two log entries of all agents together.
const BETWEEN_ENTRIES: Duration = Duration::from_millis(100);
/// Every so many entries a job ends and the next one is claimed.
const ENTRIES_PER_JOB: usize = 20;
/// A page loads the same list again at most this often (web/src/live/refresh.ts).
const LIST_EVERY: Duration = Duration::from_millis(2_500);

/// Measures everything. Always returns true: no figure makes a bench fail.
pub(crate) async fn run(programs: &Path, short: bool) -> anyhow::Result<bool> {
    let (pages, time) = if short { (20, Duration::from_secs(4)) } else { (200, Duration::from_secs(60)) };
    let postgres = TestPostgres::start(&Options { durable: true, settings: String::new() })?;
    let template = seed::empty(&postgres).await?;
    let rows = Rows { finished: 0, pending: 400, projects: 1, limit: None, tickets: TICKETS - 400 };
    let database = seed::filled(&postgres, &template, rows).await?;
    let api = Api::start(programs, &postgres.url(&database), 0, &[]).await?;
    let mut agents = Agents::start(api.address).await?;
    print_head();
    // Once without pages: what the agents alone cost.
    let alone = agents.work(&api, time).await?;
    let idle = resident_bytes(api.pid())?;
    let (seen, mut open) = (Arc::new(Seen::default()), JoinSet::new());
    for _ in 0..pages {
        open.spawn(Page::open(api.address, &agents.project, seen.clone()).await?.live());
    }
    let with = agents.work(&api, time).await?;
    ensure!(open.try_join_next().is_none(), "a page lost its stream");
    let resident = resident_bytes(api.pid())?;
    let (cards, lists) = (seen.cards.load(Ordering::Relaxed), seen.lists.load(Ordering::Relaxed));
    ensure!(cards > 0, "no card reached a page");
    let per_second = |count: u64| count as f64 / time.as_secs_f64();
    Figure {
        what: format!("{pages} open pages on a busy board: the API's CPU"),
        value: 100.0 * (with - alone),
        unit: "% of one core",
        reach: Reach::AtMost(10.0),
        detail: format!(
            "{:.1} % with them, {:.1} % without; {AGENTS} agents write {:.0} entries/s on {TICKETS} tickets; {:.0} cards/s \
             and {:.0} lists/s to all pages together",
            100.0 * with,
            100.0 * alone,
            1.0 / BETWEEN_ENTRIES.as_secs_f64(),
            per_second(cards),
            per_second(lists)
        ),
    }
    .print();
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    Figure {
        what: format!("{pages} open pages on a busy board: the API's memory"),
        value: mib(resident.saturating_sub(idle)),
        unit: "MiB",
        reach: Reach::AtMost(100.0),
        detail: format!("{:.1} MiB resident, {:.1} MiB without pages", mib(resident), mib(idle)),
    }
    .print();
    open.shutdown().await;
    drop(api);
    postgres.drop_database(&database)?;
    Ok(true)
}

/// Agents at work: they claim, log and complete.
struct Agents {
    connection: Connection,
    project: String,
    jobs: Vec<Value>,
    entries: usize,
}

impl Agents {
    async fn start(address: SocketAddr) -> anyhow::Result<Self> {
        let mut connection = Connection::open(address).await?;
        let projects = connection.send(Method::GET, "/api/projects", String::new()).await?.json(200)?;
        let project = projects[0]["id"].as_str().context("no project")?.to_owned();
        let mut agents = Self { connection, project, jobs: Vec::new(), entries: 0 };
        for _ in 0..AGENTS {
            agents.claim().await?;
        }
        Ok(agents)
    }

    async fn claim(&mut self) -> anyhow::Result<()> {
        let job = self.connection.post("/api/worker/jobs/start", &json!({"worker_id": "bench"})).await?.json(200)?;
        self.jobs.push(job);
        Ok(())
    }

    /// Works for this long, and returns the API's share of a core meanwhile.
    async fn work(&mut self, api: &Api, time: Duration) -> anyhow::Result<f64> {
        let (began, cpu) = (Instant::now(), cpu_seconds(api.pid(), false)?);
        let mut next = began;
        while began.elapsed() < time {
            self.step().await?;
            next += BETWEEN_ENTRIES;
            tokio::time::sleep_until(next).await;
        }
        Ok((cpu_seconds(api.pid(), false)? - cpu) / began.elapsed().as_secs_f64())
    }

    async fn step(&mut self) -> anyhow::Result<()> {
        self.entries += 1;
        let job = self.jobs[self.entries % self.jobs.len()].clone();
        let text = |field: &str| job[field].as_str().unwrap_or_default().to_owned();
        let path = format!("/api/projects/{}/tickets/{}/logs", self.project, text("ticket_id"));
        let entry =
            json!({"session_id": "bench", "step": "turn", "summary": format!("Entry {} of this agent", self.entries)});
        self.connection.post(&path, &entry).await?.json(200)?;
        if self.entries.is_multiple_of(ENTRIES_PER_JOB) {
            let report = json!({"attempt": job["attempt"], "worker_id": "bench", "exit_code": 0});
            let path = format!("/api/worker/jobs/{}/complete", text("job_id"));
            self.connection.post(&path, &report).await?.json(200)?;
            self.jobs.retain(|other| other["job_id"] != job["job_id"]);
            self.claim().await?;
        }
        Ok(())
    }
}

/// What all pages received.
#[derive(Debug, Default)]
struct Seen {
    cards: AtomicU64,
    lists: AtomicU64,
}

/// An open page: its stream, and the connection on which it loads lists again.
struct Page {
    stream: http::Response<hyper::body::Incoming>,
    lists: Connection,
    seen: Arc<Seen>,
}

impl Page {
    async fn open(address: SocketAddr, project: &str, seen: Arc<Seen>) -> anyhow::Result<Self> {
        let mut lists = Connection::open(address).await?;
        for path in [format!("/api/projects/{project}/board"), "/api/summary".into(), "/api/inbox".into()] {
            lists.send(Method::GET, &path, String::new()).await?.json(200)?;
        }
        let stream = TcpStream::connect(address).await.context("could not connect")?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.context("could not connect")?;
        tokio::spawn(async move {
            // The stream's end says that it has ended.
            let _ = connection.await;
        });
        let request = Request::get("/api/events?cards=true").header(HOST, address.to_string());
        let request = request.header(ACCEPT, "text/event-stream").body(Empty::<Bytes>::new());
        let mut stream =
            sender.send_request(request.context("could not build the request")?).await.context("no response")?;
        ensure!(stream.status().is_success(), "the status is {}", stream.status());
        stream.body_mut().frame().await.context("the stream ended")?.context("the stream broke off")?;
        Ok(Self { stream, lists, seen })
    }

    /// Follows until it is stopped, or its stream ends.
    async fn live(mut self) {
        let mut loaded = Instant::now();
        let mut stale = false;
        loop {
            let frame = tokio::select! {
                frame = self.stream.body_mut().frame() => frame,
                () = tokio::time::sleep_until(loaded + LIST_EVERY), if stale => {
                    (stale, loaded) = (false, Instant::now());
                    for path in ["/api/summary", "/api/inbox"] {
                        if self.lists.send(Method::GET, path, String::new()).await.is_err() {
                            return;
                        }
                        self.seen.lists.fetch_add(1, Ordering::Relaxed);
                    }
                    continue;
                }
            };
            let Some(Ok(frame)) = frame else { return };
            let Some(data) = frame.data_ref() else { continue };
            let text = String::from_utf8_lossy(data);
            let cards = text.matches("event: card").count() as u64;
            self.seen.cards.fetch_add(cards, Ordering::Relaxed);
            stale |=
                ["\"kind\":\"job.", "\"kind\":\"attempt.", "\"kind\":\"ticket."].iter().any(|kind| text.contains(kind));
        }
    }
}
