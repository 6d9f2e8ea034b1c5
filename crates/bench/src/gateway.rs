//! What the gateway to models costs: time until the first part of an answer, processor and memory.
//!
//! The gateway runs in a process of its own, as it does in a container, and the same calls go to the same server once
//! through it and once directly.

use crate::api::{cpu_seconds, resident_bytes};
use crate::report::{Figure, Reach, median, percentile, print_head};
use anyhow::{Context, ensure};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use secrecy::ExposeSecret;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};
use terarchitect_agent_runner::gateway::{Gateway, Upstream};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

/// How often the server sends a part of an answer: as fast as fast models write.
const PART_EVERY: Duration = Duration::from_millis(10);
/// A question of a long conversation.
const QUESTION_BYTES: usize = 100 * 1024;

/// Runs the gateway alone until its standard input ends: the process that is measured.
pub(crate) async fn serve(upstream: &str) -> anyhow::Result<bool> {
    let base = upstream.parse().context("the upstream is not an address")?;
    let (patience, silence) = (Duration::from_secs(5), Duration::from_secs(60));
    let gateway = Gateway::start([Upstream { name: "agent", base, key: None, model: None, patience, silence }]).await?;
    let entrance = gateway.entrance("agent").context("there is no entrance")?;
    let placeholder = entrance.placeholder.expose_secret().to_owned();
    println!("{} {placeholder}", entrance.base);
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(true)
}

/// Measures everything; no figure makes a bench fail.
pub(crate) async fn run(short: bool) -> anyhow::Result<bool> {
    let (rounds, streams, parts) = if short { (20, 2, 50) } else { (500, 20, 1_000) };
    let server = server(parts).await?;
    let (gateway, through) = spawn(server).await?;
    let pid = gateway.id().context("the gateway has ended")?;
    let direct = Way { address: server, path: "/v1/chat/completions?parts=1".to_owned(), key: String::new() };
    let short_answer = Way { path: format!("{}/chat/completions?parts=1", through.path), ..through.clone() };

    // In turn, so that both see the same machine.
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (mut behind, mut before) = (short_answer.open().await?, direct.open().await?);
    for _ in 0..rounds {
        theirs.push(direct.ask(&mut before).await?.as_secs_f64() * 1e3);
        ours.push(short_answer.ask(&mut behind).await?.as_secs_f64() * 1e3);
    }
    let idle = resident_bytes(pid)?;
    let begun = (Instant::now(), cpu_seconds(pid, false)?);
    let mut calls = JoinSet::new();
    for _ in 0..streams {
        let way = Way { path: format!("{}/chat/completions", through.path), ..through.clone() };
        calls.spawn(async move {
            let mut connection = way.open().await?;
            way.ask(&mut connection).await
        });
    }
    let mut resident = idle;
    while let Some(call) = calls.join_next().await {
        call??;
        resident = resident.max(resident_bytes(pid)?);
    }
    let (took, cpu) = (begun.0.elapsed().as_secs_f64(), cpu_seconds(pid, false)? - begun.1);
    drop(gateway);

    print_head();
    let added: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours - theirs).collect();
    for (what, share) in [("median", 0.5), ("p90", 0.9)] {
        Figure {
            what: format!("time that the gateway adds to a call, {what}"),
            value: percentile(&added, share),
            unit: "ms",
            reach: Reach::AtMost(1.0),
            detail: format!(
                "{rounds} calls of {} KiB in pairs; directly {:.2} ms",
                QUESTION_BYTES / 1024,
                median(&theirs)
            ),
        }
        .print();
    }
    Figure {
        what: "processor for a streamed call".to_owned(),
        value: 100.0 * cpu / took / f64::from(streams),
        unit: "% of a core",
        reach: Reach::AtMost(2.0),
        detail: format!("{streams} calls at once, each a part every {} ms", PART_EVERY.as_millis()),
    }
    .print();
    Figure {
        what: "resident memory of the gateway".to_owned(),
        value: resident as f64 / f64::from(1 << 20),
        unit: "MiB",
        reach: Reach::AtMost(15.0),
        detail: format!(
            "a process of its own with {streams} calls; {:.1} MiB before them",
            idle as f64 / f64::from(1 << 20)
        ),
    }
    .print();
    Ok(true)
}

/// Where calls go.
#[derive(Clone, Debug)]
struct Way {
    address: SocketAddr,
    path: String,
    key: String,
}

type Sender = hyper::client::conn::http1::SendRequest<Full<Bytes>>;

impl Way {
    async fn open(&self) -> anyhow::Result<Sender> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }

    /// Asks, and reads the whole answer; returns how long that took.
    async fn ask(&self, sender: &mut Sender) -> anyhow::Result<Duration> {
        let body = format!(
            "{{\"model\":\"m\",\"stream\":true,\"stream_options\":{{\"include_usage\":true}},\"messages\":[{{\"role\":\"user\",\"content\":\"{}\"}}]}}",
            "x".repeat(QUESTION_BYTES)
        );
        let request = http::Request::post(&self.path)
            .header(http::header::HOST, self.address.to_string())
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, format!("Bearer {}", self.key))
            .body(Full::new(Bytes::from(body)))?;
        sender.ready().await?;
        let begun = Instant::now();
        let response: http::Response<Incoming> = sender.send_request(request).await?;
        ensure!(response.status().is_success(), "the call was refused with {}", response.status());
        let answer = response.into_body().collect().await?.to_bytes();
        ensure!(answer.ends_with(b"data: [DONE]\n\n"), "the answer is not whole");
        Ok(begun.elapsed())
    }
}

async fn spawn(server: SocketAddr) -> anyhow::Result<(Child, Way)> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["gateway-alone", "--upstream", &format!("http://{server}/v1")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("could not start the gateway")?;
    let stdout = child.stdout.take().context("the gateway has no output")?;
    let line = BufReader::new(stdout).lines().next_line().await?.context("the gateway ended at once")?;
    let (base, key) = line.split_once(' ').context("the gateway did not say where it is")?;
    let rest = base.strip_prefix("http://").context("the gateway's address has no scheme")?;
    let (address, path) = rest.split_once('/').context("the gateway's address has no path")?;
    let way = Way { address: address.parse()?, path: format!("/{path}"), key: key.to_owned() };
    Ok((child, way))
}

/// A model that writes as long as it is asked to: `parts=` in the query, or else `parts`.
async fn server(parts: u32) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move { answer(stream, parts).await });
        }
    });
    Ok(address)
}

async fn answer(stream: TcpStream, parts: u32) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let (reading, mut writing) = stream.into_split();
    let mut reading = BufReader::new(reading);
    loop {
        let (mut parts, mut length) = (parts, 0_usize);
        loop {
            let mut line = String::new();
            if reading.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let lower = line.to_ascii_lowercase();
            if lower.contains("parts=1 ") {
                parts = 1;
            }
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        reading.read_exact(&mut vec![0; length]).await?;
        writing
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            .await?;
        let mut clock = tokio::time::interval(PART_EVERY);
        for part in 0..parts {
            if part > 0 {
                clock.tick().await;
            }
            let text = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"finish_reason\":null}]}\n\n";
            writing.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).await?;
        }
        let end = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";
        writing.write_all(format!("{:x}\r\n{end}\r\n0\r\n\r\n", end.len()).as_bytes()).await?;
    }
}
