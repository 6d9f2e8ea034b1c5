//! A server that was started before it is known what it works on.

use super::api::Api;
use super::server::{self, Identity};
use super::{OpenCode, boot};
use crate::agent::process::{AgentProcess, Signs};
use crate::agent::{AgentError, AgentOptions};

/// A server that is ready for its first workspace. Dropping it ends it.
pub(in crate::agent) struct PreparedOpenCode {
    options: AgentOptions,
    identity: Identity,
    api: Api,
    version: String,
    signs: Signs,
    server: AgentProcess,
}

impl PreparedOpenCode {
    /// Starts the server and lets it load what it needs in every workspace.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub(in crate::agent) async fn start(options: AgentOptions) -> Result<Self, AgentError> {
        let identity = Identity::draw();
        let (server, starting) = server::spawn(&options, &identity)?;
        let (api, version) = boot::own_server(&options, &starting, identity.password.clone()).await?;
        // Only saves time in the first turn, so its result does not matter.
        drop(api.warm_up().await);
        Ok(Self { options, identity, api, version, signs: starting.signs, server })
    }

    /// The agent with these options, if a server that is started with them now would be the same one.
    pub(in crate::agent) fn into_agent(self, options: AgentOptions) -> Result<OpenCode, Box<AgentOptions>> {
        let started = &self.options;
        let is_same = options.server.is_none()
            && (&started.program, &started.state_dir, &started.run_as)
                == (&options.program, &options.state_dir, &options.run_as)
            && self.identity.environment(started) == self.identity.environment(&options);
        if !is_same || self.signs.is_dead() {
            return Err(options.into());
        }
        Ok(OpenCode::with(options, self.api, self.version, Some(self.server)))
    }
}
