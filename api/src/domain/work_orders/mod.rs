//! Work orders: what they ask for, their lines, how they stand, and the prompt that is made of them.
//!
//! An order is a ticket with more to say. Its ticket's job says how it stands, and only where there is none, the order itself.

pub mod lines;
pub mod prompt;

use crate::domain::agents::object;
use crate::domain::agents::repos::branch;
use crate::domain::projects::board;
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::domain::tickets::TicketFields;
use crate::domain::words::words;
use crate::domain::{present, text};
use lines::Line;
use serde::Deserialize;
use serde_json::{Value, json};
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;
use uuid::Uuid;

/// The longest title of the ticket that is made of an order, in characters.
const MAX_TITLE_CHARS: usize = 120;
/// The longest key that makes an order one, in bytes.
const MAX_KEY_BYTES: usize = 200;

words! {
    /// How a work order stands.
    pub enum OrderStatus "work order status" {
        /// It was created, and no agent has begun.
        Pending = "pending",
        /// An agent works on it.
        Running = "running",
        /// It is done.
        Completed = "completed",
        /// It will not be done.
        Failed = "failed",
        /// A person cancelled it.
        Cancelled = "cancelled",
    }
}

words! {
    /// Where a work order comes from.
    pub enum Source "source of a work order" {
        /// Someone who wants it launched at once.
        Cloud = "cloud",
        /// Someone whose own agent works on it: it is not launched.
        Local = "local",
        /// A schedule.
        Job = "job",
    }
}

impl OrderStatus {
    /// Whether it has ended.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Checks that there is something to cancel.
    ///
    /// # Errors
    /// When it has ended.
    pub fn require_live(self) -> Result<(), Refusal> {
        if !self.has_ended() {
            return Ok(());
        }
        let sentence = format!("This work order is {} already, so there is nothing to cancel.", self.as_str());
        Err(Refusal::new(ErrorCode::NotLive, sentence))
    }
}

/// A work order as it is asked for.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[schema(as = WorkOrderBody)]
pub struct OrderRequest {
    /// What is to be reached. It or `lines` is required.
    pub objective: Option<String>,
    /// Who works on it; the repository's own agent, or OpenCode, if absent.
    pub agent_id: Option<Uuid>,
    /// The repository, which is a project. An order without one can't be launched.
    #[schema(value_type = Option<Uuid>)]
    pub repo_id: Option<ProjectId>,
    /// What it consists of: objects with `title`, `definition_of_done`, and an `id` if they have one; or just texts.
    #[schema(value_type = Option<Vec<Object>>)]
    pub lines: Option<Value>,
    /// What must be kept to, such as `do_not_modify` and `must_use`: an object.
    #[schema(value_type = Option<Object>)]
    pub constraints: Option<Value>,
    /// Where to look first, such as `start_here` and `reference`: an object.
    #[schema(value_type = Option<Object>)]
    pub exploration_hints: Option<Value>,
    /// How to see that it is done, such as `test_command`: an object.
    #[schema(value_type = Option<Object>)]
    pub verification: Option<Value>,
    /// The branch to begin on; the repository's default branch if absent.
    pub branch_name: Option<String>,
    /// Where it comes from: `cloud` if absent. `local` is not launched: an agent of one's own works on it.
    pub source: Option<Source>,
    /// What clients keep with it: an object.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
    /// The order that it follows from.
    pub parent_work_order_id: Option<Uuid>,
}

/// A work order to create: checked.
#[derive(Clone, Debug)]
pub struct NewOrder {
    /// The repository.
    pub repo: Option<ProjectId>,
    /// Who works on it; none: the repository's own agent, or OpenCode.
    pub agent: Option<Uuid>,
    /// Where it comes from.
    pub source: Source,
    /// The branch to begin on.
    pub branch_name: Option<String>,
    /// The order that it follows from.
    pub parent: Option<Uuid>,
    /// What it says.
    pub content: OrderContent,
    /// What clients keep with it.
    pub metadata: Value,
    /// A second order with the same key in the same repository is the first one.
    pub idempotency_key: Option<String>,
}

/// What a work order says: what its prompt is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderContent {
    /// What is to be reached.
    pub objective: String,
    /// What it consists of.
    pub lines: Vec<Line>,
    /// What must be kept to.
    pub constraints: Value,
    /// Where to look first.
    pub exploration_hints: Value,
    /// How to see that it is done.
    pub verification: Value,
}

