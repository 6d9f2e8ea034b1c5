//! A project's memory: documents that are indexed once, and found by questions in natural language.

use serde::{Deserialize, Serialize};

/// Body of `POST /api/projects/{p}/memory/index`, and of `…/delete`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IndexRequest {
    /// The documents, as text.
    pub docs: Vec<String>,
}

/// Response to an indexing or a deletion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IndexResponse {
    /// A sentence for people.
    pub message: String,
    /// How many documents the request had.
    pub count: usize,
}

/// Body of `POST /api/projects/{p}/memory/retrieve`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RetrieveRequest {
    /// The questions.
    pub queries: Vec<String>,
    /// The most documents to return for each question.
    #[serde(default, deserialize_with = "crate::lenient::number", skip_serializing_if = "Option::is_none")]
    pub num_to_retrieve: Option<u32>,
}

/// Response of `POST /api/projects/{p}/memory/retrieve`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RetrieveResponse {
    /// One result per question, in their order.
    pub results: Vec<RetrieveResult>,
}

/// What was found for one question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RetrieveResult {
    /// The question.
    pub question: String,
    /// The documents, the best first.
    pub docs: Vec<String>,
    /// Their scores, in the same order; higher is better.
    pub doc_scores: Vec<f32>,
}
