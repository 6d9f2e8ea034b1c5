//! The client: each thing that can be done, whichever version is spoken.

use crate::http::{Failure, Http};
use crate::{Account, Agent, CursorError, Launch, Launched, Message, Patience, v0, v1};
use secrecy::SecretString;
use std::fmt;
use std::future::Future;
use std::str::FromStr;
use terarchitect_outbound::{Retry, Waits};
use url::Url;

/// Which of Cursor's APIs is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// The one with webhooks.
    #[default]
    V0,
    /// The one whose agents have runs.
    V1,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V0 => "v0",
            Self::V1 => "v1",
        })
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_ascii_lowercase().as_str() {
            "v0" => Ok(Self::V0),
            "v1" => Ok(Self::V1),
            _ => Err(format!("{text:?} is not a version of Cursor's API: use v0 or v1")),
        }
    }
}

/// A client of Cursor's Cloud Agents, for one key.
#[derive(Debug)]
pub struct Cursor {
    http: Http,
    version: Version,
}

impl Cursor {
    /// Where Cursor's API is.
    pub const API: &str = "https://api.cursor.com";

    /// A client of the API at this address.
    ///
    /// # Errors
    /// The HTTP client could not be set up, for example because no CA certificates can be read.
    pub fn new(api: Url, key: SecretString, version: Version, patience: Patience) -> Result<Self, CursorError> {
        Ok(Self { http: Http::new(api, key, patience)?, version })
    }

    /// Which API it speaks.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Launches an agent, unless an earlier call of the same launch has done so.
    ///
    /// # Errors
    /// Cursor refuses it or is unavailable. In the latter case the agent may have been launched; the next call with the
    /// same launch finds it.
    pub async fn launch(&self, launch: &Launch) -> Result<Launched, CursorError> {
        match self.version {
            // The id is enough: a second creation is refused.
            Version::V1 => once(&self.http, || v1::launch(&self.http, launch)).await,
            Version::V0 => once(&self.http, || v0::launch_once(&self.http, launch)).await,
        }
    }

    /// The agent of a launch, if there is one.
    ///
    /// # Errors
    /// Cursor refuses the call or is unavailable.
    pub async fn find(&self, launch: &Launch) -> Result<Option<Agent>, CursorError> {
        match self.version {
            Version::V0 => Ok(v0::find(&self.http, launch).await?),
            Version::V1 => match v1::agent(&self.http, &launch.agent_id()).await {
                Ok(agent) => Ok(Some(agent)),
                Err(CursorError::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    /// How an agent stands.
    ///
    /// # Errors
    /// There is none, or Cursor is unavailable.
    pub async fn agent(&self, id: &str) -> Result<Agent, CursorError> {
        match self.version {
            Version::V0 => v0::agent(&self.http, id).await,
            Version::V1 => v1::agent(&self.http, id).await,
        }
    }

    /// Gives an agent that has ended more to do. Said once, even where a response is lost.
    ///
    /// # Errors
    /// There is no such agent, it still works (v1), or Cursor is unavailable.
    pub async fn follow_up(&self, id: &str, prompt: &str) -> Result<(), CursorError> {
        match self.version {
            Version::V0 => {
                let before = v0::times_said(&self.http, id, prompt).await?;
                once(&self.http, || v0::follow_up_once(&self.http, id, prompt, before)).await
            }
            Version::V1 => {
                let before = v1::agent(&self.http, id).await?.run;
                once(&self.http, || v1::follow_up_once(&self.http, id, prompt, before.as_deref())).await
            }
        }
    }

    /// What was said so far, the oldest first. v1 tells only what the agent said at the end of each run.
    ///
    /// # Errors
    /// There is no such agent, or Cursor is unavailable.
    pub async fn conversation(&self, id: &str) -> Result<Vec<Message>, CursorError> {
        match self.version {
            Version::V0 => Ok(v0::conversation(&self.http, id).await?),
            Version::V1 => v1::conversation(&self.http, id).await,
        }
    }

    /// How many prompts an agent has got, that of its launch among them.
    ///
    /// # Errors
    /// There is no such agent, or Cursor is unavailable.
    pub async fn prompts(&self, id: &str) -> Result<usize, CursorError> {
        match self.version {
            Version::V0 => v0::prompts(&self.http, id).await,
            Version::V1 => v1::prompts(&self.http, id).await,
        }
    }

    /// Stops an agent's work; one that has ended stays as it is.
    ///
    /// # Errors
    /// There is no such agent, or Cursor is unavailable.
    pub async fn stop(&self, id: &str) -> Result<(), CursorError> {
        match self.version {
            Version::V0 => v0::stop(&self.http, id).await,
            Version::V1 => v1::stop(&self.http, id).await,
        }
    }

    /// Deletes an agent for good.
    ///
    /// # Errors
    /// There is no such agent, or Cursor is unavailable.
    pub async fn delete(&self, id: &str) -> Result<(), CursorError> {
        match self.version {
            Version::V0 => v0::delete(&self.http, id).await,
            Version::V1 => v1::delete(&self.http, id).await,
        }
    }

    /// Whose key it is.
    ///
    /// # Errors
    /// The key is wrong, or Cursor is unavailable.
    pub async fn me(&self) -> Result<Account, CursorError> {
        v0::me(&self.http, &format!("{}/me", self.version)).await
    }

    /// The models that an agent can have.
    ///
    /// # Errors
    /// The key is wrong, or Cursor is unavailable.
    pub async fn models(&self) -> Result<Vec<String>, CursorError> {
        match self.version {
            Version::V0 => v0::models(&self.http).await,
            Version::V1 => v1::models(&self.http).await,
        }
    }

    /// The addresses of the repositories that an agent can work on. Cursor allows this once a minute.
    ///
    /// # Errors
    /// The key is wrong, Cursor limits this call, or is unavailable.
    pub async fn repositories(&self) -> Result<Vec<String>, CursorError> {
        match self.version {
            Version::V0 => v0::repositories(&self.http).await,
            Version::V1 => v1::repositories(&self.http).await,
        }
    }
}

/// Calls until it is known what became of a write: `call` looks whether it happened before it writes.
async fn once<T, F, Done>(http: &Http, mut call: F) -> Result<T, CursorError>
where
    F: FnMut() -> Done,
    Done: Future<Output = Result<T, Failure>>,
{
    let mut waits = Waits::new(Retry::For(http.patience.failures));
    loop {
        match call().await {
            Ok(done) => return Ok(done),
            Err(Failure::Undone(error)) => return Err(error),
            Err(Failure::Lost(error)) => {
                // Cursor may still be at it when the connection is lost, so the look comes after a wait.
                let Some(wait) = waits.next_wait() else { return Err(error) };
                tracing::warn!(%error, "the response to a write was lost; looking whether it happened");
                tokio::time::sleep(wait).await;
            }
        }
    }
}
