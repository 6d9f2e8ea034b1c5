//! What is ready before there is a job: directories, the gateway's place, and an agent that waits behind it.
//!
//! Which agent that is, with which model, the last attempt of the same project has left on its cache volume. Agents can write there, so
//! it is taken for a guess: the job's own settings decide whether the agent that was started fits.

use super::models::AGENT;
use super::places::Places;
use super::{Attempt, AttemptError, agent_options};
use crate::agent::users::{self, RunAs};
use crate::agent::{self, Agent, AgentKind, AgentOptions, Prepared, Provider};
use crate::cli::Options;
use crate::config::CACHE_DIR;
use crate::gateway::{Entrance, GatewayError, Place};
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use terarchitect_outbound::chain;

/// The file with what the last attempt worked with.
const FILE: &str = ".terarchitect-agent.json";
/// The most that is read of it, in bytes.
const MAX_BYTES: u64 = 16 * 1024;

/// What an attempt worked with, as far as its agent has to know that at its start.
#[derive(Debug, Deserialize, Serialize, PartialEq, Eq)]
struct Expected {
    agent: String,
    model: String,
    turn_timeout_sec: u64,
    may_ask: bool,
}

/// What is ready. The default is nothing, which costs an attempt the time that this saves.
#[derive(Default)]
pub struct Warm {
    parts: Mutex<Parts>,
}

#[derive(Default)]
struct Parts {
    places: Option<Places>,
    place: Option<Place>,
    agent: Option<Prepared>,
}

impl Warm {
    /// Makes ready what can be, of options that say nothing about a job yet. What can't be is logged, and made when there is a job.
    pub async fn get_ready(options: &Options) -> Self {
        let mut parts = Parts::default();
        let done = match users::find(Some(options.agent_user.trim()).filter(|name| !name.is_empty())) {
            Ok(user) => parts.fill(options, user, Path::new(CACHE_DIR)).await,
            Err(error) => Err(chain(&error)),
        };
        if let Err(problem) = done {
            tracing::warn!(problem, "could not get an agent ready in advance; the job starts its own");
        }
        Self { parts: Mutex::new(parts) }
    }

    pub(super) fn places(&self) -> Option<Places> {
        self.parts().places.take()
    }

    /// Ends the agent that waits: this job has one elsewhere.
    pub(super) fn dismiss_agent(&self) {
        drop(self.agent());
    }

    fn place(&self) -> Option<Place> {
        self.parts().place.take()
    }

    fn agent(&self) -> Option<Prepared> {
        self.parts().agent.take()
    }

    fn parts(&self) -> std::sync::MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parts {
    async fn fill(&mut self, options: &Options, user: Option<RunAs>, cache: &Path) -> Result<(), String> {
        let workspace = Some(options.workspace_dir.trim()).filter(|dir| !dir.is_empty());
        let places =
            self.places.insert(Places::make(workspace.map(Path::new), user.as_ref()).map_err(|error| error.chain())?);
        let Some(expected) = Expected::read(cache) else { return Ok(()) };
        let Ok(kind) = expected.agent.parse::<AgentKind>() else { return Ok(()) };
        let place = Place::take(AGENT).await.map_err(|error| chain(&error))?;
        let Some(Entrance { base, placeholder }) = place.entrance() else { return Ok(()) };
        self.place = Some(place);
        let model = Provider { base_url: base, model: expected.model, api_key: Some(placeholder), limits: None };
        let expected = AgentOptions {
            turn_timeout: Duration::from_secs(expected.turn_timeout_sec),
            may_ask: expected.may_ask,
            ..agent_options(options, places, user, model)
        };
        self.agent = Prepared::start(kind, expected).await.map_err(|error| chain(&error))?;
        Ok(())
    }
}

impl Expected {
    fn of(kind: AgentKind, options: &AgentOptions) -> Self {
        Self {
            agent: kind.as_str().to_owned(),
            model: options.provider.model.clone(),
            turn_timeout_sec: options.turn_timeout.as_secs(),
            may_ask: options.may_ask,
        }
    }

    /// What the last attempt has left; none where there is nothing usable.
    fn read(cache: &Path) -> Option<Self> {
        // An agent may have put anything there: a link, or a pipe that nothing is ever written to.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(cache.join(FILE)).ok()?;
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        let mut text = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Leaves it for the next attempt. What was there is replaced, whatever it was, and never written through.
    fn leave(&self, cache: &Path) -> io::Result<()> {
        let mut draft = tempfile::Builder::new().prefix(FILE).tempfile_in(cache)?;
        serde_json::to_writer(&mut draft, self)?;
        draft.flush()?;
        draft.persist(cache.join(FILE)).map(drop).map_err(|error| error.error)
    }
}

impl Attempt {
    /// The gateway's place, which an agent that waits knows already.
    pub(super) async fn gateways_place(&self) -> Result<Place, GatewayError> {
        match self.warm.place() {
            Some(place) => Ok(place),
            None => Place::take(AGENT).await,
        }
    }

    /// The agent that waits, if it fits, or else one that is started now.
    pub(super) async fn waiting_or_new(
        &self,
        kind: AgentKind,
        options: AgentOptions,
    ) -> Result<Box<dyn Agent>, AttemptError> {
        self.leave_expectation(kind, &options);
        // As much as a server's start needs is not kept in each future above.
        let starting = Box::pin(async {
            match self.warm.agent() {
                Some(agent) => agent.or_start(kind, options).await,
                None => agent::start(kind, options).await,
            }
        });
        self.unless_cancelled(starting).await
    }

    fn leave_expectation(&self, kind: AgentKind, options: &AgentOptions) {
        let cache = Path::new(CACHE_DIR);
        let expected = Expected::of(kind, options);
        if !cache.is_dir() || Expected::read(cache).as_ref() == Some(&expected) {
            return;
        }
        if let Err(error) = expected.leave(cache) {
            tracing::warn!(%error, "could not note on the cache volume which agent works on this project; the next one starts cold");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Expected {
        Expected { agent: "opencode".into(), model: "large".into(), turn_timeout_sec: 60, may_ask: false }
    }

    #[test]
    fn what_an_attempt_leaves_replaces_what_an_agent_put_there() {
        let (cache, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(Expected::read(cache.path()), None);
        let (place, other) = (cache.path().join(FILE), elsewhere.path().join("file"));
        std::fs::write(&other, serde_json::to_vec(&expected()).unwrap()).unwrap();
        std::os::unix::fs::symlink(&other, &place).unwrap();
        assert_eq!(Expected::read(cache.path()), None, "a link is not followed");
        let mine = Expected { model: "small".into(), ..expected() };
        mine.leave(cache.path()).unwrap();
        assert_eq!(Expected::read(cache.path()), Some(mine));
        assert_eq!(std::fs::read(&other).unwrap(), serde_json::to_vec(&expected()).unwrap(), "nor written through");
        assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_unusable_is_as_if_there_were_nothing() {
        let cache = tempfile::tempdir().unwrap();
        let place = cache.path().join(FILE);
        for text in [&b"{"[..], b"", b"[]", &vec![b' '; 100_000]] {
            std::fs::write(&place, text).unwrap();
            assert_eq!(Expected::read(cache.path()), None);
        }
        std::fs::remove_file(&place).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&place).status().unwrap();
        assert!(made.success());
        assert_eq!(Expected::read(cache.path()), None, "a pipe is not waited for");
    }
}
