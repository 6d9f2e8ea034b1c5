//! Before work on a continued branch goes on: where the base's changes conflict with the branch's, the agent resolves that
//! first. If it can't, the branch stays as it was.

use super::hooks::Hooks;
use super::{Attempt, AttemptError};
use crate::agent::{Agent, AgentError, TurnOutput};
use crate::prompts::{AGENT_CONFLICT, fenced, render};
use crate::stuck::Remedy;
use terarchitect_worker_api::EntryData;

/// How many turns the agent gets to resolve all conflicts.
const TURNS: u32 = 2;
/// What these turns are, for programs.
const PHASE: &str = "conflicts";

impl Attempt {
    /// Lets the agent resolve the conflicts that the merge of the base left in the workspace, if there are any.
    pub(super) async fn resolve_conflicts(
        &self,
        agent: &mut dyn Agent,
        hooks: &mut Hooks<'_>,
    ) -> Result<(), AttemptError> {
        let mut files = hooks.conflicts();
        if files.is_empty() {
            return Ok(());
        }
        if self.agent.works_elsewhere() {
            return self.leave_conflicts(&files, hooks);
        }
        let mut turns = 0;
        for turn in 1..=TURNS {
            turns = turn;
            let text = format!("The agent resolves conflicts with the base (turn {turn}): {}", files.join(", "));
            let prompt = self.conflict_prompt(&hooks.base(), &files);
            self.start_turn(turn, &text, &prompt);
            let output = match agent.prompt(&prompt, &self.cancel).await {
                Ok(output) => output,
                Err(AgentError::Cancelled) => return Err(AttemptError::Cancelled),
                Err(AgentError::Stuck { found }) => {
                    self.live.abandon();
                    self.reporter.log("stuck", &Remedy::Stop.described(&found), None);
                    agent.begin_afresh().await;
                    break;
                }
                Err(error) => return Err(AttemptError::Agent(error)),
            };
            self.end_turn(turn, &output);
            files = hooks.unresolved();
            if files.is_empty() {
                return hooks.keep_merge().await;
            }
        }
        let text = format!(
            "The conflicts in {} are not resolved after {turns} turns; work goes on without the base's changes, and the \
             pull request will show the conflicts",
            files.join(", ")
        );
        self.reporter.log("conflict", &text, None);
        hooks.give_up_merge()
    }

    /// What people wrote waits for the prompts about the ticket itself.
    fn start_turn(&self, turn: u32, text: &str, prompt: &str) {
        let prompt_bytes = u64::try_from(prompt.len()).unwrap_or(u64::MAX);
        let data = EntryData::TurnStarted { phase: PHASE.to_owned(), turn, prompt_bytes, messages: Vec::new() };
        self.reporter.log_data("conflict", text, None, data);
        self.progress.now(text);
        drop(self.live.begin(PHASE, turn));
    }

    fn end_turn(&self, turn: u32, output: &TurnOutput) {
        self.live.end(output);
        let data = EntryData::TurnEnded {
            phase: PHASE.to_owned(),
            turn,
            tools: u64::try_from(output.tools.len()).unwrap_or(u64::MAX),
            took_ms: u64::try_from(output.duration.as_millis()).unwrap_or(u64::MAX),
        };
        self.reporter.log_data("conflict", "The agent ended the turn", Some(&output.text), data);
    }

    fn conflict_prompt(&self, base: &str, files: &[String]) -> String {
        let title = self.title();
        render(AGENT_CONFLICT, &[("title", &title), ("base", base), ("files", &fenced(&files.join("\n")))])
    }
}
