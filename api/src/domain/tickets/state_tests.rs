use super::*;
use chrono::TimeZone;
use serde_json::json;

fn at(second: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_800_000_000 + second, 0).unwrap()
}

const LEASE: i64 = 90;

/// One job of one ticket, at second 1000, on one host with two slots; each test changes what it is about.
struct World {
    column: &'static str,
    pull_request: bool,
    job: Option<JobFacts>,
    activity: Option<ActivityFacts>,
    project: ProjectFacts,
    around: Surroundings,
}

impl World {
    fn new(column: &'static str) -> Self {
        let host = Host { worker_id: "w1".into(), name: Some("build-1".into()), slots: Some(2), ..Host::default() };
        let around = Surroundings {
            now: at(1000),
            lease: Duration::from_secs(LEASE.unsigned_abs()),
            stopped_at: None,
            hosts: vec![host],
            lost_hosts: 0,
        };
        let project = ProjectFacts { paused: false, max_running: None, running: 0, has_work: true };
        Self { column, pull_request: false, job: None, activity: None, project, around }
    }

    fn pending() -> Self {
        Self { job: Some(job(JobStatus::Pending)), ..Self::new(board::IN_PROGRESS) }
    }

    fn running() -> Self {
        let job = JobFacts {
            attempt: 1,
            claimed_at: Some(at(900)),
            lease_expires_at: Some(at(990 + LEASE)),
            worker_id: Some("w1".into()),
            ..job(JobStatus::Running)
        };
        Self { job: Some(job), ..Self::new(board::IN_PROGRESS) }
    }

    fn ended(column: &'static str, status: JobStatus) -> Self {
        let job = JobFacts { attempt: 1, finished_at: Some(at(950)), ..job(status) };
        Self { job: Some(job), ..Self::new(column) }
    }

    fn reports(mut self, phase: &str, turn: i32) -> Self {
        self.activity = Some(ActivityFacts {
            job_id: Some(Uuid::from_u128(1)),
            attempt: Some(1),
            phase: Some(phase.to_owned()).filter(|phase| !phase.is_empty()),
            last_step: None,
            turn,
            last_at: at(995),
        });
        self
    }

    fn job(&mut self) -> &mut JobFacts {
        self.job.as_mut().unwrap()
    }

    fn state(&self) -> State {
        let ticket = TicketFacts {
            id: Uuid::from_u128(2).into(),
            project_id: Uuid::from_u128(3).into(),
            column_id: self.column,
            has_pull_request: self.pull_request,
            updated_at: at(500),
        };
        state(&ticket, self.job.as_ref(), self.activity.as_ref(), &self.project, &self.around)
    }

    fn word(&self) -> &'static str {
        self.state().word.as_str()
    }

    fn why(&self) -> (&'static str, String, Option<String>) {
        let why = self.state().why.unwrap();
        (why.code, why.sentence, why.action.map(|action| format!("{} {}", action.method, action.path)))
    }
}

fn job(status: JobStatus) -> JobFacts {
    JobFacts {
        id: Uuid::from_u128(1).into(),
        kind: JobKind::Ticket,
        status,
        attempt: 0,
        failures: 0,
        due: true,
        in_cloud: false,
        run_at: at(990),
        created_at: at(990),
        claimed_at: None,
        finished_at: None,
        cancel_requested_at: None,
        lease_expires_at: None,
        worker_id: None,
        held_at: None,
        last_reason: None,
        last_detail: None,
    }
}

#[test]
fn without_a_job_the_column_says_it() {
    assert_eq!(World::new("backlog").word(), "backlog");
    assert_eq!(World::new("ideas").word(), "backlog", "a column of the project's own");
    assert_eq!(World::new("in_review").word(), "in_review");
    assert_eq!(World::new("done").word(), "done");
    assert_eq!(World::ended("done", JobStatus::Failed).word(), "done", "a person has decided");
    assert_eq!(World::ended("backlog", JobStatus::Cancelled).word(), "backlog");
    assert_eq!(World::ended("in_progress", JobStatus::Cancelled).word(), "cancelled");
    let review = World { pull_request: true, ..World::ended("in_review", JobStatus::Completed) };
    assert!(review.state().sentence.contains("pull request is ready"));
    assert!(!World::new("in_review").state().sentence.contains("request is ready"));
}

