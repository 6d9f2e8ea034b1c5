//! What tickets have to show before they count as done.

use crate::domain::refusal::Refusal;
use crate::domain::work_orders::lines::Line;
use serde::Deserialize;
use serde_json::Value;
use terarchitect_worker_api::ProofTerms;
use utoipa::ToSchema;

/// How many commands or lines of each kind there may be.
const MAX_ENTRIES: usize = 50;
/// The longest of them, in bytes.
const MAX_ENTRY_BYTES: usize = 4 * 1024;

/// What tickets have to show from now on. What is absent is empty, so a name that is misspelt must not count as absent.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProofBody {
    /// Shell commands that prepare a checkout, in their order.
    pub setup: Vec<String>,
    /// Shell commands that must end with exit code 0 in a clean checkout of what the agent did.
    pub verification: Vec<String>,
    /// What must hold when a ticket is done, a sentence each.
    pub acceptance: Vec<String>,
}

impl ProofBody {
    /// The terms as they are stored: without blank entries.
    ///
    /// # Errors
    /// When there are too many of them, or one is too long.
    pub fn checked(self) -> Result<ProofTerms, Refusal> {
        Ok(ProofTerms {
            setup: entries("setup", self.setup)?,
            verification: entries("verification", self.verification)?,
            acceptance: entries("acceptance", self.acceptance)?,
        })
    }
}

fn entries(name: &str, entries: Vec<String>) -> Result<Vec<String>, Refusal> {
    let entries = entries.into_iter().map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty());
    let entries: Vec<String> = entries.collect();
    if entries.len() > MAX_ENTRIES {
        return Err(Refusal::invalid(format!("'{name}' has {} entries; {MAX_ENTRIES} are possible.", entries.len())));
    }
    for entry in &entries {
        if entry.len() > MAX_ENTRY_BYTES {
            return Err(Refusal::invalid(format!(
                "An entry of '{name}' has {} bytes; {MAX_ENTRY_BYTES} are possible.",
                entry.len()
            )));
        }
    }
    Ok(entries)
}

/// What one job has to show: what the project says, then its ticket, then its work order.
#[must_use]
pub fn all(of_project: ProofTerms, of_ticket: ProofTerms, of_order: ProofTerms) -> ProofTerms {
    let mut all = of_project;
    for more in [of_ticket, of_order] {
        all.setup.extend(more.setup);
        all.verification.extend(more.verification);
        all.acceptance.extend(more.acceptance);
    }
    all
}

/// What a work order says: its test command, and its lines with when they are done.
#[must_use]
pub fn of_order(lines: &[Line], verification: &Value) -> ProofTerms {
    let command = verification.get("test_command").and_then(Value::as_str).map(str::trim);
    let acceptance = lines.iter().map(|line| match line.definition_of_done.trim() {
        "" => line.title.clone(),
        done => format!("{}: {done}", line.title),
    });
    ProofTerms {
        setup: Vec::new(),
        verification: command.filter(|command| !command.is_empty()).map(str::to_owned).into_iter().collect(),
        acceptance: acceptance.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn verifying(commands: &[&str]) -> ProofTerms {
        ProofTerms { verification: commands.iter().map(|&line| line.to_owned()).collect(), ..ProofTerms::default() }
    }

    #[test]
    fn what_can_t_be_stored_or_run_is_refused_by_name() {
        let body = |commands: &[&str]| ProofBody {
            verification: commands.iter().map(|&line| line.to_owned()).collect(),
            ..ProofBody::default()
        };
        assert_eq!(body(&[" make ", ""]).checked().unwrap(), verifying(&["make"]));
        let said = format!("{:?}", body(&["x"; 51]).checked().unwrap_err());
        assert!(said.contains("verification"), "{said}");
        let long = "x".repeat(MAX_ENTRY_BYTES + 1);
        assert!(body(&[&long]).checked().is_err());
    }

    #[test]
    fn an_order_s_test_command_and_lines_are_terms_too() {
        let lines: Vec<Line> = serde_json::from_value(json!([
            {"id": "1", "title": "Add login", "definition_of_done": "Users can log in"}, {"id": "2", "title": "Document it"}
        ]))
        .unwrap();
        let terms = of_order(&lines, &json!({"test_command": "cargo test auth"}));
        assert_eq!(terms.verification, ["cargo test auth"]);
        assert_eq!(terms.acceptance, ["Add login: Users can log in", "Document it"]);
        let nothing = of_order(&[], &json!({"test_command": 7}));
        assert!(all(ProofTerms::default(), ProofTerms::default(), nothing).is_empty());
        let both = all(verifying(&["a"]), verifying(&["b"]), terms);
        assert_eq!(both.verification, ["a", "b", "cargo test auth"]);
    }
}
