//! What a ticket has to show before it counts as done.

use serde::{Deserialize, Serialize};

/// Commands and acceptance lines of a ticket and its project. What the repository itself says about them is in its
/// `.terarchitect.toml`, which the runner reads from the base branch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProofTerms {
    /// Shell commands that prepare a checkout, in their order: before the agent's first turn, and before the verification.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<String>,
    /// Shell commands that must end with exit code 0 in a clean checkout of what the agent did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verification: Vec<String>,
    /// What must hold when the ticket is done, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acceptance: Vec<String>,
}

impl ProofTerms {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.setup.is_empty() && self.verification.is_empty() && self.acceptance.is_empty()
    }
}