#[test]
fn a_failure_says_why_and_since_when() {
    let mut world = World::ended("in_progress", JobStatus::Failed);
    world.job().last_reason = Some("agent_misconfigured".into());
    assert_eq!(world.state().sentence, "Failed: a setting is missing or wrong.");
    world.job().last_detail = Some("the model refused the key\nmore".into());
    assert_eq!(world.state().sentence, "Failed: a setting is missing or wrong: the model refused the key.");
    assert_eq!((world.word(), world.state().since), ("failed", at(950)));
    world.job().last_reason = Some("of_tomorrow".into());
    world.job().last_detail = None;
    assert_eq!(world.state().sentence, "Failed: of tomorrow.");
}

#[test]
fn a_running_job_is_what_its_runner_reports() {
    assert_eq!(World::running().word(), "starting");
    for (phase, turn, word) in [
        ("", 0, "starting"),
        ("research", 0, "research"),
        ("plan", 0, "plan"),
        ("plan_review", 0, "plan_review"),
        ("execution", 3, "turn"),
        ("turn_review", 3, "turn"),
        ("conflicts", 1, "turn"),
        ("a_phase_of_tomorrow", 2, "turn"),
        ("opening_pr", 3, "opening_pr"),
    ] {
        let state = World::running().reports(phase, turn).state();
        assert_eq!(state.word.as_str(), word, "{phase}");
        assert_eq!(state.turn, (word == "turn").then_some(turn), "{phase}");
        assert!(state.sentence.ends_with('.'), "{}", state.sentence);
    }
}

#[test]
fn what_an_earlier_attempt_reported_is_not_the_state_of_this_one() {
    let mut world = World::running().reports("execution", 3);
    world.job().attempt = 2;
    assert_eq!(world.word(), "starting");
    world.activity.as_mut().unwrap().attempt = Some(2);
    assert_eq!(world.word(), "turn");
    world.activity.as_mut().unwrap().job_id = None;
    assert_eq!(world.word(), "starting");
}

#[test]
fn a_job_without_a_sign_of_life_is_silent() {
    let mut world = World::running();
    world.job().claimed_at = Some(at(700));
    world.job().lease_expires_at = Some(at(1010));
    assert_eq!(world.word(), "silent", "renewed 80 s ago, with a lease of 90 s");
    assert_eq!(world.state().since, at(1010 - LEASE));
    world = world.reports("execution", 1);
    assert_eq!(world.word(), "turn", "the runner itself has reported since");
    world.activity.as_mut().unwrap().job_id = None;
    assert_eq!(world.word(), "starting", "somebody has reported, without saying for which job");
    world.activity = None;
    world.job().lease_expires_at = Some(at(1040));
    assert_eq!(world.word(), "starting", "renewed 50 s ago");
    world.job().cancel_requested_at = Some(at(960));
    assert_eq!(world.word(), "stopping");
    world.job().lease_expires_at = Some(at(950));
    assert_eq!(world.word(), "silent", "one that should stop and does not is silent as well");
}

#[test]
fn a_worker_without_heartbeats_is_not_called_silent_for_that() {
    let mut world = World::running();
    world.job().worker_id = None;
    world.job().lease_expires_at = Some(at(14_400));
    assert_eq!(world.word(), "starting");
    world.job().claimed_at = Some(at(300));
    assert_eq!(world.word(), "silent", "for more than ten minutes there is nothing at all");
}

#[test]
fn work_that_was_delivered_is_in_review_though_its_attempt_has_not_ended() {
    let mut world = World { column: "in_review", ..World::running().reports("opening_pr", 2) };
    assert_eq!(world.word(), "in_review");
    world.job().kind = JobKind::Review;
    assert_eq!(World { column: "in_review", ..world.reports("execution", 2) }.word(), "turn");
}

