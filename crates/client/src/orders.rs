//! Work orders, and the agents that work on them.

use crate::{Client, ClientError, More};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// A work order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkOrder {
    /// Its id, which is also its ticket's.
    pub id: Uuid,
    /// Its project.
    #[serde(default)]
    pub project_id: Option<Uuid>,
    /// What is to be reached.
    #[serde(default)]
    pub objective: String,
    /// `pending`, `running`, `completed`, `failed` or `cancelled`.
    #[serde(default)]
    pub status: String,
    /// `cloud`, `local` or `job`.
    #[serde(default)]
    pub source: String,
    /// What it consists of.
    #[serde(default)]
    pub lines: Vec<OrderLine>,
    /// The branch to begin on, or the one that was made.
    #[serde(default)]
    pub branch_name: Option<String>,
    /// Its pull request.
    #[serde(default)]
    pub pr_url: Option<String>,
    /// What was done.
    #[serde(default)]
    pub summary: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub error_message: Option<String>,
    /// Why it was not launched.
    #[serde(default)]
    pub launch_error: Option<String>,
    /// What people call its agent; only where one order is asked for.
    #[serde(default)]
    pub agent_name: Option<String>,
    /// The newest entries of its log, the oldest first; only where one order is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<OrderLog>,
    /// When it was created.
    #[serde(default)]
    pub created_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(default)]
    pub finished_at: Option<DateTime<Utc>>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// A line of a work order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrderLine {
    /// What it is called in its order.
    #[serde(default)]
    pub id: String,
    /// What to do.
    #[serde(default)]
    pub title: String,
    /// What must hold when it is done.
    #[serde(default)]
    pub definition_of_done: String,
    /// `pending`, `in_progress`, `completed` or `skipped`.
    #[serde(default)]
    pub status: String,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// An entry of a work order's log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrderLog {
    /// What happened, such as `tool_call`.
    #[serde(default)]
    pub event_type: String,
    /// What happened, for a person.
    #[serde(default)]
    pub summary: String,
    /// Whether it went well.
    #[serde(default)]
    pub success: bool,
    /// When it was stored.
    #[serde(default)]
    pub created_at: Option<DateTime<Utc>>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// A page of work orders.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrderPage {
    /// The orders, the newest first.
    pub work_orders: Vec<WorkOrder>,
    /// Send it for the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<i64>,
}

/// Which work orders to list.
#[derive(Clone, Debug, Default)]
pub struct OrderFilter {
    /// Only those of this project.
    pub project: Option<Uuid>,
    /// Only those that stand so.
    pub status: Option<String>,
    /// At most so many.
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<i64>,
}

/// The result of a request to create a work order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LaunchedOrder {
    /// The order.
    pub work_order_id: Uuid,
    /// How it stands.
    #[serde(default)]
    pub status: String,
    /// Why it was not launched.
    #[serde(default)]
    pub launch_error: Option<String>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// An agent of the catalogue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CatalogueAgent {
    /// Its id.
    pub id: Uuid,
    /// Its name for programs.
    #[serde(default)]
    pub slug: String,
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

#[derive(Deserialize)]
struct Agents {
    agents: Vec<CatalogueAgent>,
}

#[derive(Deserialize)]
struct Preview {
    prompt: String,
}

impl Client {
    /// Work orders, the newest first.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn orders(&self, filter: &OrderFilter) -> Result<OrderPage, ClientError> {
        let mut query = Vec::new();
        query.extend(filter.project.map(|id| ("repo_id", id.to_string())));
        query.extend(filter.status.clone().map(|status| ("status", status)));
        query.extend(filter.limit.map(|limit| ("limit", limit.to_string())));
        query.extend(filter.cursor.map(|cursor| ("cursor", cursor.to_string())));
        self.get("api/v1/work-orders", &query).await
    }

    /// One work order, with the end of its log.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn order(&self, id: Uuid) -> Result<WorkOrder, ClientError> {
        self.get(&format!("api/v1/work-orders/{id}"), &[]).await
    }

    /// Creates a work order, with the fields that the API's document has, and launches it unless its source is `local`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn create_order(&self, order: &Value) -> Result<LaunchedOrder, ClientError> {
        self.post("api/v1/work-orders", order).await
    }

    /// The prompt that a work order would have.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn preview_order(&self, order: &Value) -> Result<String, ClientError> {
        let preview: Preview = self.post("api/v1/work-orders/preview", order).await?;
        Ok(preview.prompt)
    }

    /// Cancels a work order; its worker may still have to stop.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn cancel_order(&self, id: Uuid) -> Result<LaunchedOrder, ClientError> {
        self.post(&format!("api/v1/work-orders/{id}/cancel"), &json!({})).await
    }

    /// The agents of the catalogue.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn catalogue(&self) -> Result<Vec<CatalogueAgent>, ClientError> {
        let all: Agents = self.get("api/v1/agents", &[]).await?;
        Ok(all.agents)
    }
}
