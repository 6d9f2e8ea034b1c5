//! Every endpoint, its key, and the document that describes it. An endpoint without a case here fails these tests.

use crate::support::{ADMIN_KEY, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What an endpoint needs of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    /// Nothing.
    Public,
    /// A signature over the body, of any sender.
    Signed,
    /// Someone who is known.
    SignedIn,
    /// A viewer, a member or an admin: in the project of the path, if it has one.
    Viewer,
    Member,
    Admin,
    /// `TERARCHITECT_WORKER_API_KEY`.
    Worker,
    /// The worker key, or the job token of a running job of the ticket.
    Runner,
    /// A role, or the worker key.
    ViewerOrWorker,
    MemberOrWorker,
    AdminOrWorker,
    /// Someone who is known, or a token that sends data in.
    Ingest,
    /// A member, or a token that sends data in.
    MemberOrIngest,
}

/// Who calls. The member and the viewer are that in the project of the path alone, the stranger is a member of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    JobToken,
    NoKey,
    WrongKey,
    ExpiredToken,
    IngestToken,
    WorkerToken,
    AppToken,
    Viewer,
    Stranger,
    Member,
    AppKey,
    WorkerKey,
    Admin,
}

/// What someone gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gets {
    /// Whatever the endpoint does.
    In,
    /// 401: who is this?
    Unknown,
    /// 403: not with this role.
    Refused,
    /// 404, as for a project that does not exist.
    Hidden,
}

impl Guard {
    fn admits_worker(self) -> bool {
        use Guard::{AdminOrWorker, MemberOrWorker, Runner, ViewerOrWorker, Worker};
        matches!(self, Worker | Runner | ViewerOrWorker | MemberOrWorker | AdminOrWorker)
    }

    fn admits_viewers(self) -> bool {
        matches!(self, Self::SignedIn | Self::Viewer | Self::ViewerOrWorker | Self::Ingest)
    }

    fn gives(self, who: Who, path: &str) -> Gets {
        use Gets::{Hidden, In, Refused, Unknown};
        let if_so = |so: bool, otherwise: Gets| if so { In } else { otherwise };
        let is_for_coordinators = matches!(self, Self::Worker | Self::Runner);
        let ids = ["{project_id}", "{job_id}", "{ticket_id}", "{repo_id}", "{work_order_id}"];
        let of_a_project =
            ids.iter().any(|id| path.contains(id)) || (path.contains("{checkpoint_id}") && self != Self::Admin);
        match who {
            _ if self == Self::Public => In,
            _ if self == Self::Signed => Unknown,
            Who::NoKey | Who::WrongKey | Who::ExpiredToken => Unknown,
            Who::JobToken => if_so(self == Self::Runner, Unknown),
            Who::IngestToken => if_so(matches!(self, Self::Ingest | Self::MemberOrIngest), Refused),
            Who::WorkerToken => if_so(self.admits_worker(), Refused),
            Who::WorkerKey => if_so(self.admits_worker(), Unknown),
            Who::AppKey => if_so(!is_for_coordinators, Unknown),
            Who::Admin => In,
            Who::Viewer => if_so(self.admits_viewers(), Refused),
            Who::Member | Who::AppToken => if_so(
                self.admits_viewers() || matches!(self, Self::Member | Self::MemberOrWorker | Self::MemberOrIngest),
                Refused,
            ),
            Who::Stranger if is_for_coordinators => Refused,
            Who::Stranger if of_a_project => Hidden,
            Who::Stranger => if_so(self.admits_viewers(), Refused),
        }
    }
}

const P: &str = "/api/projects/{project_id}";
const T: &str = "/api/projects/{project_id}/tickets/{ticket_id}";
const W: &str = "/api/v1/work-orders/{work_order_id}";
const J: &str = "/api/worker/jobs/{job_id}";

