//! Tickets: their fields, how urgent they are, and the state of the work on them.

pub mod activity;
pub mod completion;
pub mod expected;
pub mod moves;
pub mod state;
pub mod steering;
pub mod usage;
pub mod waiting;

use crate::domain::projects::board;
use crate::domain::refusal::Refusal;
use crate::domain::words::words;
use crate::domain::{present, text};
use serde::Deserialize;
use utoipa::ToSchema;

/// The status of a ticket on which no work has begun.
pub const STATUS_TODO: &str = "todo";
/// The status of a ticket whose job is pending.
pub const STATUS_QUEUED: &str = "queued";
/// The status of a ticket whose job runs.
pub const STATUS_IN_PROGRESS: &str = "in_progress";
/// The status of a ticket whose runner reported completion.
pub const STATUS_COMPLETED: &str = "completed";
/// The status of a ticket whose job failed.
pub const STATUS_FAILED: &str = "failed";
/// The status of a ticket whose job was cancelled.
pub const STATUS_CANCELLED: &str = "cancelled";

words! {
    /// How urgent a ticket is.
    pub enum Priority "ticket priority" {
        /// Later.
        Low = "low",
        /// As usual.
        Medium = "medium",
        /// Soon.
        High = "high",
    }
}

/// What a ticket is made of, or changed to.
#[derive(Clone, Debug)]
pub struct TicketFields {
    /// The column of the board.
    pub column_id: String,
    /// Its title.
    pub title: String,
    /// What it asks for.
    pub description: Option<String>,
    /// Nodes of the graph that it is about.
    pub associated_node_ids: Vec<String>,
    /// Edges of the graph that it is about.
    pub associated_edge_ids: Vec<String>,
    /// How urgent it is.
    pub priority: Priority,
    /// The state of the work on it. The contract leaves this word to its clients.
    pub status: String,
}

impl TicketFields {
    /// A ticket with this title in this column, and nothing else yet.
    #[must_use]
    pub fn new(title: impl Into<String>, column_id: impl Into<String>) -> Self {
        Self {
            column_id: column_id.into(),
            title: title.into(),
            description: None,
            associated_node_ids: Vec::new(),
            associated_edge_ids: Vec::new(),
            priority: Priority::Medium,
            status: STATUS_TODO.to_owned(),
        }
    }
}

/// A new ticket, or changes to one; absent fields stay as they are.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = TicketBody)]
pub struct TicketChanges {
    /// Its title; required for a new one.
    pub title: Option<String>,
    /// The column of the board; required for a new one.
    pub column_id: Option<String>,
    /// What it asks for.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub description: Option<Option<String>>,
    /// How urgent it is; `medium` if unset.
    pub priority: Option<Priority>,
    /// The state of the work on it; `todo` if unset.
    pub status: Option<String>,
    /// Nodes of the graph that it is about; `["*"]` means all.
    pub associated_node_ids: Option<Vec<String>>,
    /// Edges of the graph that it is about; `["*"]` means all.
    pub associated_edge_ids: Option<Vec<String>>,
}

impl TicketChanges {
    /// The fields of a new ticket.
    ///
    /// # Errors
    /// When the title or the column is missing, or a field is not valid.
    pub fn into_new(self) -> Result<TicketFields, Refusal> {
        if self.title.is_none() || self.column_id.is_none() {
            return Err(Refusal::invalid(format!(
                "A ticket needs a 'title' and a 'column_id', such as \"{}\".",
                board::BACKLOG
            )));
        }
        self.over(TicketFields::new("", ""))
    }

    /// The fields after these changes.
    ///
    /// # Errors
    /// When a field is not valid.
    pub fn over(self, now: TicketFields) -> Result<TicketFields, Refusal> {
        let ids = |field, new: Option<Vec<String>>, now| new.map_or(Ok(now), |ids| text::associations(field, ids));
        Ok(TicketFields {
            title: self.title.map_or(Ok(now.title), |title| text::title("title", &title))?,
            column_id: self.column_id.unwrap_or(now.column_id),
            description: match self.description {
                Some(new) => new.map(|d| text::long_text("description", d)).transpose()?,
                None => now.description,
            },
            priority: self.priority.unwrap_or(now.priority),
            status: self.status.map_or(Ok(now.status), |status| text::title("status", &status))?,
            associated_node_ids: ids("associated_node_ids", self.associated_node_ids, now.associated_node_ids)?,
            associated_edge_ids: ids("associated_edge_ids", self.associated_edge_ids, now.associated_edge_ids)?,
        })
    }
}
