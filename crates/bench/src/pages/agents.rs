//! Agents at work on one host, and people who write tickets: agents log, finish, and claim the next ticket, so that the host's
//! slots are nearly always taken.

use crate::api::{Api, cpu_seconds};
use crate::http::Connection;
use anyhow::Context;
use http::Method;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;

const AGENTS: usize = 20;
/// Between two log entries of all agents together: each writes one a second.
const BETWEEN_ENTRIES: Duration = Duration::from_millis(50);
/// Every so many entries of all agents a job ends.
const ENTRIES_PER_JOB: usize = 40;
/// So many of its entries belong to one turn of an agent.
const ENTRIES_PER_TURN: usize = 15;
/// How long a slot is free: its container is removed, and the next job is claimed.
const SLOT_FREE: Duration = Duration::from_millis(300);
/// As a coordinator does.
const BETWEEN_HEARTBEATS: Duration = Duration::from_secs(15);
/// Between two tickets that people write, and start.
const BETWEEN_TICKETS: Duration = Duration::from_secs(4);
const WORKER: &str = "bench";

/// A job that an agent works on.
struct Job {
    claimed: Value,
    entries: usize,
}

impl Job {
    fn text(&self, field: &str) -> &str {
        self.claimed[field].as_str().unwrap_or_default()
    }
}

/// The agents of one host.
pub(super) struct Agents {
    connection: Connection,
    /// A person's, who writes tickets.
    person: Connection,
    pub(super) project: String,
    jobs: VecDeque<Job>,
    /// When the slots of jobs that have ended are free again.
    free_at: VecDeque<Instant>,
    entries: usize,
    beat: Instant,
    ticket: Instant,
}

impl Agents {
    /// Fills the host's slots. The cookie is that of someone who may write tickets.
    pub(super) async fn start(address: SocketAddr, cookie: String) -> anyhow::Result<Self> {
        let connection = Connection::open(address).await?;
        let person = Connection::open(address).await?.with_cookie(cookie);
        let (project, now) = (String::new(), Instant::now());
        let (jobs, free_at) = (VecDeque::new(), VecDeque::new());
        let mut agents = Self { connection, person, project, jobs, free_at, entries: 0, beat: now, ticket: now };
        for _ in 0..AGENTS {
            agents.claim().await?;
        }
        agents.project = agents.jobs[0].text("project_id").to_owned();
        agents.heartbeat().await?;
        Ok(agents)
    }

    /// The tickets that the agents work on.
    pub(super) fn tickets(&self) -> Vec<String> {
        self.jobs.iter().map(|job| job.text("ticket_id").to_owned()).collect()
    }

    async fn claim(&mut self) -> anyhow::Result<()> {
        let claim = json!({"worker_id": WORKER});
        let claimed = self.connection.post("/api/worker/jobs/start", &claim).await?.json(200)?;
        self.jobs.push_back(Job { claimed, entries: 0 });
        Ok(())
    }

    async fn heartbeat(&mut self) -> anyhow::Result<()> {
        let held = self
            .jobs
            .iter()
            .map(|Job { claimed, .. }| json!({"job_id": claimed["job_id"], "attempt": claimed["attempt"]}));
        let beat = json!({"worker_id": WORKER, "slots": AGENTS, "jobs": held.collect::<Vec<_>>()});
        self.connection.post("/api/worker/heartbeat", &beat).await?.json(200)?;
        self.beat = Instant::now();
        Ok(())
    }

    /// Works for this long, and returns the API's share of a core meanwhile.
    pub(super) async fn work(&mut self, api: &Api, time: Duration) -> anyhow::Result<f64> {
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
        if self.beat.elapsed() >= BETWEEN_HEARTBEATS {
            self.heartbeat().await?;
        }
        if self.ticket.elapsed() >= BETWEEN_TICKETS {
            self.write_ticket().await?;
        }
        if self.free_at.front().is_some_and(|at| *at <= Instant::now()) {
            self.free_at.pop_front();
            self.claim().await?;
        }
        // One agent after the other.
        let mut job = self.jobs.pop_front().context("no job is left")?;
        self.entry(&mut job).await?;
        self.entries += 1;
        if self.entries.is_multiple_of(ENTRIES_PER_JOB) {
            self.finish(&job).await?;
            self.free_at.push_back(Instant::now() + SLOT_FREE);
        } else {
            self.jobs.push_back(job);
        }
        Ok(())
    }

    fn path(&self, job: &Job) -> String {
        format!("/api/projects/{}/tickets/{}", self.project, job.text("ticket_id"))
    }

    /// What a runner writes: that a turn has begun, and each call of a tool in it.
    async fn entry(&mut self, job: &mut Job) -> anyhow::Result<()> {
        let turn = job.entries / ENTRIES_PER_TURN + 1;
        let begins = job.entries.is_multiple_of(ENTRIES_PER_TURN);
        job.entries += 1;
        let mut entry = if begins {
            json!({"step": "turn", "summary": format!("Turn {turn} begins."),
                "data": {"kind": "turn_started", "phase": "execution", "turn": turn, "prompt_bytes": 4000, "messages": []}})
        } else {
            json!({"step": "tool", "summary": format!("bash: cargo test, call {}", self.entries), "raw_output": "x".repeat(2_000),
                "data": {"kind": "tool", "phase": "execution", "turn": turn, "tool": "bash", "title": "cargo test",
                    "status": "completed", "took_ms": 900}})
        };
        entry["session_id"] = json!(format!("bench-{}", job.text("job_id")));
        let path = format!("{}/logs", self.path(job));
        self.connection.post(&path, &entry).await?.json(200)?;
        Ok(())
    }

    /// Opens the pull request, and reports the end.
    async fn finish(&mut self, job: &Job) -> anyhow::Result<()> {
        let address = format!("https://github.com/demo/hello/pull/{}", self.entries);
        let done = json!({"pr_url": address, "pr_number": self.entries});
        let path = format!("{}/complete", self.path(job));
        self.connection.post(&path, &done).await?.json(200)?;
        let report = json!({"attempt": job.claimed["attempt"], "worker_id": WORKER, "exit_code": 0});
        let path = format!("/api/worker/jobs/{}/complete", job.text("job_id"));
        self.connection.post(&path, &report).await?.json(200)?;
        Ok(())
    }

    /// A person writes a ticket, and moves it to where agents take it from.
    async fn write_ticket(&mut self) -> anyhow::Result<()> {
        self.ticket = Instant::now();
        let path = format!("/api/projects/{}/tickets", self.project);
        let ticket = json!({"title": "Written meanwhile", "column_id": "backlog"});
        let made = self.person.post(&path, &ticket).await?.json(201)?;
        let path = format!("{path}/{}", made["id"].as_str().context("the ticket has no id")?);
        let moved = json!({"column_id": "in_progress"}).to_string();
        self.person.send(Method::PATCH, &path, moved).await?.json(200)?;
        Ok(())
    }
}
