//! Carries out the decisions of `flow`: prompts the agent, asks the Director's model, calls the hooks.

use super::chat::{ChatMessage, ChatModel};
use super::flow::{Action, Event, Failure, Note, Step, next, start};
use super::saved::{Saved, write};
use super::verdict::Verdict;
use super::words::{Report, with_messages};
use super::{Brief, DriveError, Judged, Limits, Phase};
use crate::agent::{Agent, AgentError, Asked, TurnOutput};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio_util::sync::CancellationToken;

/// What the agent is told where its last turn ended with the attempt's budget.
const CUT_OFF: &str = "Your last turn was cut off before its end. What you changed is kept: look at what is there already, and go \
on with what is missing. This was the task:";

/// What the caller does around the turns.
#[async_trait]
pub trait DriveHooks: Send {
    /// Called after each turn of the agent: logs it, commits and pushes what it changed, and returns what that was.
    /// `turn` counts all turns of the agent from 1. An error ends the attempt as [`DriveError::Hook`].
    async fn after_turn(&mut self, phase: Phase, turn: u32, output: &TurnOutput) -> Result<TurnChanges, anyhow::Error>;

    /// Called after a turn that was stopped because the agent is stuck: keeps what it changed. An error ends the attempt as
    /// [`DriveError::Hook`].
    async fn stopped(&mut self, _phase: Phase, _turn: u32) -> Result<(), anyhow::Error> {
        Ok(())
    }

    /// The files that the branch changes so far, as `git diff --stat` shows them. Never fails the attempt.
    async fn so_far(&mut self) -> String {
        String::new()
    }

    /// What people wrote that no prompt had yet, for this turn's prompt; the same turn gets the same words again. Never
    /// fails the attempt.
    async fn messages(&mut self, _turn: u32) -> Vec<Words> {
        Vec::new()
    }

    /// Called before each turn of the agent with its prompt and the people's words in it. Never fails the attempt.
    async fn before_turn(&mut self, phase: Phase, turn: u32, _prompt: &str, _words: &[Words]) {
        self.log(phase.as_str(), &format!("Agent turn {turn} starts"), None).await;
    }

    /// Where an earlier attempt left the work, as [`Self::keep`] got it. Asked once, at the beginning.
    fn resumed(&mut self) -> Option<String> {
        None
    }

    /// Keeps where the work stands after a turn, with what the agent remembers. Never fails the attempt.
    async fn keep(&mut self, _turn: u32, _saved: String, _remembered: Option<String>) {}

    /// Whether [`Self::keep`] does anything.
    fn keeps(&self) -> bool {
        false
    }

    /// Called before each turn that may change files, with the plan and where the work stands: a person may have to approve it
    /// first. Returns what the person said to the agent.
    async fn may_work(&mut self, _phase: Phase, _plan: &str, _saved: &str) -> Result<Option<String>, anyhow::Error> {
        Ok(None)
    }

    /// Verifies what the branch has. By default nothing is there to verify it with.
    async fn verify(&mut self) -> Result<Verified, anyhow::Error> {
        Ok(Verified::default())
    }

    /// Called when the agent asked something, with where the work stands: a person answers that first. Returns what the person said.
    /// By default no person is there.
    async fn ask(&mut self, _asked: &Asked, _saved: &str) -> Result<Option<String>, anyhow::Error> {
        Ok(None)
    }

    /// Called when the attempt's budget is used up in the midst of a turn, with where the work stands and what the agent remembers: a
    /// person may grant more. Returns whether the work goes on; if not, it ends with the error that it had.
    async fn out_of_budget(
        &mut self,
        _turn: u32,
        _saved: &str,
        _remembered: Option<String>,
    ) -> Result<bool, anyhow::Error> {
        Ok(false)
    }

    /// Adds the Director's decision about a turn to the ticket's log, with its answer as it came. Never fails the attempt.
    async fn decided(&mut self, phase: Phase, _turn: u32, summary: &str, answer: Option<&str>, _verdict: &Verdict) {
        self.log(phase.as_str(), summary, answer).await;
    }

    /// Adds an entry to the ticket's log: the start of a turn, or the Director's decision with its answer as it came.
    /// Never fails the attempt.
    async fn log(&mut self, step: &str, summary: &str, raw_output: Option<&str>);
}

