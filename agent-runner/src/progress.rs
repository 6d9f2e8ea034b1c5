//! What a person at a terminal sees while the agent works. Without a terminal the log shows it.

use crate::agent::{AgentEvent, ProgressSink};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;
use terarchitect_outbound::Mask;

/// A status line for what happens right now, with lines above it for what has happened.
#[derive(Clone, Debug)]
pub struct Progress {
    bar: ProgressBar,
    mask: Mask,
}

impl Progress {
    /// A status line, or nothing where standard error is not a terminal.
    #[must_use]
    pub fn new(mask: Mask) -> Self {
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::new_spinner().with_style(
                ProgressStyle::with_template("{spinner} {elapsed:>4} {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            )
        } else {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
        };
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, mask }
    }

    /// Shows what happens now, in the status line.
    pub fn now(&self, what: &str) {
        self.bar.set_message(self.mask.apply(what));
    }

    /// Shows what has happened, above the status line.
    pub fn done(&self, what: &str) {
        self.bar.println(self.mask.apply(what));
    }

    /// Removes the status line.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl ProgressSink for Progress {
    fn event(&self, event: AgentEvent) {
        match event {
            AgentEvent::ToolStarted { name, title } => self.now(&format!("{name} {}", title.unwrap_or_default())),
            AgentEvent::ToolFinished(call) => {
                tracing::debug!(tool = call.name, "{}", self.mask.apply(&call.to_string()));
                self.done(&format!("       {call}"));
            }
            AgentEvent::Retrying { attempt, message } => {
                tracing::warn!(
                    attempt,
                    "a call to the agent's model failed; the agent retries it: {}",
                    self.mask.apply(&message)
                );
                self.now(&format!("a call to the agent's model failed (try {attempt}); retrying"));
            }
            AgentEvent::PermissionRejected { permission, patterns } => {
                tracing::warn!(permission, ?patterns, "the agent requested a permission, which was rejected");
            }
            AgentEvent::QuestionRejected => {
                tracing::warn!("the agent asked a question; the reply is that it must decide by itself");
            }
            AgentEvent::Compacted => tracing::info!("the agent compacted its conversation"),
            AgentEvent::Stuck { found, remedy } => self.now(&remedy.described(&found)),
            AgentEvent::Accepted
            | AgentEvent::Launched { .. }
            | AgentEvent::Said { .. }
            | AgentEvent::Text { .. }
            | AgentEvent::Reasoning { .. }
            | AgentEvent::FileEdited { .. }
            | AgentEvent::Todo { .. } => {}
        }
    }
}
