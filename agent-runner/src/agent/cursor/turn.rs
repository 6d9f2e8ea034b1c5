//! One turn: a launch or a follow-up, and the wait for its end.

use super::failure::{ended, failed, not_launched};
use super::launch::launch;
use super::{CursorAgent, There, words};
use crate::agent::{AgentError, AgentEvent, CloudFailure, TurnOutput};
use std::time::Duration;
use terarchitect_cursor::{Agent, CursorError, Launch, Launched, Speaker, Status, Version};
use tokio::time::Instant;

/// The most agents of a job: each after one that failed or was ended by Cursor.
const MOST_AGENTS: u32 = 10;
/// For how long looks at an agent that works may fail before the turn does.
const BLIND_LIMIT: Duration = Duration::from_secs(600);
/// For how long Cursor may say that an agent is still at work which is not.
const BUSY_LIMIT: Duration = Duration::from_secs(120);
/// The longest pause between two looks, in shortest ones.
const LONGEST_PAUSE: u32 = 6;

/// What an agent was told that an earlier attempt has prompted.
enum Before {
    /// Nothing new.
    Nothing,
    /// This very prompt. The agent's end, if it has ended.
    This(Option<Agent>),
    /// Something whose end is not known.
    Something,
}

impl CursorAgent {
    pub(super) async fn run_turn(&mut self, prompt: &str) -> Result<TurnOutput, AgentError> {
        let started = Instant::now();
        let known = match self.there.clone() {
            Some(there) => self.say(there, prompt).await?,
            None => self.launch(prompt).await?,
        };
        self.options.progress.event(AgentEvent::Accepted);
        let (over, text) = match known {
            Some(over) => self.read(over).await?,
            None => self.wait_for_answer(started).await?,
        };
        self.is_busy = false;
        let there = self.there.as_mut();
        let branch = there.map(|there| {
            there.is_new_here = false;
            there.run.clone_from(&over.run);
            over.branch.clone().unwrap_or_else(|| there.branch.clone())
        });
        match ended(&over) {
            Some(error) => Err(error),
            None => Ok(TurnOutput { text, branch, duration: started.elapsed(), ..TurnOutput::default() }),
        }
    }

    /// Launches an agent with the prompt, unless an earlier attempt of the job has. Returns its end, if that is known.
    async fn launch(&mut self, prompt: &str) -> Result<Option<Agent>, AgentError> {
        for number in 0..MOST_AGENTS {
            let launch = launch(&self.options, self.seed, number, String::new());
            let launch = Launch { prompt: words::with_place(prompt, &launch.branch), ..launch };
            let branch = launch.branch.clone();
            let Launched { agent, found } = self.launch_once(launch).await?;
            if found && matches!(agent.status, Status::Error | Status::Expired) {
                self.is_busy = false;
                continue;
            }
            let page = agent.url.clone();
            self.options.progress.event(AgentEvent::Launched { id: agent.id.clone(), page });
            let version = self.options.version.to_string();
            let prompts = usize::from(!found);
            let there = There { id: agent.id, branch, version, prompts, run: None, is_new_here: found };
            self.there = Some(there.clone());
            return if found { self.say(there, prompt).await } else { Ok(None) };
        }
        let message = "each agent of this job failed or was ended at Cursor: start the ticket again".to_owned();
        Err(AgentError::Cloud { message, of: CloudFailure::Agent })
    }

    async fn launch_once(&mut self, launch: Launch) -> Result<Launched, AgentError> {
        let cursor = self.cursor.clone();
        self.launching = Some(launch.clone());
        let launched = self.undisturbed(async move { cursor.launch(&launch).await.map(Some) }).await;
        let launched = launched.map_err(not_launched)?;
        self.launching = None;
        launched.ok_or_else(|| failed(CursorError::Unavailable { message: "the launch is not known".to_owned() }))
    }

    /// Gives the agent a further prompt. Returns its end, if an earlier attempt gave it this one and it has ended.
    async fn say(&mut self, there: There, prompt: &str) -> Result<Option<Agent>, AgentError> {
        let text = words::with_place(prompt, &there.branch);
        let before = if there.is_new_here { self.look_back(&there, &text).await? } else { Before::Nothing };
        let text = match before {
            Before::This(over) => return Ok(over),
            Before::Something => words::again(&text),
            Before::Nothing => text,
        };
        let until = Instant::now() + BUSY_LIMIT;
        loop {
            let (cursor, id, text) = (self.cursor.clone(), there.id.clone(), text.clone());
            match self.undisturbed(async move { cursor.follow_up(&id, &text).await.map(|()| None) }).await {
                Ok(_) => break,
                Err(CursorError::Busy { .. }) if Instant::now() < until => tokio::time::sleep(self.options.look).await,
                Err(error) => return Err(failed(error)),
            }
        }
        if let Some(there) = &mut self.there {
            there.prompts += 1;
        }
        Ok(None)
    }

