//! Metrics of the process, and the two endpoints that serve them: `/metrics` for Prometheus, `/health` for supervisors.

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use terarchitect_worker_api::Reason;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Without a successful heartbeat for this long, the coordinator is reported as unhealthy. It keeps working.
const HEALTHY_FOR: Duration = Duration::from_secs(120);

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabel {
    reason: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

/// The metrics of the process.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    held: Gauge,
    slots: Gauge,
    claims: Family<ResultLabel, Counter>,
    heartbeats: Family<ResultLabel, Counter>,
    ended: Family<ReasonLabel, Counter>,
    adopted: Counter,
    launch: Histogram,
    disk_short: Gauge,
    warm: Gauge,
    last_heartbeat: Arc<Mutex<Instant>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("terarchitect_coordinator");
        let held = Gauge::default();
        registry.register("jobs", "Jobs that this coordinator holds", held.clone());
        let slots = Gauge::default();
        registry.register("slots", "How many jobs this coordinator may hold at once", slots.clone());
        let claims = Family::default();
        registry.register("claims", "Claims, by result", claims.clone());
        let heartbeats = Family::default();
        registry.register("heartbeats", "Heartbeats, by result", heartbeats.clone());
        let ended = Family::default();
        registry.register("jobs_ended", "Jobs whose end was reported and acknowledged, by reason", ended.clone());
        let adopted = Counter::default();
        registry.register("containers_adopted", "Containers adopted from an earlier coordinator", adopted.clone());
        let launch = Histogram::new(exponential_buckets(0.05, 2.0, 12));
        let help = "Time from a claim to the start of its container";
        registry.register_with_unit("launch", help, Unit::Seconds, launch.clone());
        let disk_short = Gauge::default();
        let help = "1 while nothing is claimed because the engine's disk is nearly full";
        registry.register("disk_short", help, disk_short.clone());
        let warm = Gauge::default();
        registry.register("warm_agents", "Containers that are ready for jobs to come", warm.clone());
        Self {
            registry: Arc::new(registry),
            held,
            slots,
            claims,
            heartbeats,
            ended,
            adopted,
            launch,
            disk_short,
            warm,
            last_heartbeat: Arc::new(Mutex::new(Instant::now())),
        }
    }
}

impl Metrics {
    pub(crate) fn holds(&self, jobs: usize, slots: usize) {
        self.held.set(i64::try_from(jobs).unwrap_or(i64::MAX));
        self.slots.set(i64::try_from(slots).unwrap_or(i64::MAX));
    }

    pub(crate) fn warm(&self, ready: usize) {
        self.warm.set(i64::try_from(ready).unwrap_or(i64::MAX));
    }

    pub(crate) fn claimed(&self, result: &'static str) {
        self.claims.get_or_create(&ResultLabel { result }).inc();
    }

    pub(crate) fn heartbeat(&self, arrived: bool) {
        let result = if arrived { "arrived" } else { "failed" };
        self.heartbeats.get_or_create(&ResultLabel { result }).inc();
        if arrived {
            *self.last_heartbeat.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
    }

    pub(crate) fn ended(&self, reason: Option<&Reason>) {
        let reason = match reason {
            Some(Reason::Other(_)) | None => "other".to_owned(),
            Some(reason) => reason.as_str().to_owned(),
        };
        self.ended.get_or_create(&ReasonLabel { reason }).inc();
    }

    pub(crate) fn adopted(&self) {
        self.adopted.inc();
    }

    pub(crate) fn launched(&self, took: Duration) {
        self.launch.observe(took.as_secs_f64());
    }

    pub(crate) fn disk_short(&self, short: bool) {
        self.disk_short.set(short.into());
    }

    fn render(&self) -> String {
        let mut text = String::new();
        // Writing text into memory does not fail.
        encode(&mut text, &self.registry).unwrap_or_default();
        text
    }

    fn is_healthy(&self) -> bool {
        self.last_heartbeat.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < HEALTHY_FOR
    }
}

/// Serves `/metrics` and `/health` until `stop`. Returns the address that it listens on, with the port that was picked.
///
/// # Errors
/// When it can't listen there.
pub async fn serve(address: SocketAddr, metrics: Metrics, stop: CancellationToken) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("could not listen on {address}; set METRICS_ADDR to an address of this machine with a free port")
    })?;
    let local = listener.local_addr().context("could not read the address of METRICS_ADDR")?;
    let router = Router::new()
        .route("/metrics", get(async |State(metrics): State<Metrics>| metrics.render()))
        .route("/health", get(health))
        .with_state(metrics);
    tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await });
    Ok(local)
}

async fn health(State(metrics): State<Metrics>) -> (StatusCode, &'static str) {
    if metrics.is_healthy() {
        (StatusCode::OK, "healthy\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "no heartbeat has succeeded for two minutes; see the coordinator's log for the reason\n",
        )
    }
}