impl OrderRequest {
    /// The order that is asked for.
    ///
    /// # Errors
    /// When a field is not valid, or neither an objective nor lines are there.
    pub fn into_new(self, idempotency_key: Option<String>) -> Result<NewOrder, Refusal> {
        let key = idempotency_key.filter(|key| !key.trim().is_empty());
        if key.as_ref().is_some_and(|key| key.len() > MAX_KEY_BYTES) {
            return Err(Refusal::invalid(format!("'Idempotency-Key' must be at most {MAX_KEY_BYTES} bytes long.")));
        }
        let lines = lines::parse(self.lines.unwrap_or(Value::Null))?;
        let objective = text::long_text("objective", self.objective.unwrap_or_default())?;
        let objective = match (objective.trim(), lines.first()) {
            ("", None) => {
                return Err(Refusal::invalid("A work order needs an 'objective', or 'lines' that say what to do."));
            }
            ("", Some(first)) => first.title.clone(),
            (given, _) => given.to_owned(),
        };
        let free = |field, value: Option<Value>| object(field, value.unwrap_or(Value::Null));
        Ok(NewOrder {
            repo: self.repo_id,
            agent: self.agent_id,
            source: self.source.unwrap_or(Source::Cloud),
            branch_name: named_branch(self.branch_name)?,
            parent: self.parent_work_order_id,
            content: OrderContent {
                objective,
                lines,
                constraints: free("constraints", self.constraints)?,
                exploration_hints: free("exploration_hints", self.exploration_hints)?,
                verification: free("verification", self.verification)?,
            },
            metadata: free("metadata", self.metadata)?,
            idempotency_key: key,
        })
    }
}

impl OrderContent {
    /// The ticket of this order, in this column.
    #[must_use]
    pub fn ticket(&self, column: &str) -> TicketFields {
        let first = self.objective.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("Work order");
        let title: String = first.chars().take(MAX_TITLE_CHARS).collect();
        let description = (title != self.objective).then(|| self.objective.clone());
        TicketFields { description, ..TicketFields::new(title, column) }
    }
}

impl NewOrder {
    /// The column that its ticket begins in, where `launch` says whether it is launched.
    #[must_use]
    pub fn column(launch: bool) -> &'static str {
        if launch { board::IN_PROGRESS } else { board::BACKLOG }
    }
}

/// Changes to a work order; absent fields stay as they are.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[schema(as = WorkOrderChanges)]
pub struct OrderChanges {
    /// What is to be reached.
    pub objective: Option<String>,
    /// Lines: those whose `id` is known are changed in the fields that they have, others are added.
    #[schema(value_type = Option<Vec<Object>>)]
    pub lines: Option<Value>,
    /// What must be kept to.
    #[schema(value_type = Option<Object>)]
    pub constraints: Option<Value>,
    /// Where to look first.
    #[schema(value_type = Option<Object>)]
    pub exploration_hints: Option<Value>,
    /// How to see that it is done.
    #[schema(value_type = Option<Object>)]
    pub verification: Option<Value>,
    /// What clients keep with it.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
    /// The branch to begin on.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub branch_name: Option<Option<String>>,
    /// Who works on it from its next launch on.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Uuid>)]
    pub agent_id: Option<Option<Uuid>>,
    /// What was done.
    pub summary: Option<String>,
    /// Why it failed.
    pub error_message: Option<String>,
    /// `cancelled` cancels it. `completed` and `failed` end one that nothing from here works on.
    pub status: Option<OrderStatus>,
}

/// The fields of a work order that can be changed.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderFields {
    /// What it says.
    pub content: OrderContent,
    /// What clients keep with it.
    pub metadata: Value,
    /// The branch to begin on.
    pub branch_name: Option<String>,
    /// Who works on it.
    pub agent_id: Option<Uuid>,
    /// What was done.
    pub summary: Option<String>,
    /// Why it failed.
    pub error_message: Option<String>,
}

