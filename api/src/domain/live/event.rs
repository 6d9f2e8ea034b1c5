//! The kinds of events, and what a new event says.

use crate::domain::words::words;
use serde_json::{Value, json};
use terarchitect_worker_api::{JobId, ProjectId, TicketId};

words! {
    /// What happened.
    pub enum EventKind "event kind" {
        /// A project was created.
        ProjectCreated = "project.created",
        /// A project, its graph, its board or its notes were changed.
        ProjectChanged = "project.changed",
        /// A project was deleted with everything in it.
        ProjectDeleted = "project.deleted",
        /// A ticket was created.
        TicketCreated = "ticket.created",
        /// A ticket's fields or status were changed.
        TicketChanged = "ticket.changed",
        /// A ticket was moved to another column.
        TicketMoved = "ticket.moved",
        /// A runner reported that it completed the ticket.
        TicketCompleted = "ticket.completed",
        /// A person requested the cancellation of the ticket's work.
        TicketCancelRequested = "ticket.cancel_requested",
        /// A ticket was deleted with its jobs and logs.
        TicketDeleted = "ticket.deleted",
        /// A job was put into the queue.
        JobEnqueued = "job.enqueued",
        /// A delayed job became due.
        JobDue = "job.due",
        /// A worker claimed the job: an attempt began.
        JobClaimed = "job.claimed",
        /// The cancellation of a running job was requested.
        JobCancelRequested = "job.cancel_requested",
        /// A pending job was cancelled.
        JobCancelled = "job.cancelled",
        /// A job's row was changed by hand.
        JobChanged = "job.changed",
        /// An attempt ended; `job_status` says what became of the job.
        AttemptEnded = "attempt.ended",
        /// A job stops for a person, or tells one something.
        CheckpointOpened = "checkpoint.opened",
        /// A checkpoint was approved, rejected, or expired.
        CheckpointDecided = "checkpoint.decided",
        /// An entry was appended to a ticket's execution log.
        LogAppended = "log.appended",
        /// A person wrote to the agent of a ticket.
        MessagePosted = "message.posted",
        /// An agent accepted a prompt with people's messages.
        MessageDelivered = "message.delivered",
        /// What a turn changed was stored, or what the whole branch changes.
        DiffStored = "diff.stored",
        /// A coordinator sent a heartbeat for the first time, or again after a silence.
        CoordinatorSeen = "coordinator.seen",
        /// A coordinator's directive was set to `run` or `drain`.
        CoordinatorDirected = "coordinator.directed",
        /// A coordinator was removed from the list.
        CoordinatorForgotten = "coordinator.forgotten",
        /// Everything was stopped: nothing is claimed until it is resumed.
        FleetStopped = "fleet.stopped",
        /// Claims are allowed again.
        FleetResumed = "fleet.resumed",
        /// A person put a ticket off in the inbox.
        InboxSnoozed = "inbox.snoozed",
        /// Settings were changed; only their names are recorded.
        SettingsChanged = "settings.changed",
        /// Documents were added to a project's memory, or deleted from it.
        MemoryChanged = "memory.changed",
        /// A schedule was created.
        ScheduleCreated = "schedule.created",
        /// A schedule was changed.
        ScheduleChanged = "schedule.changed",
        /// A schedule was deleted.
        ScheduleDeleted = "schedule.deleted",
        /// A schedule was due or run by hand: a work order was created, or the time passed; `status` and `reason` say more.
        ScheduleFired = "schedule.fired",
        /// A person joined.
        PersonCreated = "person.created",
        /// A person's name, role, projects or password were changed, or the person was disabled or enabled.
        PersonChanged = "person.changed",
        /// A person was removed.
        PersonDeleted = "person.deleted",
        /// An invitation was made.
        InvitationCreated = "invitation.created",
        /// An invitation was taken back.
        InvitationDeleted = "invitation.deleted",
        /// A link that signs a person in, or sets a password, was made.
        LinkCreated = "link.created",
        /// An API token was made.
        TokenCreated = "token.created",
        /// An API token was revoked.
        TokenRevoked = "token.revoked",
        /// A person signed in.
        SessionStarted = "session.started",
        /// A session was ended.
        SessionEnded = "session.ended",
        /// A person let a program sign in.
        LoginApproved = "login.approved",
        /// A person did not let a program sign in.
        LoginDenied = "login.denied",
        /// Someone failed to sign in.
        SignInFailed = "sign_in.failed",
        /// A credential for a forge was stored.
        CredentialCreated = "credential.created",
        /// A credential for a forge was deleted.
        CredentialDeleted = "credential.deleted",
        /// A secret for a forge's webhooks was made.
        WebhookSecretCreated = "webhook_secret.created",
        /// A secret for a forge's webhooks was deleted.
        WebhookSecretDeleted = "webhook_secret.deleted",
        /// A secret of a project was set, or replaced; only its name is recorded.
        SecretSet = "secret.set",
        /// A secret of a project was deleted.
        SecretDeleted = "secret.deleted",
        /// A delivery of a forge could not be worked on.
        DeliveryFailed = "delivery.failed",
        /// A delivery is to be worked on once more.
        DeliveryReplayed = "delivery.replayed",
        /// A ticket's pull request was opened, changed, reviewed, closed or merged.
        PullRequestChanged = "pull_request.changed",
        /// A person commented on a ticket's pull request from here.
        PullRequestCommented = "pull_request.commented",
        /// A person approved a ticket's pull request from here.
        PullRequestApproved = "pull_request.approved",
        /// A person merged a ticket's pull request from here.
        PullRequestMerged = "pull_request.merged",
        /// Something was said about a ticket's pull request, or one of its checks failed.
        CommentReceived = "comment.received",
        /// It was decided whether that is an order to the agent.
        CommentDecided = "comment.decided",
        /// A forge reported something that changes nothing here, such as a deployment.
        ForgeNoted = "forge.noted",
        /// An agent was added to the catalogue.
        AgentCreated = "agent.created",
        /// An agent of the catalogue was changed.
        AgentChanged = "agent.changed",
        /// An agent was deleted from the catalogue.
        AgentDeleted = "agent.deleted",
        /// A work order was created; its ticket has the same id.
        WorkOrderCreated = "work_order.created",
        /// A work order was changed, launched or ended; `status` says how it stands, `open` which lines are not done.
        WorkOrderChanged = "work_order.changed",
    }
}

