//! A conversation that outlives its server: written as `opencode export` writes it, and read in with `opencode import`.

use super::config::environment;
use super::{OpenCode, protocol};
use crate::agent::AgentError;
use crate::agent::directories::Directories;
use crate::agent::process::{AgentProcess, Launch};
use crate::agent::users;
use secrecy::SecretString;
use serde_json::Value;
use std::time::Duration;

/// How long reading a conversation in may take.
const IMPORT_LIMIT: Duration = Duration::from_secs(120);
/// What a process says that succeeded.
const SUCCESS: &str = "exit status: 0";

impl OpenCode {
    /// The whole session, as `opencode import` reads it. Of a server that the runner did not start, nothing.
    pub(super) async fn read_session(&self) -> Result<Option<String>, AgentError> {
        let (Some(conversation), Some(_)) = (&self.conversation, &self.server) else { return Ok(None) };
        let session = self.api.whole_session(&conversation.session).await;
        let session = session.map_err(|error| protocol("reading the whole conversation", &error))?;
        Ok(Some(session.to_string()))
    }

    /// Reads a session in that another server wrote. The next turn goes on with it.
    pub(super) async fn read_in(&mut self, remembered: &str) -> Result<bool, AgentError> {
        let session = serde_json::from_str::<Value>(remembered).ok();
        let session = session.and_then(|session| session.pointer("/info/id")?.as_str().map(str::to_owned));
        let (Some(session), true, None) = (session, self.server.is_some(), &self.conversation) else {
            return Ok(false);
        };
        let file = self.options.state_dir.join("conversation.json");
        let written = std::fs::write(&file, remembered).and_then(|()| match &self.options.run_as {
            Some(user) => users::hand_over(&file, user),
            None => Ok(()),
        });
        if let Err(error) = written {
            tracing::warn!(%error, "could not write the earlier conversation down for OpenCode");
            return Ok(false);
        }
        let marker = uuid::Uuid::new_v4().to_string();
        let directories = Directories::new(&self.options);
        let password = SecretString::default();
        let launch = Launch {
            program: self.options.program.clone(),
            args: vec!["import".to_owned(), file.display().to_string()],
            env: environment(&self.options, &directories, &password, &marker, |name| std::env::var_os(name)),
            // Where it is read in decides which workspace it belongs to.
            directory: self.options.directory.clone(),
            run_as: self.options.run_as.clone(),
            marker,
            secrets: [self.options.provider.api_key.clone()]
                .into_iter()
                .flatten()
                .chain(self.options.secrets.iter().map(|(_, value)| value.clone()))
                .collect(),
        };
        let Ok(process) = AgentProcess::spawn(launch, |_, _| {}) else { return Ok(false) };
        let signs = process.signs().clone();
        let ended = tokio::time::timeout(IMPORT_LIMIT, signs.died()).await;
        match ended {
            // The server runs as the same user, and goes on.
            Ok(_) => process.clear_beside().await,
            Err(_) => process.stop().await,
        }
        let _ = std::fs::remove_file(&file);
        match ended {
            Ok((exit, _)) if exit == SUCCESS => {
                self.resumed = Some(session);
                Ok(true)
            }
            Ok((exit, tail)) => {
                tracing::warn!(exit, tail, "OpenCode did not read the earlier conversation in");
                Ok(false)
            }
            Err(_) => {
                tracing::warn!("OpenCode took too long to read the earlier conversation in");
                Ok(false)
            }
        }
    }
}
