//! Why a ticket waits: the first thing that stands in its way, and the call that ends it.

use super::state::{Host, JobFacts, ProjectFacts, Surroundings, TicketFacts, first_line};
use crate::domain::jobs::words::reason_in_words;
use chrono::TimeDelta;
use serde::Serialize;
use serde_json::{Value, json};
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;

/// A due job that is not claimed for this long, though there are free slots, is not just too new.
const SOON: TimeDelta = TimeDelta::seconds(30);

/// Why a ticket waits.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = WaitingReason)]
pub struct Why {
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub sentence: String,
    /// The call that ends it, where one does.
    pub action: Option<Action>,
}

/// A call of this API, for a button.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = WaitingAction)]
pub struct Action {
    /// What the button says.
    pub label: String,
    /// The HTTP method.
    pub method: &'static str,
    /// The path.
    pub path: String,
    /// The body.
    #[schema(value_type = Option<Object>)]
    pub body: Option<Value>,
}

fn because(code: &'static str, sentence: impl Into<String>) -> Why {
    Why { code, sentence: sentence.into(), action: None }
}

impl Why {
    fn ended_by(self, label: impl Into<String>, method: &'static str, path: String, body: Value) -> Self {
        Self { action: Some(Action { label: label.into(), method, path, body: Some(body) }), ..self }
    }
}

/// Why a pending job is not claimed. What stands in the way of every ticket comes first, then what concerns its project,
/// the job itself, and the hosts.
#[must_use]
pub fn why(ticket: &TicketFacts<'_>, job: &JobFacts, project: &ProjectFacts, around: &Surroundings) -> Why {
    let path = format!("/api/projects/{}", ticket.project_id);
    if around.stopped_at.is_some() {
        return because("stopped", "Waiting: everything is stopped.").ended_by(
            "Resume everything",
            "POST",
            "/api/fleet/resume".to_owned(),
            json!({}),
        );
    }
    if project.paused {
        return because("paused", "Waiting: the project is paused.").ended_by(
            "Resume the project",
            "PUT",
            path,
            json!({"paused": false}),
        );
    }
    if !job.due && (!job.in_cloud || job.run_at > around.now) {
        return delayed(job);
    }
    if let Some(limit) = project.max_running.filter(|limit| project.running >= *limit) {
        let sentence = format!(
            "Waiting for the project's limit: {} of {limit} {} running.",
            project.running,
            if project.running == 1 { "job is" } else { "jobs are" }
        );
        let (label, body) = (format!("Raise the limit to {}", limit + 1), json!({"max_running": limit + 1}));
        return because("project_limit", sentence).ended_by(label, "PUT", path, body);
    }
    if job.in_cloud {
        return because("cloud", "Waiting for the agent's cloud to take it.");
    }
    no_host(ticket.project_id, job, around)
}

fn delayed(job: &JobFacts) -> Why {
    let at = job.run_at.format("%Y-%m-%d %H:%M:%S UTC");
    match job.last_reason.as_deref().filter(|_| job.failures > 0) {
        None => because("delayed", format!("Waiting until {at}: that is when it should start.")),
        Some(reason) => {
            let reason = reason_in_words(reason);
            let detail = job.last_detail.as_deref().map(first_line).filter(|detail| !detail.is_empty());
            let why = detail.map_or_else(|| format!("{reason}."), |detail| format!("{reason}: {detail}"));
            because("retry", format!("Waiting for the next try at {at}. The last one failed: {why}"))
        }
    }
}

/// Why no host claims a job that could be claimed.
fn no_host(project: ProjectId, job: &JobFacts, around: &Surroundings) -> Why {
    if around.hosts.is_empty() {
        return match around.lost_hosts {
            0 => because(
                "no_coordinator",
                "Waiting for a coordinator: none has ever connected. Start one on a host with Docker.",
            ),
            lost => because(
                "coordinators_lost",
                format!(
                    "Waiting for a coordinator: {} sent no heartbeat for a while. Start it again.",
                    counted(lost, "known coordinator has", "known coordinators have")
                ),
            ),
        };
    }
    let takers: Vec<&Host> = around.hosts.iter().filter(|host| host.takes(project)).collect();
    if takers.is_empty() {
        let sentence = format!(
            "Waiting: no coordinator claims for this project. {} for others only (PROJECT_ID, PROJECT_IDS).",
            counted(around.hosts.len(), "coordinator claims", "coordinators claim")
        );
        return because("none_claims", sentence);
    }
    let (draining, claiming): (Vec<&Host>, Vec<&Host>) = takers.into_iter().partition(|host| host.drains);
    if claiming.is_empty() {
        return all_drain(&draining);
    }
    let (ill, well): (Vec<&Host>, Vec<&Host>) = claiming.into_iter().partition(|host| host.problem.is_some());
    if let (true, Some(host)) = (well.is_empty(), ill.first()) {
        let problem = first_line(host.problem.as_deref().unwrap_or_default());
        return because("host_problem", format!("Waiting: {} can't start jobs: {problem}", host.title()));
    }
    if well.iter().all(|host| host.usable_slots().is_some_and(|slots| host.busy >= slots)) {
        return all_busy(&well);
    }
    if around.now - job.run_at.max(job.created_at) < SOON {
        return because("next", "Waiting for a coordinator to claim it, which takes moments.");
    }
    let sentence = format!(
        "Waiting, though {} free slots: other jobs may come first, or its coordinator can't claim; look at the fleet.",
        counted(well.len(), "host has", "hosts have")
    );
    because("not_claimed", sentence)
}

fn all_drain(draining: &[&Host]) -> Why {
    let Some(first) = draining.first() else {
        return because("draining", "Waiting: every coordinator is draining.");
    };
    let sentence = if draining.len() == 1 {
        format!("Waiting: {} is draining, so it claims nothing.", first.title())
    } else {
        format!("Waiting: all {} coordinators are draining, so they claim nothing.", draining.len())
    };
    because("draining", sentence).ended_by(
        format!("Let {} claim again", first.title()),
        "PUT",
        format!("/api/coordinators/{}", first.worker_id),
        json!({"directive": "run"}),
    )
}

fn all_busy(hosts: &[&Host]) -> Why {
    let slots: i32 = hosts.iter().filter_map(|host| host.usable_slots()).sum();
    // More than the slots can be held for a while, after a limit was lowered.
    let busy: i32 = hosts.iter().map(|host| host.busy).sum();
    let on = counted(hosts.len(), "host", "hosts");
    let sentence =
        format!("Waiting for a free slot: {busy} of {slots} {} busy on {on}.", if busy == 1 { "is" } else { "are" });
    let limited = hosts.iter().find(|host| host.limit.zip(host.slots).is_some_and(|(limit, slots)| limit < slots));
    match limited {
        None => because("slots_busy", sentence),
        Some(host) => because("slots_busy", sentence).ended_by(
            format!("Lift the limit of {}", host.title()),
            "PUT",
            format!("/api/coordinators/{}", host.worker_id),
            json!({"limit": null}),
        ),
    }
}

/// Why a ticket in In Progress has no job.
#[must_use]
pub fn why_not_enqueued(ticket: &TicketFacts<'_>, project: &ProjectFacts) -> Why {
    if !project.has_work {
        return because(
            "nothing_to_work_on",
            "Not in the queue: the project has no repository. Set its address, then run the ticket.",
        );
    }
    let path = format!("/api/projects/{}/tickets/{}/jobs", ticket.project_id, ticket.id);
    because("not_enqueued", "Not in the queue: nothing works on this ticket.").ended_by(
        "Run it",
        "POST",
        path,
        json!({}),
    )
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
