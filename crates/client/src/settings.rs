//! Whether the settings are complete and work.

use crate::{Client, ClientError, More};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Whether agents can run with the settings as they are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Readiness {
    /// Whether they can.
    #[serde(default)]
    pub ready: bool,
    /// Settings that are needed and missing.
    #[serde(default)]
    pub missing_required: Vec<MissingSetting>,
    /// What to know besides.
    #[serde(default)]
    pub warnings: Vec<serde_json::Value>,
}

/// A setting that is missing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MissingSetting {
    /// Its name.
    pub key: String,
    /// Its name for people.
    #[serde(default)]
    pub label: String,
    /// What it is needed for.
    #[serde(default)]
    pub reason: String,
}

/// What a server said when it was tried.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TestResult {
    /// Whether it works.
    pub ok: bool,
    /// What was found.
    #[serde(default)]
    pub sentence: String,
    /// More about it.
    #[serde(default)]
    pub detail: Option<String>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

impl Client {
    /// Whether the settings are complete.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn readiness(&self) -> Result<Readiness, ClientError> {
        self.get("api/settings/check", &[]).await
    }

    /// The settings: values, and of secrets whether they are set; what is not set is null or false.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn settings(&self) -> Result<serde_json::Value, ClientError> {
        self.get("api/settings", &[]).await
    }

    /// Tries what the settings name: `agent_model`, `director` or `forge`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn test_setting(&self, what: &str) -> Result<TestResult, ClientError> {
        self.post("api/settings/test", &json!({"what": what})).await
    }
}