impl OrderChanges {
    /// The fields after these changes, without the status.
    ///
    /// # Errors
    /// When a field is not valid.
    pub fn over(self, now: OrderFields) -> Result<OrderFields, Refusal> {
        let free = |field, new: Option<Value>, now| new.map_or(Ok(now), |value| object(field, value));
        let long = |field, new: Option<String>, now| match new {
            Some(text) => text::long_text(field, text).map(Some),
            None => Ok(now),
        };
        let content = now.content;
        let objective = match self.objective.map(|text| text.trim().to_owned()) {
            Some(text) if text.is_empty() => return Err(Refusal::invalid("'objective' must not be empty.")),
            Some(text) => text::long_text("objective", text)?,
            None => content.objective,
        };
        Ok(OrderFields {
            content: OrderContent {
                objective,
                lines: self.lines.map_or(Ok(content.lines.clone()), |new| lines::merge(&content.lines, new))?,
                constraints: free("constraints", self.constraints, content.constraints)?,
                exploration_hints: free("exploration_hints", self.exploration_hints, content.exploration_hints)?,
                verification: free("verification", self.verification, content.verification)?,
            },
            metadata: free("metadata", self.metadata, now.metadata)?,
            branch_name: self.branch_name.map_or(Ok(now.branch_name), named_branch)?,
            agent_id: self.agent_id.unwrap_or(now.agent_id),
            summary: long("summary", self.summary, now.summary)?,
            error_message: long("error_message", self.error_message, now.error_message)?,
        })
    }
}

fn named_branch(name: Option<String>) -> Result<Option<String>, Refusal> {
    name.filter(|name| !name.trim().is_empty()).map(|name| branch(&name)).transpose()
}

/// What a person wants of an order by naming its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing: that is how it stands.
    Nothing,
    /// Cancel it.
    Cancel,
    /// End it, though no job says so.
    End(OrderStatus),
}

/// What naming a status means for an order that stands so. `is_held`: a worker has its job.
///
/// # Errors
/// When the status can't be set.
pub fn asked(now: OrderStatus, named: OrderStatus, is_held: bool) -> Result<Asked, Refusal> {
    use OrderStatus::{Cancelled, Completed, Failed, Pending, Running};
    match named {
        named if named == now => Ok(Asked::Nothing),
        Cancelled => now.require_live().map(|()| Asked::Cancel),
        Completed | Failed if is_held => Err(Refusal::new(
            ErrorCode::NotAllowed,
            "An agent works on this order and reports how it ends; cancel it, or wait for its end.",
        )),
        Completed | Failed => Ok(Asked::End(named)),
        Pending | Running => Err(Refusal::invalid(
            "'status' can be set to cancelled, completed or failed; to launch the order again, use its path /launch.",
        )),
    }
}

/// An order that asks for this alone; for what creates orders by itself.
#[must_use]
pub fn plain(objective: impl Into<String>, repo: Option<ProjectId>, source: Source) -> NewOrder {
    let none = || json!({});
    NewOrder {
        repo,
        agent: None,
        source,
        branch_name: None,
        parent: None,
        content: OrderContent {
            objective: objective.into(),
            lines: Vec::new(),
            constraints: none(),
            exploration_hints: none(),
            verification: none(),
        },
        metadata: none(),
        idempotency_key: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(value: Value) -> Result<NewOrder, Refusal> {
        serde_json::from_value::<OrderRequest>(value).unwrap().into_new(None)
    }

    #[test]
    fn an_order_needs_something_to_do() {
        assert!(request(json!({})).is_err() && request(json!({"objective": "  ", "lines": []})).is_err());
        assert_eq!(request(json!({"lines": ["Add tests"]})).unwrap().content.objective, "Add tests");
        let order = request(json!({"objective": "Refactor auth module\n\nAll of it."})).unwrap();
        let ticket = order.content.ticket(NewOrder::column(true));
        assert_eq!((ticket.title.as_str(), ticket.column_id.as_str()), ("Refactor auth module", "in_progress"));
        assert_eq!(ticket.description.as_deref(), Some("Refactor auth module\n\nAll of it."));
        assert_eq!((order.source, order.metadata), (Source::Cloud, json!({})));
    }

    #[test]
    fn free_fields_are_objects_and_branches_are_branches() {
        for wrong in [
            json!({"objective": "x", "constraints": []}),
            json!({"objective": "x", "metadata": "text"}),
            json!({"objective": "x", "branch_name": "a b"}),
            json!({"objective": "x", "lines": {"title": "y"}}),
        ] {
            assert!(request(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_status_can_be_set_where_nobody_else_says_it() {
        use OrderStatus::{Cancelled, Completed, Failed, Pending, Running};
        assert_eq!(asked(Pending, Cancelled, false).unwrap(), Asked::Cancel);
        assert_eq!(asked(Running, Running, true).unwrap(), Asked::Nothing);
        assert_eq!(asked(Running, Failed, false).unwrap(), Asked::End(Failed));
        assert_eq!(asked(Completed, Cancelled, false).unwrap_err().code, ErrorCode::NotLive);
        assert_eq!(asked(Running, Completed, true).unwrap_err().code, ErrorCode::NotAllowed);
        assert!(asked(Pending, Running, false).is_err());
    }
}
