//! Where the models of an attempt are, asked before any work starts, and the gateway to them.

use super::{Attempt, AttemptError};
use crate::agent::{LastTrouble, Provider};
use crate::gateway::{Entrance, Gateway, Spent, Upstream};
use crate::probe::Probe;
use crate::wire::Wire;
use std::sync::Arc;
use std::time::Duration;
use terarchitect_outbound::api_base;
use terarchitect_worker_api::{BudgetLeft, BudgetLimit, EntryData};
use url::Url;

/// The names of the models behind the gateway.
pub(super) const AGENT: &str = "agent";
pub(super) const DIRECTOR: &str = "director";

/// For how long a call of the agent that fails for now is repeated.
const AGENT_PATIENCE: Duration = Duration::from_secs(75);

/// How long the agent's model may say nothing.
const AGENT_SILENCE: Duration = Duration::from_secs(300);

/// How long the Director's may: it is not asked for a stream, so its whole answer has to be there in this time.
const DIRECTOR_SILENCE: Duration = Duration::from_secs(600);

/// The addresses that work.
struct Addresses {
    agent: Option<Url>,
    director: Option<Url>,
}

/// The models of an attempt, behind a gateway. Dropping it ends all calls.
pub(super) struct Models {
    gateway: Arc<Gateway>,
}

impl Models {
    /// What the calls of agent or Director came to so far.
    pub(super) fn spent(&self, whose: &str) -> Spent {
        self.gateway.spent(whose)
    }

    /// Limits what both may use from now on.
    pub(super) fn limit(&self, attempt: &Attempt, left: BudgetLeft) {
        self.gateway.limit(left, |whose| match whose {
            AGENT => attempt.agent.model().map(|model| model.model.clone()),
            _ => attempt.agent.director.as_ref().map(|director| director.model.clone()),
        });
    }

    /// The limit that is reached, if one is.
    pub(super) fn reached(&self) -> Option<BudgetLimit> {
        self.gateway.reached()
    }

    /// The agent's model as the agent knows it: with a placeholder instead of the key.
    pub(super) fn for_agent(&self, model: &Provider) -> Provider {
        match self.gateway.entrance(AGENT) {
            Some(Entrance { base, placeholder }) => {
                Provider { base_url: base, api_key: Some(placeholder), ..model.clone() }
            }
            // A server of the agent that runs already has models of its own.
            None => model.clone(),
        }
    }

    /// How the agent's model fares.
    pub(super) fn last_trouble(&self) -> LastTrouble {
        let gateway = self.gateway.clone();
        Arc::new(move || gateway.trouble(AGENT).map(|trouble| (trouble.kind, trouble.message)))
    }

    /// The way to the Director's model; none where there is no Director.
    pub(super) fn for_director(&self) -> Option<Entrance> {
        self.gateway.entrance(DIRECTOR)
    }
}

/// What the calls of a model came to, for people.
fn describe(whose: &str, spent: &Spent) -> String {
    let Spent { calls, uncounted, failed, tokens } = spent;
    let of = if whose == AGENT { "The agent's model" } else { "The Director's model" };
    let plural = |count: u64, one: &str| if count == 1 { format!("{count} {one}") } else { format!("{count} {one}s") };
    let read = tokens.input + tokens.cache_read + tokens.cache_write;
    let mut text = format!(
        "{of} answered {}: {} read, {} of them from its cache, and {} written",
        plural(*calls, "call"),
        plural(read, "token"),
        tokens.cache_read,
        tokens.output + tokens.reasoning
    );
    if *uncounted > 0 {
        text.push_str(&format!("; tokens not counted in {}", plural(*uncounted, "call")));
    }
    if *failed > 0 {
        text.push_str(&format!("; {} failed", plural(*failed, "call")));
    }
    text
}

