//! What a runner learns about its ticket: the response of `worker-context`.

use crate::words::words;
use crate::{
    BudgetLeft, ConversationInfo, JobSecret, ProjectId, ProofTerms, ReviewContext, ReviewReply, Stop, TicketId,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Settings for the agent by their names, such as `WORKER_MODEL`; the runner's own environment takes precedence over
/// them.
///
/// It contains secrets, so its `Debug` only shows the names.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct AgentSettings(pub BTreeMap<String, String>);

impl AgentSettings {
    /// The kind of the project's forge, where a person has set it.
    pub const FORGE_KIND: &'static str = "FORGE_KIND";
    /// The token that is stored for the host of the project's repository. Not every runner knows it.
    pub const FORGE_TOKEN: &'static str = "FORGE_TOKEN";
    /// The address of that host, such as `https://git.example:3000`.
    pub const FORGE_TOKEN_HOST: &'static str = "FORGE_TOKEN_HOST";

    /// The model that the agent works with.
    pub const WORKER_MODEL: &'static str = "WORKER_MODEL";
    /// Which agent works.
    pub const WORKER_MODE: &'static str = "WORKER_MODE";

    /// The setting's value, unless it is absent or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl std::fmt::Debug for AgentSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// How a ticket's branch that is continued gets what its base got since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum UpdateStrategy {
    /// The base is merged into the branch.
    #[default]
    Merge,
    /// The branch's commits are put on top of the base; where that has conflicts, the base is merged.
    Rebase,
}

words!(UpdateStrategy, "update strategy", { Merge => "merge", Rebase => "rebase" });

/// Response of `GET /api/projects/{p}/tickets/{t}/worker-context`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkerContext {
    /// The project's name.
    pub project_name: String,
    /// What the project is.
    #[serde(default)]
    pub project_description: Option<String>,
    /// The project's `github_url`, as it was entered.
    #[serde(default)]
    pub github_url: Option<String>,
    /// The repository to clone.
    #[serde(default)]
    pub repo_url: Option<String>,
    /// The project.
    pub project_id: ProjectId,
    /// The ticket to work on.
    pub current_ticket: CurrentTicket,
    /// The project's whole architecture graph; edges have `source_label` and `target_label`.
    #[serde(default)]
    pub graph: RelevantGraph,
    /// The part of the graph that the ticket names; nodes and edges also have `label_and_id`.
    #[serde(default)]
    pub graph_relevant_to_current_ticket: RelevantGraph,
    /// The project's notes.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub notes: Vec<Map<String, Value>>,
    /// Up to 10.
    #[serde(default)]
    pub backlog_tickets: Vec<ContextTicket>,
    /// Up to 5, the current one first.
    #[serde(default)]
    pub in_progress_tickets: Vec<ContextTicket>,
    /// Up to 5.
    #[serde(default)]
    pub done_tickets: Vec<ContextTicket>,
    /// Settings for the agent.
    #[serde(default)]
    pub agent_settings: AgentSettings,
    /// What the project's memory has about this ticket, the best first; absent if the API does not send it. A job token
    /// gives no access to the memory, so this is the only way for a container to get it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Vec<String>>,
    /// What an earlier attempt of the same job had finished before it failed; absent if there is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_work: Option<FinishedWork>,
    /// What reviewers say, where the job is one of a review that the API made of comments; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewContext>,
    /// The issue at the repository's forge that the ticket was made of, and that its pull request closes; absent if there is
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes_issue: Option<i64>,
    /// The branch that work starts from and is to be merged into; the repository's default branch if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_branch: Option<String>,
    /// How the ticket's branch gets what its base got since, where an earlier attempt has started it.
    #[serde(default)]
    pub update_strategy: UpdateStrategy,
    /// Whether the runner fetches the repository's submodules.
    #[serde(default)]
    pub submodules: bool,
    /// Where the job stops for a person.
    #[serde(default, deserialize_with = "crate::lenient::list", skip_serializing_if = "Vec::is_empty")]
    pub checkpoints: Vec<Stop>,
    /// What to work with, where the job was asked for by an agent's name; absent otherwise. Without a repository, its files are all
    /// that the workspace has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub input_data: Option<Value>,
    /// What an attempt of the same job handed in before it waited for a person; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub output_data: Option<Value>,
    /// What is kept of the conversation of an earlier attempt of the same job; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationInfo>,
    /// What the ticket has to show before it counts as done.
    #[serde(default, skip_serializing_if = "ProofTerms::is_empty")]
    pub proof: ProofTerms,
    /// The project's secrets, for the runner that holds the job's token alone.
    #[serde(default, deserialize_with = "crate::lenient::list", skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<JobSecret>,
    /// What the attempt's models may use; absent where nothing is limited.
    #[serde(default, skip_serializing_if = "BudgetLeft::is_empty")]
    pub budget: BudgetLeft,
}

/// Work that is done and pushed, while its pull request or its report is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FinishedWork {
    /// The id of the commit that the branch ended with. It counts only while that is still the branch's head.
    pub head: String,
    /// What was done.
    pub summary: String,
    /// Which review it answers; absent where it is the ticket's own work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<FinishedReview>,
    /// What was shown for it, as the pull request says it; absent if nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}

/// A review whose work is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FinishedReview {
    /// Names what the reviewers said: another review of the same ticket has another one.
    pub id: String,
    /// What is said about it at the pull request.
    pub comment: String,
    /// What is said in its threads.
    #[serde(default, deserialize_with = "crate::lenient::list", skip_serializing_if = "Vec::is_empty")]
    pub replies: Vec<ReviewReply>,
}

impl FinishedWork {
    /// The step of the ticket's log whose `raw_output` is this, as JSON.
    pub const STEP: &'static str = "work_finished";
}

/// Nodes and edges of an architecture graph, as the application stores them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RelevantGraph {
    /// The nodes.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub nodes: Vec<Value>,
    /// The edges.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub edges: Vec<Value>,
}

/// A ticket as the context lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContextTicket {
    /// The ticket.
    pub id: TicketId,
    /// Its title.
    pub title: String,
    /// What it asks for.
    #[serde(default)]
    pub description: Option<String>,
    /// `low`, `medium` or `high`.
    pub priority: String,
    /// The column of the board that it is in.
    pub column_id: String,
    /// Its status.
    pub status: String,
    /// `true` on the ticket that is worked on, absent on others.
    #[serde(rename = "_current_ticket", default, skip_serializing_if = "Option::is_none")]
    pub is_current: Option<bool>,
}

/// The ticket to work on, with the parts of the graph that it names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CurrentTicket {
    /// What every ticket has.
    #[serde(flatten)]
    pub ticket: ContextTicket,
    /// Nodes of the graph; `["*"]` means all.
    #[serde(default)]
    pub associated_node_ids: Vec<String>,
    /// Edges of the graph; `["*"]` means all.
    #[serde(default)]
    pub associated_edge_ids: Vec<String>,
    /// `"label: id"` for each node.
    #[serde(default)]
    pub associated_nodes_labeled: Vec<String>,
    /// `"A → B: id"` for each edge.
    #[serde(default)]
    pub associated_edges_labeled: Vec<String>,
}
