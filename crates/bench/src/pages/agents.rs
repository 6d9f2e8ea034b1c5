//! Agents at work on one host: they log, finish, and claim the next ticket, so that the host's slots are nearly always taken.

use crate::api::{Api, cpu_seconds};
use crate::http::Connection;
use anyhow::Context;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;

const AGENTS: usize = 20;
/// Between two log entries of all agents together.
const BETWEEN_ENTRIES: Duration = Duration::from_millis(100);
/// Every so many entries a job ends and the next one is claimed.
const ENTRIES_PER_JOB: usize = 20;
/// As a coordinator does.
const BETWEEN_HEARTBEATS: Duration = Duration::from_secs(15);
const WORKER: &str = "bench";

/// The agents of one host.
pub(super) struct Agents {
    connection: Connection,
    pub(super) project: String,
    jobs: Vec<Value>,
    entries: usize,
    beat: Instant,
}

impl Agents {
    /// Fills the host's slots.
    pub(super) async fn start(address: SocketAddr) -> anyhow::Result<Self> {
        let connection = Connection::open(address).await?;
        let mut agents =
            Self { connection, project: String::new(), jobs: Vec::new(), entries: 0, beat: Instant::now() };
        for _ in 0..AGENTS {
            agents.claim().await?;
        }
        agents.project = agents.jobs[0]["project_id"].as_str().context("no project")?.to_owned();
        agents.heartbeat().await?;
        Ok(agents)
    }

    async fn claim(&mut self) -> anyhow::Result<()> {
        let job = self.connection.post("/api/worker/jobs/start", &json!({"worker_id": WORKER})).await?.json(200)?;
        self.jobs.push(job);
        Ok(())
    }

    async fn heartbeat(&mut self) -> anyhow::Result<()> {
        let held: Vec<_> =
            self.jobs.iter().map(|job| json!({"job_id": job["job_id"], "attempt": job["attempt"]})).collect();
        let beat = json!({"worker_id": WORKER, "slots": AGENTS, "jobs": held});
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
        self.entries += 1;
        let job = self.jobs[self.entries % self.jobs.len()].clone();
        let text = |field: &str| job[field].as_str().unwrap_or_default().to_owned();
        let ticket = format!("/api/projects/{}/tickets/{}", self.project, text("ticket_id"));
        let entry =
            json!({"session_id": "bench", "step": "turn", "summary": format!("Entry {} of this agent", self.entries)});
        self.connection.post(&format!("{ticket}/logs"), &entry).await?.json(200)?;
        if self.entries.is_multiple_of(ENTRIES_PER_JOB) {
            let address = format!("https://github.com/demo/hello/pull/{}", self.entries);
            let done = json!({"pr_url": address, "pr_number": self.entries});
            self.connection.post(&format!("{ticket}/complete"), &done).await?.json(200)?;
            let report = json!({"attempt": job["attempt"], "worker_id": WORKER, "exit_code": 0});
            let path = format!("/api/worker/jobs/{}/complete", text("job_id"));
            self.connection.post(&path, &report).await?.json(200)?;
            self.jobs.retain(|other| other["job_id"] != job["job_id"]);
            self.claim().await?;
        }
        Ok(())
    }
}