fn table() -> Vec<(Method, String, Guard)> {
    use Guard::{
        Admin, AdminOrWorker, Ingest, Member, MemberOrIngest, MemberOrWorker, Public, Runner, Signed, SignedIn, Viewer,
        ViewerOrWorker, Worker,
    };
    let (get, post, put, patch, delete) = (Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    let rows: Vec<(&Method, String, Guard)> = vec![
        (&get, "/health".into(), Public),
        (&get, "/ready".into(), Public),
        (&get, "/api/session".into(), Public),
        (&post, "/api/session".into(), Public),
        (&patch, "/api/session".into(), SignedIn),
        (&get, "/api/sessions".into(), SignedIn),
        (&delete, "/api/sessions/{session_id}".into(), SignedIn),
        (&post, "/api/links/look".into(), Public),
        (&post, "/api/links/use".into(), Public),
        (&post, "/api/device-logins".into(), Public),
        (&post, "/api/device-logins/token".into(), Public),
        (&get, "/api/device-logins/{user_code}".into(), SignedIn),
        (&post, "/api/device-logins/{user_code}/approve".into(), SignedIn),
        (&post, "/api/device-logins/{user_code}/deny".into(), SignedIn),
        (&get, "/api/oidc/start".into(), Public),
        (&get, "/api/oidc/callback".into(), Public),
        (&get, "/api/people".into(), Admin),
        (&patch, "/api/people/{person_id}".into(), Admin),
        (&delete, "/api/people/{person_id}".into(), Admin),
        (&post, "/api/people/{person_id}/reset".into(), Admin),
        (&get, "/api/invitations".into(), Admin),
        (&post, "/api/invitations".into(), Admin),
        (&delete, "/api/invitations/{invitation_id}".into(), Admin),
        (&get, "/api/tokens".into(), SignedIn),
        (&post, "/api/tokens".into(), SignedIn),
        (&delete, "/api/tokens/{token_id}".into(), SignedIn),
        (&get, "/api/audit".into(), Admin),
        (&get, "/api/projects".into(), Viewer),
        (&post, "/api/projects".into(), Admin),
        (&get, P.into(), Viewer),
        (&put, P.into(), Admin),
        (&delete, P.into(), Admin),
        (&get, format!("{P}/graph"), Viewer),
        (&put, format!("{P}/graph"), Member),
        (&get, format!("{P}/proof"), Viewer),
        (&put, format!("{P}/proof"), Admin),
        (&get, format!("{P}/proof/proposed"), Viewer),
        (&put, format!("{T}/proof/proposed"), Runner),
        (&get, format!("{P}/secrets"), Viewer),
        (&put, format!("{P}/secrets/{{name}}"), Admin),
        (&delete, format!("{P}/secrets/{{name}}"), Admin),
        (&get, format!("{T}/proof"), Viewer),
        (&put, format!("{T}/proof"), Member),
        (&get, format!("{P}/budget"), Viewer),
        (&put, format!("{P}/budget"), Admin),
        (&get, format!("{T}/budget"), Viewer),
        (&put, format!("{T}/budget"), Member),
        (&get, format!("{P}/kanban"), Viewer),
        (&put, format!("{P}/kanban"), Member),
        (&get, format!("{P}/tickets"), Viewer),
        (&post, format!("{P}/tickets"), Member),
        (&get, T.into(), Viewer),
        (&patch, T.into(), Member),
        (&delete, T.into(), Member),
        (&post, format!("{T}/cancel"), Member),
        (&get, format!("{T}/logs"), Viewer),
        (&post, format!("{T}/logs"), Runner),
        (&get, format!("{T}/logs/{{log_id}}"), Viewer),
        (&get, format!("{T}/timeline"), Viewer),
        (&get, format!("{T}/diffs"), Viewer),
        (&put, format!("{T}/diffs"), Runner),
        (&put, format!("{T}/usage"), Runner),
        (&get, format!("{T}/usage"), Viewer),
        (&get, format!("{T}/usage/expected"), Viewer),
        (&get, format!("{P}/usage"), Viewer),
        (&get, format!("{T}/diffs/{{diff_id}}"), Viewer),
        (&get, format!("{T}/messages"), Viewer),
        (&post, format!("{T}/messages"), Member),
        (&post, format!("{T}/messages/take"), Runner),
        (&post, format!("{T}/messages/delivered"), Runner),
        (&get, format!("{T}/worker-context"), Runner),
        (&post, format!("{T}/complete"), Runner),
        (&get, format!("{T}/cancel-requested"), Runner),
        (&post, format!("{T}/checkpoints"), Runner),
        (&get, format!("{T}/checkpoints/{{checkpoint_id}}"), Runner),
        (&post, format!("{T}/hold"), Runner),
        (&put, format!("{T}/conversation"), Runner),
        (&get, format!("{T}/conversation"), Runner),
        (&get, "/api/checkpoints/{checkpoint_id}".into(), Viewer),
        (&post, "/api/checkpoints/{checkpoint_id}/approve".into(), Member),
        (&post, "/api/checkpoints/{checkpoint_id}/reject".into(), Member),
        (&get, "/api/jobs/{job_id}/checkpoints".into(), Viewer),
        (&put, format!("{T}/output"), Runner),
        (&get, "/api/agent-jobs".into(), Viewer),
        (&post, "/api/agent-jobs".into(), SignedIn),
        (&get, "/api/agent-jobs/{ticket_id}".into(), Viewer),
        (&patch, "/api/agent-jobs/{ticket_id}".into(), Member),
        (&get, "/api/agent-jobs/{ticket_id}/checkpoints".into(), Viewer),
        (&get, "/api/admin/agent-worker".into(), Admin),
        (&delete, "/api/admin/agent-worker".into(), Admin),
        (&post, "/api/admin/agent-worker".into(), Admin),
        (&get, "/api/metrics".into(), AdminOrWorker),
        (&get, "/api/admin/agent-checkpoints".into(), Admin),
        (&post, "/api/admin/agent-checkpoints/{checkpoint_id}".into(), Admin),
        (&delete, "/api/admin/agent-checkpoints/{checkpoint_id}".into(), Admin),
        (&get, format!("{P}/review"), Viewer),
        (&get, format!("{T}/review"), Viewer),
        (&post, format!("{T}/review/comment"), Member),
        (&post, format!("{T}/review/approve"), Member),
        (&post, format!("{T}/review/merge"), Member),
        (&get, format!("{P}/notes"), Viewer),
        (&post, format!("{P}/notes"), Member),
        (&get, format!("{P}/notes/{{note_id}}"), Viewer),
        (&patch, format!("{P}/notes/{{note_id}}"), Member),
        (&delete, format!("{P}/notes/{{note_id}}"), Member),
        (&get, "/api/settings".into(), Admin),
        (&put, "/api/settings".into(), Admin),
        (&get, "/api/settings/check".into(), Viewer),
        (&get, "/api/jobs".into(), Viewer),
        (&get, "/api/jobs/{job_id}".into(), Viewer),
        (&post, "/api/jobs/{job_id}/retry".into(), Member),
        (&post, "/api/jobs/{job_id}/cancel".into(), Member),
        (&post, format!("{T}/jobs"), Member),
        (&get, "/api/coordinators".into(), Viewer),
        (&put, "/api/coordinators/{worker_id}".into(), Admin),
        (&delete, "/api/coordinators/{worker_id}".into(), Admin),
        (&get, "/api/events".into(), Viewer),
        (&get, format!("{P}/board"), Viewer),
        (&get, "/api/summary".into(), Viewer),
        (&get, format!("{T}/card"), Viewer),
        (&get, format!("{T}/page"), Viewer),
        (&get, "/api/inbox".into(), Viewer),
        (&post, "/api/inbox/{ticket_id}/snooze".into(), Member),
        (&get, "/api/fleet".into(), Viewer),
        (&post, "/api/fleet/stop".into(), Admin),
        (&post, "/api/fleet/resume".into(), Admin),
        (&post, "/api/settings/test".into(), Admin),
        (&get, "/api/settings/export".into(), Admin),
        (&post, "/api/settings/import".into(), Admin),
        (&post, format!("{P}/check"), Member),
        (&post, format!("{P}/webhooks/check"), Member),
        (&get, "/api/credentials".into(), SignedIn),
        (&post, "/api/credentials".into(), SignedIn),
        (&delete, "/api/credentials/{credential_id}".into(), SignedIn),
        (&get, "/api/v1/jobs".into(), SignedIn),
        (&post, "/api/v1/jobs".into(), SignedIn),
        (&post, "/api/v1/jobs/cron".into(), SignedIn),
        (&post, "/api/v1/jobs/preview".into(), SignedIn),
        (&get, "/api/v1/jobs/{schedule_id}".into(), SignedIn),
        (&patch, "/api/v1/jobs/{schedule_id}".into(), SignedIn),
        (&delete, "/api/v1/jobs/{schedule_id}".into(), SignedIn),
        (&post, "/api/v1/jobs/{schedule_id}/run".into(), SignedIn),
        (&get, "/api/v1/jobs/{schedule_id}/runs".into(), SignedIn),
        (&get, "/api/webhook-secrets".into(), SignedIn),
        (&post, "/api/webhook-secrets".into(), SignedIn),
        (&delete, "/api/webhook-secrets/{secret_id}".into(), SignedIn),
        (&get, "/api/deliveries".into(), Viewer),
        (&post, "/api/deliveries/{delivery_id}/replay".into(), Admin),
        (&post, "/webhooks/github".into(), Signed),
        (&post, "/webhooks/github/{project_id}".into(), Signed),
        (&post, "/webhooks/gitlab".into(), Signed),
        (&post, "/webhooks/gitlab/{project_id}".into(), Signed),
        (&post, "/webhooks/gitea".into(), Signed),
        (&post, "/webhooks/gitea/{project_id}".into(), Signed),
        (&get, "/api/v1/agents".into(), Viewer),
        (&post, "/api/v1/agents".into(), Admin),
        (&get, "/api/v1/agents/{agent_id}".into(), Viewer),
        (&patch, "/api/v1/agents/{agent_id}".into(), Admin),
        (&delete, "/api/v1/agents/{agent_id}".into(), Admin),
        (&get, "/api/v1/repos".into(), Viewer),
        (&post, "/api/v1/repos".into(), Admin),
        (&get, "/api/v1/repos/{repo_id}".into(), Viewer),
        (&patch, "/api/v1/repos/{repo_id}".into(), Admin),
        (&delete, "/api/v1/repos/{repo_id}".into(), Admin),
        (&get, "/api/v1/work-orders".into(), Viewer),
        (&post, "/api/v1/work-orders".into(), SignedIn),
        (&post, "/api/v1/work-orders/preview".into(), SignedIn),
        (&get, W.into(), Viewer),
        (&patch, W.into(), Member),
        (&post, format!("{W}/cancel"), Member),
        (&post, format!("{W}/launch"), Member),
        (&post, format!("{W}/lines/{{line}}"), MemberOrIngest),
        (&post, "/api/v1/ingest".into(), Ingest),
        (&get, "/api/v1/knowledge".into(), Ingest),
        (&get, "/api/v1/knowledge/query".into(), Ingest),
        (&post, "/api/v1/knowledge".into(), Ingest),
        (&delete, "/api/v1/knowledge/{knowledge_id}".into(), SignedIn),
        (&post, "/api/v1/webhook/cursor".into(), Signed),
        (&get, "/metrics".into(), AdminOrWorker),
        (&post, format!("{P}/memory/index"), MemberOrWorker),
        (&post, format!("{P}/memory/retrieve"), ViewerOrWorker),
        (&post, format!("{P}/memory/delete"), Member),
        (&post, "/api/worker/jobs/start".into(), Worker),
        (&post, format!("{J}/complete"), Worker),
        (&post, format!("{J}/fail"), Worker),
        (&post, format!("{J}/release"), Worker),
        (&post, "/api/worker/heartbeat".into(), Worker),
        (&get, "/api/worker/jobs".into(), Worker),
        // The last one: it ends the session that the others use.
        (&delete, "/api/session".into(), SignedIn),
    ];
    rows.into_iter().map(|(method, path, guard)| (method.clone(), path, guard)).collect()
}

/// Whether a refusal says that keys, tokens and this machine can't do this, whatever else they may.
fn is_for_people(body: &Value) -> bool {
    body["error"].as_str().is_some_and(|sentence| sentence.starts_with("A signed-in person decides this on the page"))
}

fn documented() -> BTreeSet<(String, String)> {
    let document: Value = serde_json::from_str(&terarchitect_api::app::openapi().to_json().unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |m| (m.to_uppercase(), path.clone())))
        .collect()
}

