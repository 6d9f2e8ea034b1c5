//! What a person at a terminal sees while the agent works; elsewhere the log lines say it.

use crate::worker::{AgentEvent, ProgressSink};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;
use terarchitect_worker_api::mask::Mask;

/// A line that says what happens right now, with lines above it for what has happened.
#[derive(Clone, Debug)]
pub struct Progress {
    bar: ProgressBar,
    mask: Mask,
}

impl Progress {
    /// A line in the terminal, or nothing where standard error is none.
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

    /// Says what happens now.
    pub fn now(&self, what: &str) {
        self.bar.set_message(self.mask.apply(what));
    }

    /// Says what has happened, above the line.
    pub fn done(&self, what: &str) {
        self.bar.println(self.mask.apply(what));
    }

    /// Takes the line away.
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
                    "the model did not answer properly, the agent tries again: {}",
                    self.mask.apply(&message)
                );
                self.now(&format!("the model did not answer properly, try {attempt}"));
            }
            AgentEvent::PermissionRejected { permission, patterns } => {
                tracing::warn!(permission, ?patterns, "the agent was refused a permission");
            }
            AgentEvent::QuestionRejected => {
                tracing::warn!("the agent asked a question; it was told to decide by itself");
            }
            AgentEvent::Compacted => tracing::info!("the agent compacted its conversation"),
            AgentEvent::Text { .. }
            | AgentEvent::Reasoning { .. }
            | AgentEvent::FileEdited { .. }
            | AgentEvent::Todo { .. } => {}
        }
    }
}
