//! Before work on a continued branch goes on: where the base's changes conflict with the branch's, the agent resolves that
//! first. If it can't, the branch stays as it was.

use super::hooks::Hooks;
use super::{Attempt, AttemptError};
use crate::agent::{Agent, AgentError};
use crate::prompts::{AGENT_CONFLICT, fenced, render};

/// How many turns the agent gets to resolve all conflicts.
const TURNS: u32 = 2;

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
        for turn in 1..=TURNS {
            let text = format!("The agent resolves conflicts with the base (turn {turn}): {}", files.join(", "));
            self.reporter.log("conflict", &text, None);
            self.progress.now(&text);
            let prompt = self.conflict_prompt(&hooks.base(), &files);
            let output = agent.prompt(&prompt, &self.cancel).await.map_err(|error| match error {
                AgentError::Cancelled => AttemptError::Cancelled,
                error => AttemptError::Agent(error),
            })?;
            self.reporter.log("conflict", "The agent ended the turn", Some(&output.text));
            files = hooks.unresolved();
            if files.is_empty() {
                return hooks.keep_merge().await;
            }
        }
        let text = format!(
            "The conflicts in {} are not resolved after {TURNS} turns; work goes on without the base's changes, and the \
             pull request will show the conflicts",
            files.join(", ")
        );
        self.reporter.log("conflict", &text, None);
        hooks.give_up_merge()
    }

    fn conflict_prompt(&self, base: &str, files: &[String]) -> String {
        let title = self.title();
        render(AGENT_CONFLICT, &[("title", &title), ("base", base), ("files", &fenced(&files.join("\n")))])
    }
}
