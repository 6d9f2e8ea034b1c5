//! The project's secrets: which of them whom they are given to.

use super::Attempt;
use secrecy::SecretString;
use terarchitect_worker_api::{JobSecret, WorkerContext};

/// The project's secrets, under the names of their variables.
#[derive(Debug, Default)]
pub(super) struct Secrets(Vec<Secret>);

#[derive(Debug)]
struct Secret {
    name: String,
    value: SecretString,
    given_to_agent: bool,
}

impl Secrets {
    /// Those of the context, which then has none: nothing else of an attempt needs them. What can't be a variable, or would take the
    /// place of one that runner or agent need, is left out, whatever the API lets pass.
    pub(super) fn take(context: &mut WorkerContext) -> Self {
        let usable = |secret: &JobSecret| {
            JobSecret::is_name(&secret.name) && !JobSecret::is_reserved(&secret.name) && !secret.value.contains('\0')
        };
        let (usable, left_out): (Vec<_>, Vec<_>) = std::mem::take(&mut context.secrets).into_iter().partition(usable);
        for secret in left_out {
            tracing::warn!(
                name = secret.name,
                "a secret of the project can't be a variable of this name, and is left out"
            );
        }
        let kept = usable.into_iter().map(|JobSecret { name, value, given_to_agent }| Secret {
            name,
            value: value.into(),
            given_to_agent,
        });
        Self(kept.collect())
    }

    /// All values, for the mask.
    pub(super) fn values(&self) -> impl Iterator<Item = &SecretString> {
        self.0.iter().map(|secret| &secret.value)
    }

    /// What setup and verification commands get.
    pub(super) fn for_commands(&self) -> Vec<(String, SecretString)> {
        self.variables(|_| true)
    }

    /// What the agent gets, and with it everything that it starts.
    pub(super) fn for_agent(&self) -> Vec<(String, SecretString)> {
        self.variables(|secret| secret.given_to_agent)
    }

    fn variables(&self, wanted: impl Fn(&Secret) -> bool) -> Vec<(String, SecretString)> {
        let wanted = self.0.iter().filter(|secret| wanted(secret));
        wanted.map(|secret| (secret.name.clone(), secret.value.clone())).collect()
    }
}

impl Attempt {
    /// Says in the log which secrets the agent has, or should have and has not.
    pub(super) fn describe_secrets(&self) {
        let names: Vec<String> = self.secrets.for_agent().into_iter().map(|(name, _)| name).collect();
        if names.is_empty() {
            return;
        }
        let names = names.join(", ");
        let text = if self.agent.works_elsewhere() || self.agent.opencode_server.is_some() {
            format!(
                "The agent does not run on this machine, so it does not get the secrets that are marked for it: {names}"
            )
        } else {
            format!("The agent has these secrets of the project in its environment: {names}")
        };
        self.reporter.log("secrets", &text, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use serde_json::json;
    use terarchitect_worker_api::{ProjectId, TicketId};

    #[test]
    fn the_agent_gets_what_is_marked_and_no_one_gets_a_variable_of_the_runner() {
        let secret = |name: &str, marked: bool| json!({"name": name, "value": format!("{name}-value"), "given_to_agent": marked});
        let mut context: WorkerContext = serde_json::from_value(json!({
            "project_name": "Hello", "project_id": ProjectId::new(),
            "current_ticket": {"id": TicketId::new(), "title": "Greet", "priority": "low", "column_id": "in_progress", "status": "open"},
            "secrets": [secret("A", false), secret("B", true), secret("LD_PRELOAD", true), secret("not a name", true)],
        }))
        .unwrap();
        let secrets = Secrets::take(&mut context);
        assert!(context.secrets.is_empty());
        let shown = |given: Vec<(String, SecretString)>| {
            given.into_iter().map(|(name, value)| format!("{name}={}", value.expose_secret())).collect::<Vec<_>>()
        };
        assert_eq!(shown(secrets.for_commands()), ["A=A-value", "B=B-value"]);
        assert_eq!(shown(secrets.for_agent()), ["B=B-value"]);
        assert!(!format!("{secrets:?}").contains("-value"));
    }
}
