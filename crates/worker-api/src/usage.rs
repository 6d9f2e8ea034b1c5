//! What the calls of models came to.

use crate::BudgetLeft;
use serde::{Deserialize, Serialize};

/// What one model's calls came to, in all of an attempt so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelUsage {
    /// Whose model it is: `agent` or `director`.
    pub whose: String,
    /// The model.
    pub model: String,
    /// How many calls it answered.
    pub calls: i64,
    /// How many of them have no count of tokens.
    #[serde(default)]
    pub uncounted: i64,
    /// How many calls failed, repeated ones too.
    #[serde(default)]
    pub failed: i64,
    /// Tokens that it read, without those from its cache.
    #[serde(default)]
    pub input: i64,
    /// Tokens that it wrote, without its thinking.
    #[serde(default)]
    pub output: i64,
    /// Tokens of its thinking.
    #[serde(default)]
    pub reasoning: i64,
    /// Tokens that it read from its cache.
    #[serde(default)]
    pub cache_read: i64,
    /// Tokens that it wrote to its cache.
    #[serde(default)]
    pub cache_write: i64,
}

/// Body of `PUT …/usage`: all of an attempt so far, so that a report that is lost or repeated changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StoreUsageRequest {
    /// The attempt. A job token knows its own; with the worker key it may be absent too.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::lenient::number")]
    pub attempt: Option<i32>,
    /// What each model's calls came to.
    pub models: Vec<ModelUsage>,
}

/// Response to that.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StoredUsage {
    /// What happened.
    pub message: String,
    /// What the attempt may use in all, by what others have used up to now; absent where nothing is limited.
    #[serde(default, skip_serializing_if = "BudgetLeft::is_empty")]
    pub budget: BudgetLeft,
}