#[test]
fn every_endpoint_has_a_case() {
    let cases: BTreeSet<_> = table().into_iter().map(|(method, path, _)| (method.to_string(), path)).collect();
    assert_eq!(cases, documented());
}

/// A project with a ticket whose job runs, and everyone who may call.
struct World {
    app: TestApp,
    project: String,
    ticket: String,
    job: Value,
    checkpoint: String,
    /// A ticket that was made as an agent's job.
    task: String,
    work_order: String,
    other_project: String,
}

impl World {
    async fn new() -> Self {
        let app = TestApp::start_guarded().await;
        app.may_leave_jobs_live();
        let body = json!({"name": "Demo", "github_url": "https://github.com/demo/hello", "is_existing_repo": true});
        let new = async || {
            app.as_admin().post("/api/projects", body.clone()).await.expect(201)["id"].as_str().unwrap().to_owned()
        };
        let (project, other_project) = (new().await, new().await);
        let path = format!("/api/projects/{project}/tickets");
        let new = json!({"title": "Say hello", "column_id": "in_progress"});
        let ticket = app.as_admin().post(&path, new).await.expect(201)["id"].as_str().unwrap().to_owned();
        let job = app.as_worker().post("/api/worker/jobs/start", json!({"worker_id": "one"})).await.expect(200);
        let path = format!("/api/projects/{project}/tickets/{ticket}/checkpoints");
        let told = json!({"key": "told", "type": "info", "message": "It works."});
        let told = app.as_worker().post(&path, told).await.expect(200)["id"].as_str().unwrap().to_owned();
        let order = json!({"objective": "Say hello", "repo_id": project, "source": "local"});
        let work_order = app.as_admin().post("/api/v1/work-orders", order).await.expect(201)["work_order_id"].clone();
        let work_order = work_order.as_str().unwrap().to_owned();
        let task = json!({"jobType": "simple-task", "taskDescription": "Say hello", "projectId": project});
        let task = app.as_admin().post("/api/agent-jobs", task).await.expect(201)["job"]["id"].clone();
        let task = task.as_str().unwrap().to_owned();
        Self { app, project, ticket, job, checkpoint: told, work_order, task, other_project }
    }