/// What a person wrote to the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// The message's id.
    pub id: uuid::Uuid,
    /// The words.
    pub text: String,
}

/// What a turn changed in the repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnChanges {
    /// Whether anything changed.
    pub changed: bool,
    /// The changed files with their numbers of added and removed lines, as `git diff --stat` shows them.
    pub diffstat: String,
    /// The change itself, if the Director should see it; a long one is shortened before.
    pub diff: Option<String>,
    /// What could not be committed, a line for each path with the reason; empty if there is none.
    pub left_out: String,
}

/// What became of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// What failed, in a line; empty if nothing did.
    pub failure: String,
    /// The same for the agent, with what the commands printed.
    pub for_agent: String,
}

/// The result of a ticket that is complete.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// What was done, for the pull request.
    pub summary: String,
    /// Why nothing needed to change, if the Director gives a reason.
    pub reason: Option<String>,
    /// Of a review: what is replied in each thread, by its number.
    pub replies: BTreeMap<u32, String>,
    /// What the Director says about each acceptance line, by its number from 1.
    pub acceptance: BTreeMap<u32, Judged>,
    /// What was shown for it, as the pull request says it. Filled in by the caller.
    pub proof: String,
    /// How many turns the agent took, research and plan included.
    pub agent_turns: u32,
    /// The agent's cost in dollars, where its model's prices are known.
    pub cost_usd: Option<f64>,
}

/// Drives the agent until the ticket is complete. With `director: None` the agent works alone. The agent is left
/// running; its owner calls [`Agent::shutdown`].
///
/// # Errors
/// The agent, the Director's model or a hook failed, the attempt was cancelled, or the ticket could not be completed.
pub async fn drive(
    brief: &Brief,
    limits: Limits,
    agent: &mut dyn Agent,
    director: Option<&ChatModel>,
    hooks: &mut dyn DriveHooks,
    cancel: &CancellationToken,
) -> Result<Outcome, DriveError> {
    let saved = hooks.resumed().and_then(|saved| Saved::read(&saved, limits, director.is_some()));
    let (agent_turns, cost_usd) = saved.as_ref().map_or((0, None), |saved| (saved.agent_turns, saved.cost_usd));
    let mut drive = Drive { agent, director, hooks, cancel, agent_turns, cost_usd };
    let mut step = saved.map_or_else(|| start(brief.clone(), limits, director.is_some()), Saved::into_step);
    let mut answer = None;
    loop {
        if let Some(note) = &step.note {
            tracing::info!(phase = %note.phase, "{}", note.text);
            drive.note(note, answer.as_deref()).await;
        }
        if let Some(text) = step.state.stuck.take_note() {
            tracing::info!("{text}");
            drive.hooks.log("stuck", &text, None).await;
        }
        let said = drive.may_work(&step).await?;
        if let Action::PromptAgent { prompt, .. } = &mut step.action {
            *prompt = with_messages(prompt, &said);
        }
        let event = match step.action {
            Action::Finish { summary, reason } => {
                let (replies, acceptance) = (step.state.replies, step.state.acceptance);
                return Ok(Outcome { replies, acceptance, ..drive.outcome(summary, reason) });
            }
            Action::Fail(failure) => return Err(failed(failure)),
            _ => match drive.act(&step).await {
                Err(error) if error.is_budget() => {
                    drive.ask_for_more(&mut step, error).await?;
                    continue;
                }
                done => done?,
            },
        };
        answer = match &event {
            Event::DirectorSaid(answer) => Some(answer.clone()),
            _ => None,
        };
        let ended_turn = matches!(event, Event::AgentDone(_) | Event::AgentAsked(..) | Event::AgentStuck(..));
        step = next(step.state, event);
        if ended_turn {
            drive.keep(&step).await;
        }
    }
}

struct Drive<'a> {
    agent: &'a mut dyn Agent,
    director: Option<&'a ChatModel>,
    hooks: &'a mut dyn DriveHooks,
    cancel: &'a CancellationToken,
    agent_turns: u32,
    cost_usd: Option<f64>,
}

