//! Where the models of an attempt are, asked before any work starts.

use super::{Attempt, AttemptError};
use crate::probe::Probe;
use terarchitect_outbound::api_base;
use url::Url;

/// The addresses that work.
pub(super) struct Models {
    pub(super) agent: Url,
    pub(super) director: Option<Url>,
}

impl Attempt {
    /// Asks both models at the same time. A server of OpenCode that runs already has models of its own.
    pub(super) async fn find_models(&self) -> Result<Models, AttemptError> {
        let agent = &self.agent.model;
        let agent_probe = Probe {
            whose: "the agent's model",
            url_setting: "WORKER_LLM_URL",
            model_setting: "WORKER_MODEL",
            key_setting: "WORKER_API_KEY",
            base: agent.base_url.clone(),
            model: agent.model.clone(),
            key: agent.api_key.clone(),
        };
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
        });
        let ask_agent = async {
            if self.agent.opencode_server.is_some() {
                return Ok(agent.base_url.clone());
            }
            agent_probe.run().await
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
            (agent, director) = asking => Ok(Models { agent: agent?, director: director? }),
            () = self.cancel.cancelled() => Err(AttemptError::Cancelled),
        }
    }
}
