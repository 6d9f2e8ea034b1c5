//! What the process counts, in Prometheus' text format at `GET /metrics`.
//!
//! Counters and histograms are this process's. What is read from the database (the queue's depth) is the same on every
//! replica, and rebuilt for every scrape: a deleted project has no series.

use crate::db::agent_tasks::Counts as JobCounts;
use crate::db::checkpoints::list::Counts as CheckpointCounts;
use crate::db::jobs::depth::ProjectDepth;
use crate::domain::jobs::attempt::AttemptOutcome;
use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use terarchitect_worker_api::Reason;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EndLabels {
    outcome: &'static str,
    reason: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabel {
    reason: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct HttpLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DepthLabels {
    project_id: String,
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ProjectLabel {
    project_id: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

/// The connections of the database's pool at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// Open ones.
    pub open: u32,
    /// Of these, the ones that nothing uses.
    pub idle: u32,
    /// The most that may be open.
    pub most: u32,
}

/// An ended attempt, as it is counted.
#[derive(Clone, Debug)]
pub struct AttemptEnd {
    /// What became of the job.
    pub outcome: AttemptOutcome,
    /// Why the attempt ended.
    pub reason: Reason,
    /// How long it was held.
    pub ran: Option<Duration>,
}

/// What the process counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    claims: Family<ResultLabel, Counter>,
    claim_wait: Histogram,
    waiting_claims: Gauge,
    claim_batches: Counter,
    completion_batches: Counter,
    ended: Family<EndLabels, Counter>,
    retries: Family<ReasonLabel, Counter>,
    lease_expiries: Counter,
    fenced: Counter,
    duration: Family<OutcomeLabel, Histogram>,
    http: Family<HttpLabels, Histogram>,
    job_durations: Histogram,
}

/// Counts a claim as waiting for as long as it lives.
#[derive(Debug)]
pub struct WaitingClaim(Gauge);

impl Drop for WaitingClaim {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("terarchitect");
        let claims = Family::default();
        registry.register("claims", "Responses to claims, by result", claims.clone());
        // From 1 ms to 33 s: a long poll takes up to 25 s.
        let claim_wait = Histogram::new(exponential_buckets(0.001, 2.0, 16));
        let help = "How long it took until a claim got a job";
        registry.register_with_unit("claim_wait", help, Unit::Seconds, claim_wait.clone());
        let waiting_claims = Gauge::default();
        registry.register("waiting_claims", "Claims that are waiting for a job", waiting_claims.clone());
        let claim_batches = Counter::default();
        registry.register(
            "claim_statements",
            "SQL statements that claimed jobs, each for many requests",
            claim_batches.clone(),
        );
        let completion_batches = Counter::default();
        let help = "SQL statements that recorded completions, each for many requests";
        registry.register("completion_statements", help, completion_batches.clone());
        let ended = Family::default();
        registry.register("attempts_ended", "Attempts ended, by what became of the job and why", ended.clone());
        let retries = Family::default();
        registry.register("retries", "Attempts after which the job was retried, by reason", retries.clone());
        let lease_expiries = Counter::default();
        registry.register("lease_expiries", "Attempts ended because their lease ran out", lease_expiries.clone());
        let fenced = Counter::default();
        registry.register("fenced_reports", "Reports refused because their attempt was over", fenced.clone());
        // From 1 s to 9 h.
        let duration =
            Family::new_with_constructor((|| Histogram::new(exponential_buckets(1.0, 2.0, 16))) as fn() -> Histogram);
        let help = "How long attempts were held, from their claim to their end";
        registry.register_with_unit("attempt_duration", help, Unit::Seconds, duration.clone());
        let http = Family::new_with_constructor(
            (|| Histogram::new(exponential_buckets(0.000_5, 2.5, 13))) as fn() -> Histogram,
        );
        registry.register_with_unit("http_request_duration", "How long requests took", Unit::Seconds, http.clone());
        Self {
            registry,
            claims,
            claim_wait,
            waiting_claims,
            claim_batches,
            completion_batches,
            ended,
            retries,
            lease_expiries,
            fenced,
            duration,
            http,
            job_durations: Histogram::new([1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0]),
        }
    }
}

impl Metrics {
    pub(crate) fn claim_waits(&self) -> WaitingClaim {
        self.waiting_claims.inc();
        WaitingClaim(self.waiting_claims.clone())
    }

    pub(crate) fn claimed<T>(&self, claimed: &Result<Option<T>, Arc<sqlx::Error>>, took: Duration) {
        let result = match claimed {
            Ok(Some(_)) => {
                self.claim_wait.observe(took.as_secs_f64());
                "job"
            }
            Ok(None) => "none",
            Err(_) => "error",
        };
        self.claims.get_or_create(&ResultLabel { result }).inc();
    }

    pub(crate) fn claim_statement(&self) {
        self.claim_batches.inc();
    }

    pub(crate) fn completion_statement(&self) {
        self.completion_batches.inc();
    }

    /// Counts an ended attempt: the one place that does.
    pub(crate) fn attempt_ended(&self, ended: &AttemptEnd) {
        let reason = label(&ended.reason);
        if ended.outcome == AttemptOutcome::Retried {
            self.retries.get_or_create(&ReasonLabel { reason: reason.clone() }).inc();
        }
        let status = ended.outcome.job_status().as_str();
        self.ended.get_or_create(&EndLabels { outcome: status, reason }).inc();
        if let Some(ran) = ended.ran.filter(|_| ended.outcome == AttemptOutcome::Completed) {
            self.job_durations.observe(ran.as_secs_f64());
        }
        if let Some(ran) = ended.ran {
            self.duration.get_or_create(&OutcomeLabel { outcome: status }).observe(ran.as_secs_f64());
        }
    }

    pub(crate) fn leases_expired(&self, count: usize) {
        self.lease_expiries.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    pub(crate) fn report_fenced(&self) {
        self.fenced.inc();
    }

    pub(crate) fn request(&self, method: &http::Method, route: &str, status: http::StatusCode, took: Duration) {
        // Each unknown method would otherwise get a series of its own.
        let method = if is_common(method) { method.as_str() } else { "other" };
        let labels = HttpLabels { method: method.to_owned(), route: route.to_owned(), status: status.as_u16() };
        self.http.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Jobs and checkpoints under the names of the agent worker's guide, in Prometheus' older text format. How many there are now
    /// goes up and down, so these are gauges, whatever their names say.
    ///
    /// # Errors
    /// Never in practice: text is written into memory.
    pub fn render_document(&self, jobs: &JobCounts, checkpoints: &CheckpointCounts) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        let mut gauge = |name: &str, help: &str, series: &[(&str, i64)]| {
            writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge")?;
            series.iter().try_for_each(|(labels, value)| writeln!(text, "{name}{labels} {value}"))
        };
        gauge(
            "agent_jobs_total",
            "Total number of agent jobs by status",
            &[
                ("{status=\"PENDING\"}", jobs.pending),
                ("{status=\"RUNNING\"}", jobs.running),
                ("{status=\"COMPLETED\"}", jobs.completed),
                ("{status=\"FAILED\"}", jobs.failed),
                ("{status=\"CANCELLED\"}", jobs.cancelled),
            ],
        )?;
        gauge(
            "agent_checkpoints_total",
            "Total number of agent checkpoints by status",
            &[
                ("{status=\"PENDING\"}", checkpoints.pending),
                ("{status=\"APPROVED\"}", checkpoints.approved),
                ("{status=\"REJECTED\"}", checkpoints.rejected),
                ("{status=\"EXPIRED\"}", checkpoints.expired),
            ],
        )?;
        let pending = [("", checkpoints.pending)];
        gauge("agent_checkpoints_pending", "Number of pending agent checkpoints", &pending)?;
        gauge("agent_worker_active_jobs", "Number of currently active agent jobs", &[("", jobs.active)])?;
        let mut registry = Registry::default();
        let help = "Duration of agent jobs in seconds";
        registry.register("agent_jobs_duration_seconds", help, self.job_durations.clone());
        let mut histogram = String::new();
        encode(&mut histogram, &registry)?;
        // What this library writes for one series, with the guide's label, and without the end that only OpenMetrics has.
        let histogram = histogram
            .replace("# EOF\n", "")
            .replace(".0\"}", "\"}")
            .replace(&format!("{help}.\n"), &format!("{help}\n"))
            .replace("_bucket{", "_bucket{status=\"COMPLETED\",")
            .replace("_sum ", "_sum{status=\"COMPLETED\"} ")
            .replace("_count ", "_count{status=\"COMPLETED\"} ");
        text.push_str(&histogram);
        Ok(text)
    }

    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    /// Never in practice: text is written into memory.
    pub fn render(
        &self,
        depths: &[ProjectDepth],
        connections: Connections,
        readers: usize,
    ) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode_registry(&mut text, &self.registry)?;
        encode(&mut text, &momentary(depths, connections, readers))?;
        Ok(text)
    }
}

/// What is measured for this scrape alone.
fn momentary(depths: &[ProjectDepth], now: Connections, readers: usize) -> Registry {
    let mut registry = Registry::with_prefix("terarchitect");
    let jobs = Family::<DepthLabels, Gauge>::default();
    let oldest = Family::<ProjectLabel, Gauge<f64, AtomicU64>>::default();
    for depth in depths {
        let project_id = depth.project_id.to_string();
        let states =
            [("pending", depth.pending), ("delayed", depth.delayed), ("held", depth.held), ("running", depth.running)];
        for (state, count) in states {
            jobs.get_or_create(&DepthLabels { project_id: project_id.clone(), state }).set(count);
        }
        if let Some(age) = depth.oldest_pending_sec {
            oldest.get_or_create(&ProjectLabel { project_id }).set(age);
        }
    }
    registry.register("queue_jobs", "Jobs in the queue, by project", jobs);
    let help = "How long the oldest job that could be claimed has waited, by project";
    registry.register_with_unit("queue_oldest_pending", help, Unit::Seconds, oldest);
    let connections = Family::<StateLabel, Gauge>::default();
    connections.get_or_create(&StateLabel { state: "idle" }).set(now.idle.into());
    connections.get_or_create(&StateLabel { state: "used" }).set(now.open.saturating_sub(now.idle).into());
    registry.register("database_connections", "Open connections of the database pool, by state", connections);
    let following = Gauge::<i64>::default();
    following.set(i64::try_from(readers).unwrap_or(i64::MAX));
    registry.register("event_readers", "Open streams of events", following);
    let most = Gauge::<i64>::default();
    most.set(now.most.into());
    registry.register("database_connections_max", "The maximum number of connections in the database pool", most);
    registry
}

fn is_common(method: &http::Method) -> bool {
    use http::Method;
    [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD, Method::OPTIONS]
        .contains(method)
}

/// Reasons of other versions share one label: a label is not a place for text from outside.
fn label(reason: &Reason) -> String {
    match reason {
        Reason::Other(word) if word != "released" => "other".to_owned(),
        reason => reason.as_str().to_owned(),
    }
}
