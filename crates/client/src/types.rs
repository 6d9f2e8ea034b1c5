//! What a ticket's work looks like now: its state, its card, the board, and events.

use crate::jobs::Attempt;
use crate::tickets::{Message, Ticket};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Fields that a type does not name; they are kept, so that a newer API's fields are in the JSON that is passed on.
pub type More = Map<String, Value>;

/// A sentence that says what was done.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Said {
    /// The sentence.
    #[serde(default)]
    pub message: String,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// The state of a ticket in one word, with why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The word, such as `waiting`, `turn` or `failed`.
    pub word: String,
    /// Which turn, while the agent works.
    #[serde(default)]
    pub turn: Option<i64>,
    /// Since when.
    #[serde(default)]
    pub since: Option<DateTime<Utc>>,
    /// The state in plain words.
    #[serde(default)]
    pub sentence: String,
    /// Why it waits, if it does.
    #[serde(default)]
    pub why: Option<Why>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// Why something waits, and what ends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// A word for programs.
    #[serde(default)]
    pub code: String,
    /// A sentence for people.
    #[serde(default)]
    pub sentence: String,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// The last thing that an agent did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastLine {
    /// One line of text.
    pub text: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// How much a change changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diffstat {
    /// Files.
    pub files: i64,
    /// Lines added.
    pub added: i64,
    /// Lines removed.
    pub removed: i64,
}

/// A ticket as a board shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The ticket.
    pub id: Uuid,
    /// Its project.
    pub project_id: Uuid,
    /// Its title.
    pub title: String,
    /// The column that it is in.
    pub column_id: String,
    /// Its state.
    pub state: State,
    /// Its newest job.
    #[serde(default)]
    pub job_id: Option<Uuid>,
    /// The job's current attempt.
    #[serde(default)]
    pub attempt: Option<i64>,
    /// The coordinator that runs it.
    #[serde(default)]
    pub worker_id: Option<String>,
    /// The last thing that the agent did.
    #[serde(default)]
    pub last_line: Option<LastLine>,
    /// When it last gave a sign of life.
    #[serde(default)]
    pub last_sign_of_life_at: Option<DateTime<Utc>>,
    /// How much was changed so far.
    #[serde(default)]
    pub diffstat: Option<Diffstat>,
    /// Its pull request.
    #[serde(default)]
    pub pr_url: Option<String>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// A project's board.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Board {
    /// Its tickets.
    pub cards: Vec<Card>,
    /// The position of the event log that the board shows.
    #[serde(default)]
    pub position: Option<String>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// What goes on in all projects that the caller sees, in numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// Tickets that wait for a person.
    #[serde(default)]
    pub need_person: i64,
    /// Tickets that an agent works on.
    #[serde(default)]
    pub running: i64,
    /// Tickets that wait for a free slot.
    #[serde(default)]
    pub waiting: i64,
    /// Coordinators that are there.
    #[serde(default)]
    pub hosts: i64,
    /// Whether everything was stopped.
    #[serde(default)]
    pub stopped: bool,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// Everything that a ticket's page shows, apart from its log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TicketPage {
    /// The ticket.
    pub ticket: Ticket,
    /// Its card.
    pub card: Card,
    /// Its attempts.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// What people told the agent.
    #[serde(default)]
    pub messages: Vec<Message>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Its number.
    pub seq: i64,
    /// What happened, such as `job.claimed`.
    pub kind: String,
    /// Who did it.
    #[serde(default)]
    pub actor: Option<String>,
    /// Its project.
    #[serde(default)]
    pub project_id: Option<Uuid>,
    /// Its ticket.
    #[serde(default)]
    pub ticket_id: Option<Uuid>,
    /// Its job.
    #[serde(default)]
    pub job_id: Option<Uuid>,
    /// The attempt.
    #[serde(default)]
    pub attempt: Option<i64>,
    /// When.
    #[serde(default)]
    pub created_at: Option<DateTime<Utc>>,
    /// A few fields that depend on the kind.
    #[serde(default)]
    pub data: Value,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}
