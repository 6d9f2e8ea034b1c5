//! Random events in random order, on two replicas and a real Postgres: after each, the database is what a simple model
//! says, and the invariants of the queue hold.

use crate::support::TestApp;
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseError};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use terarchitect_api::actions::worker::leases::end_expired;
use tokio_util::sync::DropGuard;
use uuid::Uuid;

const PROJECTS: usize = 3;
const WORKERS: usize = 3;
/// The second project is limited.
const LIMITS: [Option<usize>; PROJECTS] = [None, Some(2), None];
/// Infrastructure failures that are retried, from `domain::outcome`.
const TRIES: i64 = 5;

/// Something that happens. Numbers choose among what there is, so that every sequence makes sense.
#[derive(Clone, Debug)]
enum Event {
    Enqueue {
        project: usize,
        priority: i32,
    },
    Claim {
        worker: usize,
        replica: bool,
    },
    /// The claim once more with the same request id, as after a lost response.
    ClaimAgain {
        replica: bool,
    },
    Heartbeat {
        worker: usize,
        replica: bool,
    },
    /// A report about the n-th claim that ever got a job: the present one, an old one, or one that ended.
    Report {
        claim: usize,
        how: How,
        replica: bool,
    },
    /// The runner of the n-th claim that ever got a job lets it wait for a person.
    Hold {
        claim: usize,
        replica: bool,
    },
    /// A person decides about the n-th job that waits for that.
    Decide {
        held: usize,
        approve: bool,
        replica: bool,
    },
    Cancel {
        job: usize,
    },
    /// The lease of the n-th running job runs out and is noticed.
    Expire {
        running: usize,
    },
    /// Everything that waits for a retry becomes due.
    MakeDue,
    RestartReplica,
    Pause {
        project: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Complete,
    AgentFailed,
    EngineError,
    Release,
    Hold,
}

fn event() -> impl Strategy<Value = Event> {
    let how = prop_oneof![Just(How::Complete), Just(How::AgentFailed), Just(How::EngineError), Just(How::Release)];
    prop_oneof![
        3 => (0..PROJECTS, -1..2).prop_map(|(project, priority)| Event::Enqueue { project, priority }),
        4 => (0..WORKERS, any::<bool>()).prop_map(|(worker, replica)| Event::Claim { worker, replica }),
        1 => any::<bool>().prop_map(|replica| Event::ClaimAgain { replica }),
        1 => (0..WORKERS, any::<bool>()).prop_map(|(worker, replica)| Event::Heartbeat { worker, replica }),
        4 => (0..50_usize, how, any::<bool>()).prop_map(|(claim, how, replica)| Event::Report { claim, how, replica }),
        2 => (0..50_usize, any::<bool>()).prop_map(|(claim, replica)| Event::Hold { claim, replica }),
        2 => (0..50_usize, 0..4, any::<bool>())
            .prop_map(|(held, not, replica)| Event::Decide { held, approve: not > 0, replica }),
        1 => (0..50_usize).prop_map(|job| Event::Cancel { job }),
        1 => (0..50_usize).prop_map(|running| Event::Expire { running }),
        1 => Just(Event::MakeDue),
        1 => Just(Event::RestartReplica),
        1 => (0..PROJECTS).prop_map(|project| Event::Pause { project }),
    ]
}

/// What the model knows of a job.
#[derive(Clone, Debug)]
struct Modelled {
    project: usize,
    priority: i32,
    status: &'static str,
    /// Since when it may be claimed, in microseconds; none while it waits for a retry. Read from the database: when
    /// exactly that time comes is up to the clock.
    due: Option<i64>,
    attempt: i64,
    failures: i64,
    holder: Option<usize>,
    cancel: bool,
    /// It waits for a person.
    held: bool,
}

/// A claim that got a job.
#[derive(Clone, Debug)]
struct Claimed {
    job: String,
    attempt: i64,
    worker: usize,
    request: Uuid,
    /// How a report ended it, and the response to that report.
    reported: Option<(How, &'static str)>,
}

struct World {
    app: TestApp,
    other: (String, DropGuard),
    projects: Vec<String>,
    paused: [bool; PROJECTS],
    jobs: BTreeMap<String, Modelled>,
    /// In the order of their enqueuing.
    order: Vec<String>,
    claims: Vec<Claimed>,
}

macro_rules! check {
    ($so:expr, $($text:tt)*) => {
        if !$so {
            return Err(TestCaseError::fail(format!($($text)*)));
        }
    };
}

type Checked = Result<(), TestCaseError>;

impl World {
    async fn new() -> Self {
        let app = TestApp::start().await;
        app.may_leave_jobs_live();
        let mut projects = Vec::new();
        for limit in LIMITS {
            let project = app.project().await;
            app.put(&project, json!({"max_running": limit})).await.expect(200);
            projects.push(project);
        }
        let other = app.replica().await;
        Self {
            app,
            other,
            projects,
            paused: [false; PROJECTS],
            jobs: BTreeMap::new(),
            order: Vec::new(),
            claims: Vec::new(),
        }
    }