impl Drive<'_> {
    async fn act(&mut self, step: &Step) -> Result<Event, DriveError> {
        match &step.action {
            Action::PromptAgent { phase, prompt } => self.prompt(*phase, prompt).await,
            Action::AskDirector { phase, messages } => self.ask(*phase, messages).await,
            Action::Compact => self.compact().await,
            Action::BeginAfresh => self.begin_afresh().await,
            Action::HearPeople => Ok(self.hear_people().await),
            Action::Verify { .. } => self.verify().await,
            Action::AskPeople { asked, .. } => self.ask_people(step, asked).await,
            Action::Finish { .. } | Action::Fail(_) => Err(DriveError::OutOfOrder),
        }
    }

    /// Asks people for more once the budget is used up, so that the same step can be done again, by this attempt or the next one.
    async fn ask_for_more(&mut self, step: &mut Step, error: DriveError) -> Result<(), DriveError> {
        self.stop_if_cancelled()?;
        step.note = None;
        if let Action::PromptAgent { prompt, .. } = &mut step.action
            && !prompt.starts_with(CUT_OFF)
        {
            *prompt = format!("{CUT_OFF}\n\n{prompt}");
        }
        let remembered = if self.hooks.keeps() { self.agent.remembered().await } else { Ok(None) };
        let remembered = remembered.unwrap_or_else(|error| {
            tracing::info!(%error, "could not keep the agent's conversation; a later attempt goes on from the turn before");
            None
        });
        let saved = write(step, self.agent_turns, self.cost_usd);
        let goes_on = self.hooks.out_of_budget(self.agent_turns, &saved, remembered).await.map_err(DriveError::Hook)?;
        if goes_on { Ok(()) } else { Err(error) }
    }

    async fn note(&mut self, note: &Note, answer: Option<&str>) {
        let turn = self.agent_turns;
        match &note.verdict {
            Some(verdict) => self.hooks.decided(note.phase, turn, &note.text, answer, verdict).await,
            None => self.hooks.log(note.phase.as_str(), &note.text, answer).await,
        }
    }

    /// Where a person must approve the plan first: waits for that. Returns what was said to the agent.
    async fn may_work(&mut self, step: &Step) -> Result<Vec<String>, DriveError> {
        let Action::PromptAgent { phase: phase @ (Phase::Execution | Phase::Setup | Phase::Review), .. } = &step.action
        else {
            return Ok(Vec::new());
        };
        let saved = write(step, self.agent_turns, self.cost_usd);
        let said = self.hooks.may_work(*phase, &step.state.plan, &saved).await.map_err(DriveError::Hook)?;
        Ok(said.into_iter().collect())
    }

    /// Keeps where the work stands, so that another attempt can go on from there. A failure costs nothing but that.
    async fn keep(&mut self, step: &Step) {
        if !self.hooks.keeps() {
            return;
        }
        match self.agent.remembered().await {
            Ok(remembered) => {
                let saved = write(step, self.agent_turns, self.cost_usd);
                self.hooks.keep(self.agent_turns, saved, remembered).await;
            }
            Err(error) => {
                tracing::info!(%error, "could not keep the agent's conversation; a later attempt would start without it");
            }
        }
    }

    async fn hear_people(&mut self) -> Event {
        let wrote = !self.cancel.is_cancelled() && !self.hooks.messages(self.agent_turns + 1).await.is_empty();
        Event::PeopleWrote(wrote)
    }

    async fn verify(&mut self) -> Result<Event, DriveError> {
        self.stop_if_cancelled()?;
        Ok(Event::Verified(self.hooks.verify().await.map_err(DriveError::Hook)?))
    }

    /// Asks people what the agent asked, and grants the agent the permission if it was one.
    async fn ask_people(&mut self, step: &Step, asked: &Asked) -> Result<Event, DriveError> {
        self.stop_if_cancelled()?;
        let saved = write(step, self.agent_turns, self.cost_usd);
        let said = self.hooks.ask(asked, &saved).await.map_err(DriveError::Hook)?;
        if let Asked::Permission { permission, patterns } = asked {
            self.agent.grant(permission, patterns);
        }
        Ok(Event::PeopleAnswered(said.unwrap_or_default()))
    }

    async fn prompt(&mut self, phase: Phase, prompt: &str) -> Result<Event, DriveError> {
        self.stop_if_cancelled()?;
        self.agent_turns += 1;
        let turn = self.agent_turns;
        tracing::info!(phase = %phase, turn, "agent turn {turn} starts: {phase}");
        let words = self.hooks.messages(turn).await;
        let heard: Vec<String> = words.iter().map(|words| words.text.clone()).collect();
        let prompt = with_messages(prompt, &heard);
        self.hooks.before_turn(phase, turn, &prompt, &words).await;
        let output = match self.agent.prompt(&prompt, self.cancel).await {
            Err(AgentError::Stuck { found }) => {
                self.hooks.stopped(phase, turn).await.map_err(DriveError::Hook)?;
                return Ok(Event::AgentStuck(found, heard));
            }
            output => output.map_err(DriveError::from_agent)?,
        };
        tracing::info!(
            phase = %phase,
            turn,
            duration_ms = output.duration.as_millis(),
            tools = output.tools.len(),
            cost_usd = output.cost_usd,
            "agent turn {turn} ended"
        );
        if let Some(cost) = output.cost_usd {
            self.cost_usd = Some(self.cost_usd.unwrap_or_default() + cost);
        }
        let tools: Vec<String> = output.tools.iter().map(ToString::to_string).collect();
        let changes = self.hooks.after_turn(phase, turn, &output).await.map_err(DriveError::Hook)?;
        let report = Report { text: output.text, tools, changes, heard };
        Ok(match output.asked {
            Some(asked) => Event::AgentAsked(asked, report),
            None => Event::AgentDone(report),
        })
    }

    async fn ask(&mut self, phase: Phase, messages: &[ChatMessage]) -> Result<Event, DriveError> {
        // The flow asks only where there is a Director.
        let Some(director) = self.director else { return Err(DriveError::OutOfOrder) };
        let answer = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(DriveError::Cancelled),
            answer = director.ask(messages) => answer.map_err(DriveError::Director)?,
        };
        tracing::debug!(
            phase = %phase,
            tokens.input = answer.tokens_in,
            tokens.output = answer.tokens_out,
            "the Director answered"
        );
        Ok(Event::DirectorSaid(answer.text))
    }

    async fn begin_afresh(&mut self) -> Result<Event, DriveError> {
        self.stop_if_cancelled()?;
        let could = self.agent.begin_afresh().await;
        Ok(Event::BegunAfresh { could, so_far: self.hooks.so_far().await })
    }

    /// Where the model fails to compact, the conversation continues as it is, and compaction is retried later.
    async fn compact(&mut self) -> Result<Event, DriveError> {
        self.stop_if_cancelled()?;
        let text = match self.agent.compact(self.cancel).await {
            Ok(()) => "The agent's conversation was compacted".to_owned(),
            Err(error @ AgentError::Model { .. }) if !error.is_misconfiguration() => {
                format!("The agent's conversation could not be compacted; continuing without compaction: {error}")
            }
            Err(error) => return Err(DriveError::from_agent(error)),
        };
        tracing::info!("{text}");
        self.hooks.log("compact", &text, None).await;
        Ok(Event::Compacted)
    }

    fn stop_if_cancelled(&self) -> Result<(), DriveError> {
        if self.cancel.is_cancelled() { Err(DriveError::Cancelled) } else { Ok(()) }
    }

    fn outcome(self, summary: String, reason: Option<String>) -> Outcome {
        Outcome { summary, reason, agent_turns: self.agent_turns, cost_usd: self.cost_usd, ..Outcome::default() }
    }
}

fn failed(failure: Failure) -> DriveError {
    match failure {
        Failure::UnusableAnswer { phase, problem } => DriveError::UnusableAnswer { phase, problem },
        Failure::TurnLimit { limit } => DriveError::TurnLimit { limit },
        Failure::Blocked { reason } => DriveError::Blocked { reason },
        Failure::Stuck { found } => DriveError::Stuck { found },
        Failure::Unproven { rounds, failure } => DriveError::Unproven { rounds, failure },
        Failure::OutOfOrder => DriveError::OutOfOrder,
    }
}