    /// What an earlier attempt has told the agent since its last turn that is known to have ended. Afterwards it is idle, unless
    /// it works on this very prompt.
    async fn look_back(&mut self, there: &There, text: &str) -> Result<Before, AgentError> {
        let agent = self.cursor.agent(&there.id).await.map_err(failed)?;
        let prompts = self.cursor.prompts(&there.id).await.map_err(failed)?;
        if let Some(there) = &mut self.there {
            there.prompts = prompts;
        }
        let is_this = prompts == there.prompts + 1 && self.was_told(&there.id, text).await?;
        if !agent.status.is_over() {
            self.is_busy = true;
            if is_this {
                return Ok(Before::This(None));
            }
            self.cursor.stop(&there.id).await.map_err(failed)?;
            self.wait(&there.id, None).await?;
        } else if is_this && self.options.version == Version::V1 && agent.status == Status::Finished {
            // v0 says the same of one that was stopped.
            return Ok(Before::This(Some(agent)));
        }
        Ok(if prompts > there.prompts { Before::Something } else { Before::Nothing })
    }

    /// Whether this is what the agent was told last. v1 does not show that, so the number of prompts has to do there.
    async fn was_told(&self, id: &str, text: &str) -> Result<bool, AgentError> {
        if self.options.version == Version::V1 {
            return Ok(true);
        }
        let conversation = self.cursor.conversation(id).await.map_err(failed)?;
        let last = conversation.iter().rfind(|message| message.from == Speaker::User);
        Ok(last.is_some_and(|last| last.text.trim() == text.trim()))
    }

    /// Waits for the end of the turn.
    async fn wait_for_answer(&self, started: Instant) -> Result<(Agent, String), AgentError> {
        let Some(there) = &self.there else { return Err(failed(CursorError::NotFound { what: "the agent" })) };
        let settled = self.options.look * LONGEST_PAUSE;
        loop {
            let over = self.wait(&there.id, there.run.as_deref()).await?;
            let (over, text) = self.read(over).await?;
            // v0 may still show the end of the turn before.
            let is_early = self.options.version == Version::V0 && started.elapsed() < settled;
            if !(is_early && text.is_empty() && over.status == Status::Finished) {
                return Ok((over, text));
            }
        }
    }

    /// Waits until the agent has ended, with another run than `before`.
    async fn wait(&self, id: &str, before: Option<&str>) -> Result<Agent, AgentError> {
        let (started, mut blind_since) = (Instant::now(), None);
        loop {
            tokio::time::sleep(pause(self.options.look, started.elapsed())).await;
            match self.cursor.agent(id).await {
                Ok(agent) if agent.status.is_over() && (before.is_none() || agent.run.as_deref() != before) => {
                    return Ok(agent);
                }
                Ok(_) => blind_since = None,
                Err(error)
                    if error.may_pass() && blind_since.get_or_insert_with(Instant::now).elapsed() < BLIND_LIMIT =>
                {
                    tracing::warn!(%error, "could not see how Cursor's agent stands; looking again");
                    tokio::time::sleep(error.retry_after().unwrap_or_default()).await;
                }
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// What the agent said in the turn that has ended.
    async fn read(&self, over: Agent) -> Result<(Agent, String), AgentError> {
        let summary = over.summary.clone().unwrap_or_default();
        if self.options.version == Version::V1 || over.status != Status::Finished {
            return Ok((over, summary));
        }
        match self.cursor.conversation(&over.id).await {
            Ok(conversation) => Ok((over, words::answer(&conversation))),
            Err(error) if !summary.is_empty() => {
                tracing::warn!(%error, "could not read what Cursor's agent said; its summary has to do");
                Ok((over, summary))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Says something in a task of its own, which goes on when the turn is interrupted: what it did can be stopped then.
    async fn undisturbed(
        &mut self,
        saying: impl Future<Output = Result<Option<Launched>, CursorError>> + Send + 'static,
    ) -> Result<Option<Launched>, CursorError> {
        self.is_busy = true;
        let said = self.saying.insert(tokio::spawn(saying)).await;
        self.saying = None;
        let said = said.unwrap_or_else(|error| Err(CursorError::Unavailable { message: error.to_string() }));
        if said.as_ref().is_err_and(|error| !error.may_pass()) {
            // It was refused, so nothing works because of it.
            self.is_busy = false;
        }
        said
    }
}

/// The pause before the next look at an agent that has worked for so long.
fn pause(look: Duration, worked: Duration) -> Duration {
    (worked / 20).clamp(look, look * LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_become_rarer_and_never_rare() {
        let look = Duration::from_secs(5);
        assert_eq!(pause(look, Duration::ZERO), look);
        assert_eq!(pause(look, Duration::from_secs(200)), Duration::from_secs(10));
        assert_eq!(pause(look, Duration::from_secs(36_000)), Duration::from_secs(30));
    }
}