    async fn token(&self, mut body: Value) -> (String, String) {
        body["name"] = json!("a token");
        let made = self.app.as_admin().post("/api/tokens", body).await.expect(201);
        ("authorization".to_owned(), format!("Bearer {}", made["token"].as_str().unwrap()))
    }

    /// The header that says who calls.
    async fn header(&self, who: Who) -> Option<(String, String)> {
        let bearer = |key: &str| Some(("authorization".to_owned(), format!("Bearer {key}")));
        let person = async |name: &str, role: &str, projects: &[(&str, &str)]| {
            Some(("cookie".to_owned(), self.app.person(&format!("{name}@example.com"), role, projects).await))
        };
        match who {
            Who::NoKey => None,
            Who::WrongKey => bearer("wrong"),
            Who::AppKey => bearer(ADMIN_KEY),
            Who::WorkerKey => bearer("worker-key"),
            Who::JobToken => bearer(self.job["job_token"].as_str().unwrap()),
            Who::IngestToken => Some(self.token(json!({"scope": "ingest"})).await),
            Who::WorkerToken => Some(self.token(json!({"scope": "worker"})).await),
            Who::AppToken => {
                Some(self.token(json!({"scope": "app", "role": "member", "project_id": self.project})).await)
            }
            Who::ExpiredToken => {
                let token = self.token(json!({"scope": "app", "role": "admin", "expires_in_sec": 60})).await;
                let expire = "update api_tokens set expires_at = now() where expires_at is not null";
                sqlx::query(expire).execute(&self.app.pool).await.unwrap();
                Some(token)
            }
            Who::Viewer => person("viewer", "none", &[(&self.project, "viewer")]).await,
            Who::Member => person("member", "none", &[(&self.project, "member")]).await,
            Who::Stranger => person("stranger", "none", &[(&self.other_project, "member")]).await,
            Who::Admin => person("admin", "admin", &[]).await,
        }
    }

