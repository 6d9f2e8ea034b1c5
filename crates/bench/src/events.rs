//! The event log: what it costs the queue, how fast an event reaches its readers, and what a thousand of them cost.

use crate::api::{Api, cpu_seconds, resident_bytes};
use crate::http::Connection;
use crate::queue::jobs_per_second;
use crate::report::{Figure, Reach, median, percentile, print_head};
use crate::seed::{self, Rows};
use anyhow::{Context, ensure};
use bytes::Bytes;
use http::Request;
use http::header::{ACCEPT, HOST};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use terarchitect_testbed::postgres::{Options, TestPostgres};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How many readers measure; the others only read.
const PROBES: usize = 20;
/// Between two changes that the readers wait for.
const BETWEEN: Duration = Duration::from_millis(25);

/// Measures everything. Always returns true: no figure makes a bench fail.
pub(crate) async fn run(programs: &Path, short: bool) -> anyhow::Result<bool> {
    let settings = "-c shared_buffers=512MB -c max_wal_size=8GB -c checkpoint_timeout=30min".to_owned();
    let postgres = TestPostgres::start(&Options { durable: true, settings })?;
    let template = seed::empty(&postgres).await?;
    print_head();
    cost_for_the_queue(programs, &postgres, &template, short).await?;
    readers(programs, &postgres, &template, short).await?;
    Ok(true)
}

/// The queue's throughput with the log on, against the same with the log off.
async fn cost_for_the_queue(
    programs: &Path,
    postgres: &TestPostgres,
    template: &str,
    short: bool,
) -> anyhow::Result<()> {
    let pending = if short { 10_000 } else { 100_000 };
    let rows = Rows { finished: 0, pending, projects: 1, limit: None, tickets: 0 };
    let filled = seed::filled(postgres, template, rows).await?;
    let (rounds, time) = if short { (1, Duration::from_secs(1)) } else { (5, Duration::from_secs(5)) };
    for connections in [32, 1] {
        let mut rates: [Vec<f64>; 2] = Default::default();
        // Interleaved, and each first in turn, so that other load on the machine affects both alike.
        for round in 0..rounds {
            for place in [round % 2, 1 - round % 2] {
                let database = postgres.create_database(Some(&filled))?;
                if place == 1 {
                    let mut conn = seed::connect(postgres, &database).await?;
                    let off = format!("alter database {database} set terarchitect.events = 'off'");
                    sqlx::raw_sql(sqlx::AssertSqlSafe(off)).execute(&mut conn).await.context("could not switch off")?;
                }
                let api = Api::start(programs, &postgres.url(&database), 0, &[]).await?;
                rates[place].push(jobs_per_second(api.address, connections, time).await?);
                drop(api);
                postgres.drop_database(&database)?;
            }
        }
        let [on, off] = rates.map(|values| median(&values));
        Figure {
            what: format!("queue's throughput with the log on, against off, {connections} connections"),
            value: on / off,
            unit: "×",
            reach: Reach::AtLeast(0.9),
            detail: format!(
                "{on:.0} jobs/s on, {off:.0} jobs/s off; medians of {rounds} times {} s, no readers",
                time.as_secs()
            ),
        }
        .print();
    }
    Ok(())
}

