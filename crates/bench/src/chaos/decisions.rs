//! A person who decides about checkpoints at random times while everything is broken, and what must hold for the jobs that wait.

use crate::http::{Connection, HttpResponse};
use anyhow::Context;
use http::Method;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long one call may take: a decision whose answer is late is made again.
const PATIENCE: Duration = Duration::from_secs(15);

/// The person, until it is dropped.
pub(super) struct Decisions {
    task: JoinHandle<()>,
    counts: Counts,
}

type Counts = Arc<Mutex<BTreeMap<&'static str, u64>>>;

/// A held job that had a worker or a lease.
const HELD_WITH_SLOT: &str = "jobs that waited with a slot or a lease";

struct Person {
    addresses: Vec<SocketAddr>,
    key: Option<String>,
    rng: StdRng,
    counts: Counts,
}

impl Decisions {
    /// Starts to decide about all checkpoints, at any of these addresses.
    pub(super) fn start(addresses: Vec<SocketAddr>, key: Option<&str>, seed: u64) -> Self {
        let counts = Counts::default();
        let rng = StdRng::seed_from_u64(seed);
        let mut person = Person { addresses, key: key.map(str::to_owned), rng, counts: counts.clone() };
        let task = tokio::spawn(async move {
            loop {
                let pause = person.rng.random_range(20..400);
                tokio::time::sleep(Duration::from_millis(pause)).await;
                // Without the API there is nothing to decide.
                let _ = person.look().await;
            }
        });
        Self { task, counts }
    }

    /// Ends it, prints what was decided, and returns what must be zero.
    pub(super) async fn end(&self, conn: &mut PgConnection) -> anyhow::Result<Vec<(&'static str, i64)>> {
        self.task.abort();
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (what, number) in &counts {
            println!("{number:>8}  {what}");
        }
        let held: i64 = sqlx::query_scalar("select count(*) from agent_job_attempts where reported = 'held'")
            .fetch_one(&mut *conn)
            .await
            .context("could not count the attempts that were held")?;
        println!("{held:>8}  attempts that handed their job over");
        let with_slot = counts.get(HELD_WITH_SLOT).copied().unwrap_or(0);
        let mut lines =
            vec![("no attempt handed its job over", i64::from(held == 0)), (HELD_WITH_SLOT, i64::try_from(with_slot)?)];
        for (what, sql) in ZERO {
            let number = sqlx::query_scalar(sql)
                .fetch_one(&mut *conn)
                .await
                .with_context(|| format!("could not count: {sql}"))?;
            lines.push((what, number));
        }
        Ok(lines)
    }
}

impl Drop for Decisions {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What must be zero once every job has ended.
const ZERO: [(&str, &str); 4] = [
    ("checkpoints left open", "select count(*) from checkpoints where status = 'pending'"),
    (
        "jobs that a person rejected and that did not fail for it",
        "select count(distinct job.id) from checkpoints as asked join agent_jobs as job on job.id = asked.job_id
         where asked.status = 'rejected' and asked.decided_by is distinct from 'system'
           and job.outcome_reason is distinct from 'checkpoint_rejected' and job.cancel_requested_at is null",
    ),
    (
        "jobs that failed for a decision that was not made",
        "select count(*) from agent_jobs as job where outcome_reason like 'checkpoint%' and not exists (
             select from checkpoints where job_id = job.id and status = 'rejected' and decided_by <> 'system')",
    ),
    // What is counted decides how often a job is retried.
    (
        "holds that were counted as failures",
        "select count(*) from agent_jobs as job where outcome_reason not like 'checkpoint%' and failures <> (
             select count(*) from agent_job_attempts where job_id = job.id and outcome in ('retried', 'failed'))",
    ),
];

impl Person {
    fn count(&self, what: &'static str) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
    }

    async fn call(&mut self, method: Method, path: &str, body: &Value) -> anyhow::Result<HttpResponse> {
        let address = self.addresses[self.rng.random_range(0..self.addresses.len())];
        let calling = async {
            let mut connection = Connection::open(address).await?;
            if let Some(key) = &self.key {
                connection = connection.with_key(key);
            }
            connection.send(method, path, body.to_string()).await
        };
        tokio::time::timeout(PATIENCE, calling).await.context("no answer in time")?
    }

    /// Looks at what waits, and decides about some of it.
    async fn look(&mut self) -> anyhow::Result<()> {
        // Not the inbox, which ends after a thousand, and has what failed as well.
        let waiting = self.call(Method::GET, "/api/admin/agent-checkpoints?limit=50", &Value::Null).await?.json(200)?;
        for item in waiting["checkpoints"].as_array().into_iter().flatten() {
            if self.rng.random_bool(0.5) {
                self.decide(item["id"].as_str().unwrap_or_default()).await?;
            }
        }
        Ok(())
    }

    async fn decide(&mut self, id: &str) -> anyhow::Result<()> {
        let checkpoint = self.call(Method::GET, &format!("/api/checkpoints/{id}"), &Value::Null).await?.json(200)?;
        let job = checkpoint["job_id"].as_str().unwrap_or_default();
        let found = self.call(Method::GET, &format!("/api/jobs/{job}"), &Value::Null).await?.json(200)?;
        let waits = found["held_at"].is_string();
        if waits && !(found["worker_id"].is_null() && found["lease_expires_at"].is_null()) {
            self.count(HELD_WITH_SLOT);
        }
        let (what, path, body) = match self.rng.random_range(0..10) {
            0 => ("waiting jobs cancelled", format!("/api/jobs/{job}/cancel"), json!({})),
            1 | 2 => ("checkpoints rejected", format!("/api/checkpoints/{id}/reject"), json!({"reason": "chaos"})),
            _ => ("checkpoints approved", format!("/api/checkpoints/{id}/approve"), json!({})),
        };
        // Where the answer is lost, the next look shows whether it is still open.
        let decided = self.call(Method::POST, &path, &body).await?;
        match decided.status {
            200 => self.count(what),
            400 | 409 => self.count("decisions that came too late"),
            _ => {}
        }
        Ok(())
    }
}