impl Attempt {
    /// Writes into the log what the calls of agent and Director came to.
    pub(super) fn report_spent(&self, models: &Models) {
        let director = self.agent.director.as_ref().map(|director| director.model.clone());
        let agent = self.agent.model().map(|model| model.model.clone());
        for (whose, model) in [(AGENT, agent), (DIRECTOR, director)] {
            let spent = models.spent(whose);
            let Some(model) = model.filter(|_| spent != Spent::default()) else { continue };
            let Spent { calls, uncounted, failed, tokens } = spent;
            let data = EntryData::ModelUsage {
                whose: whose.to_owned(),
                model,
                calls,
                uncounted,
                failed,
                input: tokens.input,
                output: tokens.output,
                reasoning: tokens.reasoning,
                cache_read: tokens.cache_read,
                cache_write: tokens.cache_write,
            };
            self.reporter.log_data("model_usage", &describe(whose, &spent), None, data);
        }
    }

    /// Asks both models, and starts the gateway to them.
    pub(super) async fn find_models(&self) -> Result<Models, AttemptError> {
        let found = self.find_addresses().await?;
        let agent = self.agent.model().zip(found.agent).filter(|_| self.agent.opencode_server.is_none());
        let agent = agent.map(|(model, base)| Upstream {
            name: AGENT,
            base,
            key: model.api_key.clone(),
            model: Some(model.model.clone()),
            patience: AGENT_PATIENCE,
            silence: AGENT_SILENCE.min(self.agent.turn_timeout),
        });
        let director = self.agent.director.as_ref().zip(found.director).map(|(director, base)| Upstream {
            name: DIRECTOR,
            base,
            key: director.key.clone(),
            model: None,
            // Its client decides about retries itself: it also repeats what is no usable answer.
            patience: Duration::ZERO,
            silence: DIRECTOR_SILENCE,
        });
        let place = self.gateways_place().await?;
        let models = Models { gateway: Arc::new(Gateway::start_at(place, agent.into_iter().chain(director))?) };
        models.limit(self, self.budget.get());
        Ok(models)
    }

    /// Asks both models at the same time. A server of OpenCode that runs already has models of its own, and so has a cloud.
    async fn find_addresses(&self) -> Result<Addresses, AttemptError> {
        let agent = self.agent.model().filter(|_| self.agent.opencode_server.is_none());
        let agent_probe = agent.map(|agent| Probe {
            whose: "the agent's model",
            url_setting: "WORKER_LLM_URL",
            model_setting: "WORKER_MODEL",
            key_setting: "WORKER_API_KEY",
            base: agent.base_url.clone(),
            model: agent.model.clone(),
            key: agent.api_key.clone(),
            wire: self.agent.kind().wire(),
        });
        // A wrong address is named where the client for it is created.
        let base = self.agent.director.as_ref().and_then(|director| Some((director, api_base(&director.url).ok()?)));
        let director_probe = base.map(|(director, base)| Probe {
            whose: "the Director's model",
            url_setting: "AGENT_LLM_URL",
            model_setting: "AGENT_MODEL",
            key_setting: "AGENT_API_KEY",
            base,
            model: director.model.clone(),
            key: director.key.clone(),
            wire: Wire::Chat,
        });
        let ask_agent = async {
            match &agent_probe {
                Some(probe) => probe.run().await.map(Some),
                None => Ok(None),
            }
        };
        let ask_director = async {
            match &director_probe {
                Some(probe) => probe.run().await.map(Some),
                None => Ok(None),
            }
        };
        // Where both are wrong, the agent's is named: the Director's address is the same unless it is set apart.
        let asking = async { tokio::join!(ask_agent, ask_director) };
        tokio::select! {
            (agent, director) = asking => Ok(Addresses { agent: agent?, director: director? }),
            () = self.cancel.cancelled() => Err(AttemptError::Cancelled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Tokens;

    #[test]
    fn what_was_spent_is_said_in_a_sentence() {
        let tokens = Tokens { input: 900, output: 40, reasoning: 10, cache_read: 100, cache_write: 0 };
        let spent = Spent { calls: 3, uncounted: 1, failed: 1, tokens };
        assert_eq!(
            describe(AGENT, &spent),
            "The agent's model answered 3 calls: 1000 tokens read, 100 of them from its cache, and 50 written; tokens \
             not counted in 1 call; 1 call failed"
        );
        let spent = Spent { calls: 1, ..Spent::default() };
        assert_eq!(
            describe(DIRECTOR, &spent),
            "The Director's model answered 1 call: 0 tokens read, 0 of them from its cache, and 0 written"
        );
    }
}