/// How fast events reach readers, and what many readers cost.
async fn readers(programs: &Path, postgres: &TestPostgres, template: &str, short: bool) -> anyhow::Result<()> {
    let (count, changes) = if short { (100, 40) } else { (1_000, 400) };
    let database = postgres.create_database(Some(template))?;
    let api = Api::start(programs, &postgres.url(&database), 0, &[]).await?;
    let mut load = Connection::open(api.address).await?;
    let body = json!({"name": "Bench", "github_url": "https://github.com/demo/hello", "is_existing_repo": true});
    let project = load.post("/api/projects", &body).await?.json(201)?;
    let path = format!("/api/projects/{}/tickets", project["id"].as_str().context("no project")?);
    let idle = resident_bytes(api.pid())?;
    for wanted in [PROBES, count] {
        let (arrivals, mut arrived) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        for place in 0..wanted {
            let stream = open_stream(api.address).await?;
            tasks.spawn(follow(stream, (place < PROBES).then(|| arrivals.clone())));
        }
        drop(arrivals);
        let (cpu, began) = (cpu_seconds(api.pid(), false)?, Instant::now());
        let mut sent = Vec::new();
        for number in 0..changes {
            sent.push(Instant::now());
            let ticket = json!({"title": format!("probe-{number}."), "column_id": "backlog"});
            load.post(&path, &ticket).await?.json(201)?;
            tokio::time::sleep(BETWEEN).await;
        }
        let mut waits = Vec::new();
        while waits.len() < sent.len() * PROBES {
            let next = tokio::time::timeout(Duration::from_secs(20), arrived.recv()).await;
            let (number, at): (usize, Instant) = next.context("events did not arrive")?.context("the readers ended")?;
            let begin = sent.get(number).context("an event of another change")?;
            waits.push(at.duration_since(*begin).as_secs_f64() * 1e3);
        }
        let share = 100.0 * (cpu_seconds(api.pid(), false)? - cpu) / began.elapsed().as_secs_f64();
        let resident = resident_bytes(api.pid())?;
        print_readers(wanted, &waits, share, resident, idle, began.elapsed());
        tasks.shutdown().await;
    }
    drop(api);
    postgres.drop_database(&database)?;
    Ok(())
}

fn print_readers(readers: usize, waits: &[f64], share: f64, resident: u64, idle: u64, time: Duration) {
    let events = waits.len() / PROBES;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let figure = |what: String, value: f64, unit: &'static str, reach: f64, detail: String| {
        Figure { what, value, unit, reach: Reach::AtMost(reach), detail }.print();
    };
    figure(
        format!("change → reader, p99, {readers} readers"),
        percentile(waits, 0.99),
        "ms",
        50.0,
        format!(
            "from sending the change, its commit included; p50 {:.1} ms; {events} changes, {PROBES} readers measure",
            median(waits)
        ),
    );
    let rate = events as f64 / time.as_secs_f64();
    let detail = format!("{rate:.0} events/s to each reader");
    figure(format!("the API's CPU with {readers} readers"), share, "% of one core", 50.0, detail);
    let detail = format!("{:.1} MiB without readers", mib(idle));
    figure(format!("the API resident with {readers} readers"), mib(resident), "MiB", 128.0, detail);
}

type Stream = http::Response<hyper::body::Incoming>;

async fn open_stream(address: SocketAddr) -> anyhow::Result<Stream> {
    let stream = TcpStream::connect(address).await.context("could not connect")?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.context("could not connect")?;
    tokio::spawn(async move {
        // The stream's end says that it has ended.
        let _ = connection.await;
    });
    let request = Request::get("/api/events").header(HOST, address.to_string()).header(ACCEPT, "text/event-stream");
    let request = request.body(Empty::<Bytes>::new()).context("could not build the request")?;
    let mut response = sender.send_request(request).await.context("no response")?;
    ensure!(response.status().is_success(), "the status is {}", response.status());
    // The first part says that the reader follows.
    response.body_mut().frame().await.context("the stream ended")?.context("the stream broke off")?;
    Ok(response)
}

/// Reads until it is stopped, and reports when each change arrived, if it should.
async fn follow(mut stream: Stream, arrivals: Option<mpsc::UnboundedSender<(usize, Instant)>>) {
    while let Some(Ok(frame)) = stream.body_mut().frame().await {
        let (Some(arrivals), Some(data)) = (&arrivals, frame.data_ref()) else { continue };
        let at = Instant::now();
        let text = String::from_utf8_lossy(data);
        for (place, mark) in text.match_indices("probe-") {
            let digits = text[place + mark.len()..].split('.').next().unwrap_or_default();
            if let Ok(number) = digits.parse() {
                let _ = arrivals.send((number, at));
            }
        }
    }
}
