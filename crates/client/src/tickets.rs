//! Tickets, their logs, and what people tell their agents.

use crate::{Board, Card, Client, ClientError, More, Said, Summary, TicketPage};
use chrono::{DateTime, Utc};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// A ticket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ticket {
    /// Its id.
    pub id: Uuid,
    /// Its project.
    pub project_id: Uuid,
    /// Its title.
    pub title: String,
    /// What is to be done.
    #[serde(default)]
    pub description: Option<String>,
    /// The column that it is in, such as `in_progress`.
    pub column_id: String,
    /// How its work stands.
    #[serde(default)]
    pub status: String,
    /// Its priority.
    #[serde(default)]
    pub priority: String,
    /// Its pull request.
    #[serde(default)]
    pub pr_url: Option<String>,
    /// The pull request's number.
    #[serde(default)]
    pub pr_number: Option<i64>,
    /// When it was last changed.
    #[serde(default)]
    pub updated_at: Option<DateTime<Utc>>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// A ticket to create.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewTicket {
    /// Its title.
    pub title: String,
    /// What is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The column to put it into.
    pub column_id: String,
    /// Its priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
}

/// What changes in a ticket; what is absent stays.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TicketChange {
    /// The column to move it to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column_id: Option<String>,
}

/// An entry of a ticket's log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogEntry {
    /// Its id.
    pub id: Uuid,
    /// Its number; an older API sends none.
    #[serde(default)]
    pub seq: Option<i64>,
    /// What the agent's runner did, in one word.
    #[serde(default)]
    pub step: String,
    /// What happened, in one line.
    #[serde(default)]
    pub summary: String,
    /// Whether it went well.
    #[serde(default)]
    pub success: bool,
    /// When.
    #[serde(default)]
    pub created_at: Option<DateTime<Utc>>,
    /// What it is about, for programs. Its `kind` says which other fields there are.
    #[serde(default)]
    pub data: Option<Value>,
    /// The whole output.
    #[serde(default)]
    pub raw_output: Option<String>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// A page of a ticket's log, oldest entry first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Timeline {
    /// The entries.
    pub entries: Vec<LogEntry>,
    /// Whether there are older ones.
    #[serde(default)]
    pub older: bool,
    /// Whether there are newer ones.
    #[serde(default)]
    pub newer: bool,
}

/// What a person told the agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: Uuid,
    /// The words.
    pub text: String,
    /// Who.
    #[serde(default)]
    pub author: Option<String>,
    /// When the agent got it.
    #[serde(default)]
    pub delivered_at: Option<DateTime<Utc>>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

fn of(project: Uuid, ticket: Uuid, rest: &str) -> String {
    format!("api/projects/{project}/tickets/{ticket}{rest}")
}

impl Client {
    /// A project's tickets.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn tickets(&self, project: Uuid) -> Result<Vec<Ticket>, ClientError> {
        self.get(&format!("api/projects/{project}/tickets"), &[]).await
    }

    /// One ticket.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn ticket(&self, project: Uuid, ticket: Uuid) -> Result<Ticket, ClientError> {
        self.get(&of(project, ticket, ""), &[]).await
    }

    /// Creates a ticket.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn create_ticket(&self, project: Uuid, ticket: &NewTicket) -> Result<Ticket, ClientError> {
        self.post(&format!("api/projects/{project}/tickets"), ticket).await
    }

    /// Changes a ticket. A move to `in_progress` starts its agent.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn change_ticket(
        &self,
        project: Uuid,
        ticket: Uuid,
        change: &TicketChange,
    ) -> Result<Ticket, ClientError> {
        self.send(Method::PATCH, &of(project, ticket, ""), &[], Some(change)).await
    }

    /// Asks the ticket's agent to stop.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn stop_ticket(&self, project: Uuid, ticket: Uuid) -> Result<Said, ClientError> {
        self.post(&of(project, ticket, "/cancel"), &json!({})).await
    }

    /// The whole log of a ticket, as every API has it.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn logs(&self, project: Uuid, ticket: Uuid) -> Result<Vec<LogEntry>, ClientError> {
        self.get(&of(project, ticket, "/logs"), &[]).await
    }

    /// A page of a ticket's log: the newest one, or the one before or after a number.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn timeline(
        &self,
        project: Uuid,
        ticket: Uuid,
        before: Option<i64>,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Timeline, ClientError> {
        let mut query = vec![("limit", limit.to_string())];
        query.extend(before.map(|seq| ("before", seq.to_string())));
        query.extend(after.map(|seq| ("after", seq.to_string())));
        self.get(&of(project, ticket, "/timeline"), &query).await
    }

    /// One entry with its whole output.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn log_entry(&self, project: Uuid, ticket: Uuid, entry: Uuid) -> Result<LogEntry, ClientError> {
        self.get(&of(project, ticket, &format!("/logs/{entry}")), &[]).await
    }

    /// A ticket as the board shows it.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn card(&self, project: Uuid, ticket: Uuid) -> Result<Card, ClientError> {
        self.get(&of(project, ticket, "/card"), &[]).await
    }

    /// Everything about a ticket, apart from its log.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn ticket_page(&self, project: Uuid, ticket: Uuid) -> Result<TicketPage, ClientError> {
        self.get(&of(project, ticket, "/page"), &[]).await
    }

    /// A project's board.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn board(&self, project: Uuid) -> Result<Board, ClientError> {
        self.get(&format!("api/projects/{project}/board"), &[]).await
    }

    /// What goes on, in numbers.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn summary(&self) -> Result<Summary, ClientError> {
        self.get("api/summary", &[]).await
    }

    /// What people told the ticket's agent.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn messages(&self, project: Uuid, ticket: Uuid) -> Result<Vec<Message>, ClientError> {
        self.get(&of(project, ticket, "/messages"), &[]).await
    }

    /// Tells the ticket's agent something; it is in the next prompt.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn tell(&self, project: Uuid, ticket: Uuid, text: &str) -> Result<Message, ClientError> {
        self.post(&of(project, ticket, "/messages"), &json!({"text": text})).await
    }
}