impl EventKind {
    /// Whether it may change what the summary and the inbox show: everything may, except what an agent says.
    #[must_use]
    pub fn changes_lists(self) -> bool {
        self != Self::LogAppended
    }

    /// Whether it belongs into the audit, if an actor made it who is audited: what an agent says is in its log already.
    #[must_use]
    pub fn is_audited(self) -> bool {
        self != Self::LogAppended
    }

    /// Whether it is about people and keys, and so for admins alone.
    #[must_use]
    pub fn is_for_admins(self) -> bool {
        matches!(
            self.as_str().split('.').next(),
            Some(
                "person"
                    | "invitation"
                    | "link"
                    | "token"
                    | "session"
                    | "login"
                    | "sign_in"
                    | "credential"
                    | "webhook_secret"
            )
        )
    }
}

/// An event to record with the change that it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// What happened.
    pub kind: EventKind,
    /// The project.
    pub project_id: Option<ProjectId>,
    /// The ticket.
    pub ticket_id: Option<TicketId>,
    /// The job.
    pub job_id: Option<JobId>,
    /// The attempt.
    pub attempt: Option<i32>,
    /// A small JSON object: enough for a live view to decide whether to read more.
    pub data: Value,
}

impl NewEvent {
    /// An event about no object in particular.
    #[must_use]
    pub fn new(kind: EventKind) -> Self {
        Self { kind, project_id: None, ticket_id: None, job_id: None, attempt: None, data: json!({}) }
    }

    /// An event of a project.
    #[must_use]
    pub fn of_project(kind: EventKind, project: ProjectId) -> Self {
        Self { project_id: Some(project), ..Self::new(kind) }
    }

    /// An event of a ticket.
    #[must_use]
    pub fn of_ticket(kind: EventKind, project: ProjectId, ticket: TicketId) -> Self {
        Self { ticket_id: Some(ticket), ..Self::of_project(kind, project) }
    }

    /// An event of a job.
    #[must_use]
    pub fn of_job(kind: EventKind, project: ProjectId, ticket: TicketId, job: JobId) -> Self {
        Self { job_id: Some(job), ..Self::of_ticket(kind, project, ticket) }
    }

    /// Adds what a live view needs to know.
    #[must_use]
    pub fn with(mut self, data: Value) -> Self {
        self.data = data;
        self
    }
}