#[test]
fn a_waiting_ticket_says_the_first_thing_that_stands_in_its_way() {
    let mut world = World::pending();
    assert_eq!(world.why().0, "next");
    world.job().run_at = at(900);
    world.job().created_at = at(900);
    assert_eq!(world.why().0, "not_claimed");
    world.around.hosts[0].busy = 2;
    let busy = "Waiting for a free slot: 2 of 2 are busy on 1 host.";
    assert_eq!(world.why(), ("slots_busy", busy.to_owned(), None));
    world.around.hosts[0].problem = Some("the disk is nearly full".into());
    assert_eq!(world.why().1, "Waiting: build-1 can't start jobs: the disk is nearly full.");
    world.around.hosts[0].drains = true;
    assert_eq!(world.why().2, Some("PUT /api/coordinators/w1".into()));
    world.around.hosts[0].projects = Some(vec![]);
    assert_eq!(world.why().0, "none_claims");
    world.around.hosts.clear();
    assert_eq!(world.why().0, "no_coordinator");
    world.around.lost_hosts = 1;
    let lost = "Waiting for a coordinator: 1 known coordinator has sent no heartbeat for a while. Start it again.";
    assert_eq!(world.why().1, lost);
    (world.project.max_running, world.project.running) = (Some(2), 2);
    assert_eq!(world.why().1, "Waiting for the project's limit: 2 of 2 jobs are running.");
    world.job().due = false;
    assert_eq!(world.why().0, "delayed");
    world.job().failures = 1;
    world.job().last_reason = Some("lease_lost".into());
    assert!(world.why().1.contains("its coordinator sent no heartbeat in time."), "{}", world.why().1);
    assert_eq!(world.why().0, "retry");
    world.project.paused = true;
    assert_eq!(world.why().0, "paused");
    world.around.stopped_at = Some(at(1));
    assert_eq!(world.why().2, Some("POST /api/fleet/resume".into()));
    assert_eq!(world.state().sentence, world.why().1);
}

#[test]
fn slots_of_several_hosts_are_added_and_a_limit_can_be_lifted() {
    let mut world = World::pending();
    let mut other = world.around.hosts[0].clone();
    (other.worker_id, other.name, other.limit, other.busy) = ("w2".into(), None, Some(1), 1);
    world.around.hosts[0].busy = 2;
    world.around.hosts.push(other);
    let why = world.state().why.unwrap();
    assert_eq!(why.sentence, "Waiting for a free slot: 3 of 3 are busy on 2 hosts.");
    let action = why.action.unwrap();
    assert_eq!((action.label.as_str(), action.body), ("Lift the limit of w2", Some(json!({"limit": null}))));
    world.around.hosts[1].slots = None;
    world.around.hosts[1].limit = None;
    assert_eq!(world.why().0, "next", "how many slots it has is not known");
}

#[test]
fn a_ticket_in_progress_without_a_job_says_so() {
    let mut world = World::new("in_progress");
    assert_eq!((world.word(), world.why().0), ("waiting", "not_enqueued"));
    assert!(world.why().2.unwrap().ends_with("/jobs"));
    world.project.has_work = false;
    assert_eq!(world.why().0, "nothing_to_work_on");
}

#[test]
fn an_agent_in_a_cloud_works_from_its_launch_on() {
    let mut world = World::running();
    world.job().in_cloud = true;
    assert_eq!(world.state().sentence, "Starting: the agent is being launched in its cloud.");
    let mut world = world.reports("", 0);
    world.activity.as_mut().unwrap().last_step = Some("cloud_waits".into());
    assert_eq!(world.word(), "starting");
    world.activity.as_mut().unwrap().last_step = Some("cloud_launched".into());
    assert_eq!((world.word(), world.state().turn), ("turn", Some(1)));
}
