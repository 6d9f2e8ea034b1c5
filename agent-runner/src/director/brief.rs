//! What a run knows about its ticket before it starts, in the words that prompts use.

use terarchitect_worker_api::WorkerContext;

/// The ticket and its surroundings as text. All of it was written by others: prompts show it as data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brief {
    /// The project's name.
    pub project: String,
    /// What the project is.
    pub project_description: String,
    /// The ticket's title.
    pub title: String,
    /// What the ticket asks for.
    pub description: String,
    /// The part of the architecture graph that the ticket names.
    pub graph: String,
    /// The project's notes.
    pub notes: String,
    /// Titles of other tickets that are worked on right now.
    pub in_progress: String,
    /// Titles of tickets that were finished last.
    pub done: String,
    /// Passages of the project's memory that answer to this ticket.
    pub memory: String,
    /// What the repository itself says about working on it, e.g. its `AGENTS.md` or `CONTRIBUTING.md`.
    pub conventions: String,
    /// What an earlier run left on the branch, e.g. its commits; empty on a fresh branch.
    pub earlier_work: String,
}

impl Brief {
    /// The brief of a ticket, with passages from the project's memory.
    #[must_use]
    pub fn new(context: &WorkerContext, memory: &[String]) -> Self {
        let ticket = &context.current_ticket.ticket;
        Self {
            project: context.project_name.clone(),
            title: ticket.title.clone(),
            description: ticket.description.clone().unwrap_or_default(),
            memory: memory.join("\n"),
            ..Self::default()
        }
    }
}