    async fn path(&self, method: &Method, template: &str) -> String {
        let id = "00000000-0000-0000-0000-000000000000";
        let mut ticket = self.ticket.clone();
        if *method == Method::DELETE && template == T {
            let path = format!("/api/projects/{}/tickets", self.project);
            let new = json!({"title": "To be deleted", "column_id": "backlog"});
            ticket = self.app.as_admin().post(&path, new).await.expect(201)["id"].as_str().unwrap().to_owned();
        }
        if template.starts_with("/api/agent-jobs/") {
            ticket.clone_from(&self.task);
        }
        let path = template.replace("{project_id}", &self.project).replace("{ticket_id}", &ticket);
        let path = path.replace("{job_id}", self.job["job_id"].as_str().unwrap());
        let path = path.replace("{checkpoint_id}", &self.checkpoint);
        let path = path.replace("{repo_id}", &self.project).replace("{work_order_id}", &self.work_order);
        let unknown = |part: &str| if part.starts_with('{') { id.to_owned() } else { part.to_owned() };
        path.split('/').map(unknown).collect::<Vec<_>>().join("/")
    }
}

/// Every endpoint, tried by everyone.
#[tokio::test]
async fn everybody_gets_what_their_role_gives_and_nothing_else() {
    let world = World::new().await;
    let all = [
        Who::JobToken,
        Who::NoKey,
        Who::WrongKey,
        Who::ExpiredToken,
        Who::IngestToken,
        Who::Viewer,
        Who::Stranger,
        Who::Member,
        Who::AppToken,
        Who::AppKey,
        Who::Admin,
        Who::WorkerToken,
        Who::WorkerKey,
    ];
    let mut wrong = Vec::new();
    for who in all {
        let header = world.header(who).await;
        let headers: Vec<(&str, &str)> = header.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        for (method, template, guard) in table() {
            let path = world.path(&method, &template).await;
            let body = if who == Who::JobToken { json!({"session_id": "s"}) } else { json!({}) };
            let reply = world.app.send(method.clone(), &path, &headers, Some(body)).await;
            let sentence = reply.body["error"].as_str().unwrap_or_default();
            let is_own = (template == "/api/session" && method != Method::GET) || is_for_people(&reply.body);
            let got = match reply.status.as_u16() {
                401 => Gets::Unknown,
                // Keys and tokens have no session of their own, tokens make no tokens, and approve none.
                403 if is_own || sentence.starts_with("A token can't make tokens") => guard.gives(who, &template),
                403 => Gets::Refused,
                404 if ["project", "job", "ticket", "checkpoint", "work order"]
                    .iter()
                    .any(|what| sentence.starts_with(&format!("There is no {what}"))) =>
                {
                    Gets::Hidden
                }
                _ => Gets::In,
            };
            let expected = guard.gives(who, &template);
            // A sign-in with an empty body, and a callback without a sign-in, are refused for another reason.
            let public = guard == Guard::Public && got == Gets::Unknown;
            if got != expected && !public {
                wrong.push(format!(
                    "{who:?} at {method} {template}: {expected:?} expected, but {} {sentence}",
                    reply.status
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A job token gives access to a runner's endpoints of its own ticket while its attempt runs, and to nothing else.
#[tokio::test]
async fn a_job_token_opens_its_own_ticket_and_nothing_else() {
    let app = TestApp::start_guarded().await;
    app.may_leave_jobs_live();
    let send = async |method: Method, path: &str, key: &str, body: Value| {
        app.request(method, path, Some(key), Some(&body)).await
    };
    let body = json!({"name": "Demo", "github_url": "https://github.com/demo/hello", "is_existing_repo": true});
    let project = app.as_admin().post("/api/projects", body).await.expect(201);
    let project = project["id"].as_str().unwrap();
    let mut tickets = Vec::new();
    for _ in 0..2 {
        let path = format!("/api/projects/{project}/tickets");
        let ticket = app.as_admin().post(&path, json!({"title": "Say hello", "column_id": "in_progress"})).await;
        tickets.push(ticket.expect(201)["id"].as_str().unwrap().to_owned());
    }
    let start = "/api/worker/jobs/start";
    let job = app.as_worker().post(start, json!({"worker_id": "one"})).await.expect(200);
    let token = job["job_token"].as_str().unwrap();
    let (own, job_id) = (job["ticket_id"].as_str().unwrap(), job["job_id"].as_str().unwrap());
    let other = tickets.iter().find(|ticket| *ticket != own).unwrap();
    let path = |path: &str, ticket: &str| {
        let path = path.replace("{project_id}", project).replace("{ticket_id}", ticket).replace("{job_id}", job_id);
        let path = path.replace("{log_id}", own).replace("{diff_id}", own).replace("{work_order_id}", own);
        let path = path.replace("{repo_id}", project).replace("{agent_id}", own).replace("{line}", "1");
        path.replace("{note_id}", own).replace("{worker_id}", "one")
    };
    let body = json!({"session_id": "s"});
    for (method, template, guard) in table() {
        let opens = async |ticket: &str, token: &str| {
            send(method.clone(), &path(&template, ticket), token, body.clone()).await.status != 401
        };
        // These requests also complete the ticket. That changes later responses, but not what a token gives access to.
        let expected = guard == Guard::Public || guard == Guard::Runner;
        assert_eq!(opens(own, token).await, expected, "{method} {template}");
        assert_eq!(opens(other, token).await, guard == Guard::Public, "{method} {template} of another ticket");
        let mut forged = token.to_owned();
        let last = if forged.pop() == Some('A') { 'E' } else { 'A' };
        forged.push(last);
        assert_eq!(opens(own, &forged).await, guard == Guard::Public, "{method} {template} with a changed token");
    }
    let report = json!({"attempt": 1, "worker_id": "one"});
    app.as_worker().post(&format!("/api/worker/jobs/{job_id}/complete"), report).await.expect(200);
    // The worker key gives no access to application endpoints, and a caller without a key has access to neither.
    app.as_worker().get("/api/projects").await.error(401);
    app.anonymous().get("/api/projects").await.error(401);
    app.anonymous().post(start, json!({})).await.error(401);
    let context = path("/api/projects/{project_id}/tickets/{ticket_id}/worker-context", own);
    assert_eq!(send(Method::GET, &context, token, json!({})).await.error(401), "job_token_refused");
}

/// While no key is set, this machine has access to everything, but a job token still gives access to its own ticket
/// only.
#[tokio::test]
async fn a_job_token_opens_nothing_else_where_no_key_is_set() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    app.move_to(&ticket, "in_progress").await;
    let job = app.claim_as("one", json!({})).await.unwrap();
    let token = job["job_token"].as_str();
    let get = async |path: String| app.request(Method::GET, &path, token, None).await.status.as_u16();
    assert_eq!(get(format!("{ticket}/worker-context")).await, 200);
    assert_eq!(get("/api/projects".into()).await, 401);
    assert_eq!(get(format!("{}/worker-context", app.ticket(&project).await)).await, 401);
}

#[tokio::test]
async fn without_keys_only_this_machine_is_let_in() {
    let app = TestApp::start().await;
    let call = |header: &'static str, value: &'static str| {
        TestApp::reply(app.http().get(format!("{}/api/projects", app.base)).header(header, value))
    };
    assert_eq!(call("x-forwarded-for", "192.0.2.1").await.error(403), "this_machine_only");
    assert_eq!(call("forwarded", "for=192.0.2.1").await.error(403), "this_machine_only");
    assert_eq!(call("sec-fetch-site", "cross-site").await.error(403), "foreign_origin");
    assert_eq!(call("host", "evil.example").await.error(403), "this_machine_only");
    call("host", "localhost:5010").await.expect(200);
    call("host", "[::1]:5010").await.expect(200);
}

/// Without keys, a page that a browser on this machine shows must not be able to change anything, whatever its origin: of
/// the internet, of another port, of a file, or of a name that resolves to this machine. No endpoint is left out.
#[tokio::test]
async fn without_keys_pages_of_other_origins_change_nothing() {
    let app = TestApp::start().await;
    let authority = app.base.strip_prefix("http://").unwrap();
    let own = format!("http://{authority}");
    let other_port = format!("http://{}:1", authority.split(':').next().unwrap());
    let foreign: Vec<(Vec<(&str, &str)>, &str)> = vec![
        (vec![("origin", "https://evil.example")], "foreign_origin"),
        (vec![("origin", "null")], "foreign_origin"),
        (vec![("origin", "")], "foreign_origin"),
        (vec![("origin", &other_port)], "foreign_origin"),
        (vec![("origin", &own), ("origin", &other_port)], "foreign_origin"),
        (vec![("sec-fetch-site", "cross-site")], "foreign_origin"),
        (vec![("sec-fetch-site", "same-site")], "foreign_origin"),
        (vec![("host", "evil.example"), ("origin", "http://evil.example")], "this_machine_only"),
    ];
    let own: [Vec<(&str, &str)>; 3] =
        [vec![], vec![("origin", &own)], vec![("origin", &own), ("sec-fetch-site", "same-origin")]];
    let id = "00000000-0000-0000-0000-000000000000";
    let mut tried = 0;
    // What forges send is signed, which no page can do.
    let is_signed = |path: &str| path.starts_with("/webhooks/") || path.starts_with("/api/v1/webhook/");
    for (method, path) in documented().into_iter().filter(|(method, path)| method != "GET" && !is_signed(path)) {
        let path =
            path.split('/').map(|part| if part.starts_with('{') { id } else { part }).collect::<Vec<_>>().join("/");
        let method: Method = method.parse().unwrap();
        // As a form sends it, or a script that may not set a type: without a body.
        let send = async |headers: &[(&str, &str)]| {
            let request = app.http().request(method.clone(), format!("{}{path}", app.base));
            TestApp::reply(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
        };
        for (headers, code) in &foreign {
            assert_eq!(send(headers).await.error(403), *code, "{method} {path} with {headers:?}");
        }
        for headers in &own {
            let reply = send(headers).await;
            assert!(reply.status != 403 || is_for_people(&reply.body), "{method} {path} with {headers:?}");
        }
        tried += 1;
    }
    assert!(tried > 15, "{tried}");
}

/// With keys nothing of that matters: who has a key may call from anywhere.
#[tokio::test]
async fn with_keys_pages_of_any_origin_may_call() {
    let app = TestApp::start_guarded().await;
    let projects =
        app.http().post(format!("{}/api/projects", app.base)).bearer_auth("app-key").json(&json!({"name": "x"}));
    let headers = [("origin", "https://board.example"), ("sec-fetch-site", "cross-site"), ("host", "api.example")];
    let request = headers.iter().fold(projects, |request, (name, value)| request.header(*name, *value));
    TestApp::reply(request).await.expect(201);
}

/// A front end that is served elsewhere may call where its origin is allowed, with keys and without; others may not.
#[tokio::test]
async fn an_allowed_origin_may_call_from_a_browser() {
    for app in [
        TestApp::start_with_origin("https://board.example", None).await,
        TestApp::start_with_origin("https://board.example", Some(ADMIN_KEY)).await,
    ] {
        let url = format!("{}/api/projects", app.base);
        let asks = |origin: &'static str| {
            let asked = app.http().request(Method::OPTIONS, &url).header("origin", origin);
            asked
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "authorization")
        };
        let allowed = asks("https://board.example").send().await.unwrap();
        assert_eq!(allowed.headers()["access-control-allow-origin"], "https://board.example");
        assert!(allowed.headers()["access-control-allow-headers"].to_str().unwrap().contains("authorization"));
        let refused = asks("https://evil.example").send().await.unwrap();
        assert!(!refused.headers().contains_key("access-control-allow-origin"));
        let creates = |origin: &'static str| {
            let request = app.http().post(&url).bearer_auth(ADMIN_KEY).json(&json!({"name": "x"}));
            request.header("origin", origin).header("sec-fetch-site", "cross-site")
        };
        let created = creates("https://board.example").send().await.unwrap();
        assert_eq!(
            (created.status().as_u16(), &created.headers()["access-control-allow-origin"]),
            (201, &"https://board.example".parse().unwrap())
        );
    }
    let app = TestApp::start_with_origin("https://board.example", None).await;
    let foreign = app.http().post(format!("{}/api/projects", app.base)).header("origin", "https://evil.example");
    assert_eq!(TestApp::reply(foreign).await.error(403), "foreign_origin");
}

/// Without an allowed origin, no response says anything to browsers about other pages.
#[tokio::test]
async fn without_an_allowed_origin_there_is_no_cors() {
    let app = TestApp::start_guarded().await;
    let request = app.http().get(format!("{}/api/projects", app.base)).bearer_auth(ADMIN_KEY);
    let response = request.header("origin", "https://board.example").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!response.headers().keys().any(|name| name.as_str().starts_with("access-control")));
}

/// `openapi.json` and `docs/errors.md` are generated from the code; `cargo xtask openapi` renews them.
#[test]
fn the_committed_documents_are_the_codes() {
    let document = terarchitect_api::app::openapi().to_pretty_json().unwrap() + "\n";
    for (name, made) in [("openapi.json", document), ("docs/errors.md", terarchitect_api::app::errors_page())] {
        let path = format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == made, "{name} is out of date: run cargo xtask openapi");
    }
}

#[tokio::test]
async fn the_document_and_its_page_are_served() {
    let app = TestApp::start().await;
    let document = app.get("/openapi.json").await.expect(200);
    assert_eq!(document["info"]["title"], "Terarchitect");
    let page = app.http().get(format!("{}/docs/", app.base)).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("swagger-ui"), "{page}");
}