    async fn post(&self, replica: bool, path: &str, body: &Value) -> (StatusCode, Value) {
        let base = if replica { &self.other.0 } else { &self.app.base };
        let reply = TestApp::reply(self.app.http().post(format!("{base}{path}")).json(body)).await;
        (reply.status, reply.body)
    }

    /// Reads when jobs may be claimed: only the clock decides whether the wait for a retry is over.
    async fn read_due(&mut self) {
        let rows: Vec<(String, Option<i64>)> = sqlx::query_as(
            "select id::text, case when due then (extract(epoch from run_at) * 1e6)::bigint end from agent_jobs",
        )
        .fetch_all(&self.app.pool)
        .await
        .unwrap();
        for (id, due) in rows {
            if let Some(job) = self.jobs.get_mut(&id) {
                job.due = due;
            }
        }
    }

    fn running(&self, project: usize) -> usize {
        self.jobs.values().filter(|job| job.project == project && job.status == "running").count()
    }

    /// The job that a claim must get: of the project with the fewest running jobs that has work and room, the highest
    /// priority, then the oldest. Several projects may be equal in all of that.
    fn next(&self) -> Vec<String> {
        let claimable = |project: usize| {
            let room = LIMITS[project].is_none_or(|limit| self.running(project) < limit);
            let mut waiting: Vec<&String> = self
                .order
                .iter()
                .filter(|id| {
                    let job = &self.jobs[*id];
                    job.project == project && job.status == "pending" && job.due.is_some()
                })
                .collect();
            waiting.sort_by_key(|id| (-self.jobs[*id].priority, self.jobs[*id].due));
            if self.paused[project] || !room { None } else { waiting.first().map(|id| (*id).clone()) }
        };
        let heads: Vec<(usize, i32, String)> = (0..PROJECTS)
            .filter_map(|project| claimable(project).map(|id| (self.running(project), -self.jobs[&id].priority, id)))
            .collect();
        let Some(best) = heads.iter().map(|(load, priority, _)| (*load, *priority)).min() else { return Vec::new() };
        heads.into_iter().filter(|(load, priority, _)| (*load, *priority) == best).map(|(_, _, id)| id).collect()
    }

    async fn happen(&mut self, event: &Event) -> Checked {
        match *event {
            Event::Enqueue { project, priority } => self.enqueue(project, priority).await,
            Event::Claim { worker, replica } => self.claim(worker, Uuid::new_v4(), replica).await,
            Event::ClaimAgain { replica } => self.claim_again(replica).await,
            Event::Heartbeat { worker, replica } => self.heartbeat(worker, replica).await,
            Event::Report { claim, how, replica } => self.report(claim, how, replica).await,
            Event::Hold { claim, replica } => self.hold(claim, replica).await,
            Event::Decide { held, approve, replica } => self.decide(held, approve, replica).await,
            Event::Cancel { job } => self.cancel(job).await,
            Event::Expire { running } => self.expire(running).await,
            Event::MakeDue => {
                let sql = "update agent_jobs set due = true, run_at = now()
                    where status = 'pending' and not due and held_at is null";
                sqlx::query(sql).execute(&self.app.pool).await.unwrap();
                Ok(())
            }
            Event::RestartReplica => {
                self.other = self.app.replica().await;
                Ok(())
            }
            Event::Pause { project } => {
                self.paused[project] = !self.paused[project];
                self.app.put(&self.projects[project], json!({"paused": self.paused[project]})).await.expect(200);
                Ok(())
            }
        }
    }

    async fn enqueue(&mut self, project: usize, priority: i32) -> Checked {
        let ticket = self.app.ticket(&self.projects[project]).await;
        let job = self.app.post(&format!("{ticket}/jobs"), json!({"priority": priority})).await.expect(201);
        let id = job["id"].as_str().unwrap().to_owned();
        self.order.push(id.clone());
        self.jobs.insert(
            id,
            Modelled {
                project,
                priority,
                status: "pending",
                due: None,
                attempt: 0,
                failures: 0,
                holder: None,
                cancel: false,
                held: false,
            },
        );
        Ok(())
    }

    async fn claim(&mut self, worker: usize, request: Uuid, replica: bool) -> Checked {
        let body = json!({"worker_id": format!("w{worker}"), "request_id": request});
        self.read_due().await;
        let mut wanted = self.next();
        let (status, reply) = self.post(replica, "/api/worker/jobs/start", &body).await;
        if !wanted.iter().any(|id| reply["job_id"] == **id) {
            // A wait may have ended in between.
            self.read_due().await;
            wanted = self.next();
        }
        if wanted.is_empty() {
            check!(status == 204, "nothing can be claimed, but {reply}");
            return Ok(());
        }
        check!(status == 200, "one of {wanted:?} should be claimed, but {status} {reply}");
        let id = reply["job_id"].as_str().unwrap().to_owned();
        check!(wanted.contains(&id), "one of {wanted:?} should be claimed, not {reply}");
        let job = self.jobs.get_mut(&id).unwrap();
        (job.status, job.holder, job.attempt) = ("running", Some(worker), job.attempt + 1);
        check!(reply["attempt"] == job.attempt, "attempt {} expected: {reply}", job.attempt);
        self.claims.push(Claimed { job: id, attempt: job.attempt, worker, request, reported: None });
        Ok(())
    }

    async fn claim_again(&mut self, replica: bool) -> Checked {
        let Some(last) = self.claims.last().cloned() else { return Ok(()) };
        let job = &self.jobs[&last.job];
        if job.status != "running" || job.attempt != last.attempt {
            // What it got is over: a claim like any other.
            return self.claim(last.worker, last.request, replica).await;
        }
        let body = json!({"worker_id": format!("w{}", last.worker), "request_id": last.request});
        let (status, reply) = self.post(replica, "/api/worker/jobs/start", &body).await;
        check!(
            status == 200 && reply["job_id"] == last.job && reply["attempt"] == last.attempt,
            "the same claim should give {last:?}, not {reply}"
        );
        Ok(())
    }

    async fn heartbeat(&mut self, worker: usize, replica: bool) -> Checked {
        let named: Vec<&Claimed> = self.claims.iter().filter(|claim| claim.worker == worker).collect();
        let jobs: Vec<Value> =
            named.iter().map(|claim| json!({"job_id": claim.job, "attempt": claim.attempt})).collect();
        let body = json!({"worker_id": format!("w{worker}"), "jobs": jobs});
        let (status, reply) = self.post(replica, "/api/worker/heartbeat", &body).await;
        check!(status == 200, "{reply}");
        for (claim, said) in named.iter().zip(reply["jobs"].as_array().unwrap()) {
            let job = &self.jobs[&claim.job];
            let held = job.status == "running" && job.attempt == claim.attempt;
            // The container of what was just handed over to a person ends by itself.
            let ends = job.attempt == claim.attempt && claim.reported == Some((How::Hold, "running"));
            let expected = match (held, job.cancel) {
                (false, _) if ends => "held",
                (false, _) => "lost",
                (true, true) => "cancel",
                (true, false) => "held",
            };
            check!(said["state"] == expected, "{claim:?} is {expected}, but {said}");
        }
        Ok(())
    }

    async fn report(&mut self, claim: usize, how: How, replica: bool) -> Checked {
        if self.claims.is_empty() {
            return Ok(());
        }
        let place = claim % self.claims.len();
        let claim = self.claims[place].clone();
        let mut body = json!({"attempt": claim.attempt, "worker_id": format!("w{}", claim.worker)});
        let action = match how {
            How::Complete => "complete",
            // Only a runner lets its job wait.
            How::Release | How::Hold => "release",
            How::AgentFailed | How::EngineError => {
                body["reason"] = json!(if how == How::EngineError { "engine_error" } else { "agent_failed" });
                "fail"
            }
        };
        let (status, reply) = self.post(replica, &format!("/api/worker/jobs/{}/{action}", claim.job), &body).await;
        let job = self.jobs.get_mut(&claim.job).unwrap();
        if job.status != "running" || job.attempt != claim.attempt {
            let same = |before: How| match how {
                // Its worker does not know that, and whatever it reports changes nothing.
                _ if before == How::Hold => true,
                How::AgentFailed | How::EngineError => matches!(before, How::AgentFailed | How::EngineError),
                how => before == how,
            };
            match claim.reported.filter(|(before, _)| same(*before)) {
                Some((_, said)) => {
                    check!(
                        status == 200 && reply["status"] == said,
                        "the same report should return {said}, not {reply}"
                    );
                }
                None => check!(
                    status == 409 && reply["code"] == "stale_attempt",
                    "{claim:?} is over; {how:?} should be refused, not {status} {reply}"
                ),
            }
            return Ok(());
        }
        let end = match how {
            How::Complete => "completed",
            _ if job.cancel => "cancelled",
            How::Release | How::Hold => "pending",
            How::EngineError if job.failures < TRIES => "pending",
            How::EngineError | How::AgentFailed => "failed",
        };
        check!(status == 200 && reply["status"] == end, "{how:?} of {job:?} should make it {end}, but {reply}");
        if matches!(how, How::EngineError | How::AgentFailed) && end != "cancelled" {
            job.failures += 1;
        }
        (job.status, job.holder) = (end, None);
        self.claims[place].reported = Some((how, end));
        Ok(())
    }

    async fn hold(&mut self, claim: usize, replica: bool) -> Checked {
        if self.claims.is_empty() {
            return Ok(());
        }
        let place = claim % self.claims.len();
        let claim = self.claims[place].clone();
        let found = "select project_id::text, ticket_id::text from agent_jobs where id = $1::uuid";
        let (project, ticket): (String, String) =
            sqlx::query_as(found).bind(&claim.job).fetch_one(&self.app.pool).await.unwrap();
        let ticket = format!("/api/projects/{project}/tickets/{ticket}");
        let opened = json!({
            "attempt": claim.attempt, "key": format!("of {}", claim.attempt), "type": "approval_required", "message": "Well?"
        });
        let (status, reply) = self.post(replica, &format!("{ticket}/checkpoints"), &opened).await;
        let job = self.jobs.get_mut(&claim.job).unwrap();
        if job.status != "running" || job.attempt != claim.attempt {
            check!(status == 409, "{claim:?} is over, but opened {status} {reply}");
            return Ok(());
        }
        check!(status == 200 && reply["status"] == "pending", "{status} {reply}");
        let request = json!({"attempt": claim.attempt, "checkpoint_id": reply["id"]});
        let (status, reply) = self.post(!replica, &format!("{ticket}/hold"), &request).await;
        let job = self.jobs.get_mut(&claim.job).unwrap();
        check!(status == 200 && reply["held"] == !job.cancel, "{job:?}: {status} {reply}");
        (job.status, job.held) = if job.cancel { ("cancelled", false) } else { ("pending", true) };
        job.holder = None;
        let said = if job.cancel { "cancelled" } else { "running" };
        self.claims[place].reported = Some((How::Hold, said));
        Ok(())
    }

    async fn decide(&mut self, held: usize, approve: bool, replica: bool) -> Checked {
        let waiting: Vec<String> = self.order.iter().filter(|id| self.jobs[*id].held).cloned().collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let id = waiting[held % waiting.len()].clone();
        let open = "select id::text from checkpoints where job_id = $1::uuid and status = 'pending'";
        let open: Vec<String> = sqlx::query_scalar(open).bind(&id).fetch_all(&self.app.pool).await.unwrap();
        check!(open.len() == 1, "{id} should wait for one decision: {open:?}");
        let word = if approve { "approve" } else { "reject" };
        let path = format!("/api/checkpoints/{}/{word}", open[0]);
        let (status, reply) = self.post(replica, &path, &json!({})).await;
        check!(status == 200, "{status} {reply}");
        let (status, reply) = self.post(!replica, &path, &json!({})).await;
        check!(status == 400 && reply["code"] == "already_decided", "{status} {reply}");
        let job = self.jobs.get_mut(&id).unwrap();
        job.held = false;
        if !approve {
            (job.status, job.failures) = ("failed", job.failures + 1);
            for claim in self.claims.iter_mut().filter(|claim| claim.job == id && claim.attempt == job.attempt) {
                claim.reported = Some((How::Hold, "failed"));
            }
        }
        Ok(())
    }

    async fn cancel(&mut self, job: usize) -> Checked {
        if self.order.is_empty() {
            return Ok(());
        }
        let id = self.order[job % self.order.len()].clone();
        let (status, reply) = self.post(false, &format!("/api/jobs/{id}/cancel"), &json!({})).await;
        let job = self.jobs.get_mut(&id).unwrap();
        let expected = match job.status {
            "pending" | "running" | "cancelled" => 200,
            _ => 409,
        };
        check!(status.as_u16() == expected, "cancelling {job:?}: {status} {reply}");
        match job.status {
            "pending" => (job.status, job.held) = ("cancelled", false),
            "running" => job.cancel = true,
            _ => {}
        }
        Ok(())
    }

    async fn expire(&mut self, running: usize) -> Checked {
        let held: Vec<String> = self.order.iter().filter(|id| self.jobs[*id].status == "running").cloned().collect();
        if held.is_empty() {
            return Ok(());
        }
        let id = &held[running % held.len()];
        sqlx::query("update agent_jobs set lease_expires_at = now() - interval '1 second' where id = $1::uuid")
            .bind(id)
            .execute(&self.app.pool)
            .await
            .unwrap();
        end_expired(&self.app.database()).await.unwrap();
        let job = self.jobs.get_mut(id).unwrap();
        job.holder = None;
        if job.cancel {
            job.status = "cancelled";
        } else if job.failures < TRIES {
            (job.status, job.failures) = ("pending", job.failures + 1);
        } else {
            (job.status, job.failures) = ("failed", job.failures + 1);
        }
        Ok(())
    }

    /// The database is what the model says, and the invariants hold.
    async fn check(&self) -> Checked {
        type Row = (String, String, i32, i32, Option<String>, bool, bool);
        let rows: Vec<Row> = sqlx::query_as(
            "select id::text, status, attempt, failures, worker_id, lease_expires_at is not null, held_at is not null
             from agent_jobs",
        )
        .fetch_all(&self.app.pool)
        .await
        .unwrap();
        check!(rows.len() == self.jobs.len(), "{} jobs, {} expected", rows.len(), self.jobs.len());
        for (id, status, attempt, failures, worker, leased, held) in rows {
            let job = &self.jobs[&id];
            check!(held == job.held, "{id} is held or not: {job:?}");
            check!(status == job.status, "{id} is {status}, {job:?} expected");
            check!(
                (attempt.into(), failures.into()) == (job.attempt, job.failures),
                "{id}: {attempt}, {failures}; {job:?}"
            );
            check!(leased == (job.status == "running"), "{id} has a lease or none: {job:?}");
            if job.status == "running" {
                check!(worker == job.holder.map(|holder| format!("w{holder}")), "{id} is held by {worker:?}: {job:?}");
            }
        }
        let broken: Option<String> = sqlx::query_scalar(
            "select 'ended without its attempt: ' || id from agent_jobs as job where finished_at is not null
                 and not exists (select from agent_job_attempts where job_id = id and attempt = job.attempt)
             union all
             select 'two ends: ' || job_id from agent_job_attempts where outcome in ('completed', 'failed', 'cancelled')
                 group by job_id having count(*) > 1
             union all
             select 'attempts missing: ' || id from agent_jobs as job where
                 attempt - (status = 'running')::integer
                 <> (select count(*) from agent_job_attempts where job_id = id and attempt > 0)
             union all
             select 'over the limit: ' || project.id from projects as project where project.max_running < (
                 select count(*) from agent_jobs where project_id = project.id and status = 'running')
             union all
             select 'two live jobs: ' || ticket_id from agent_jobs where status in ('pending', 'running')
                 group by ticket_id, kind having count(*) > 1
             limit 1",
        )
        .fetch_optional(&self.app.pool)
        .await
        .unwrap();
        check!(broken.is_none(), "{}", broken.unwrap_or_default());
        Ok(())
    }
}

#[test]
fn any_order_of_events_keeps_the_invariants() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = ProptestConfig {
        cases: 20,
        max_shrink_iters: 150,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(events in prop::collection::vec(event(), 20..60))| {
        runtime.block_on(async {
            let mut world = World::new().await;
            for event in &events {
                world.happen(event).await?;
                world.check().await?;
            }
            Checked::Ok(())
        })?;
    });
}
