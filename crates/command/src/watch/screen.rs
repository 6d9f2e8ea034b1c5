//! What a watch shows: lines on standard error and the address alone on standard output; a live line below them in a
//! terminal; or JSON, one object a line.

use super::entry;
use crate::output::{Output, Tone};
use crate::state::{self, Outcome};
use crate::text;
use chrono::{DateTime, Utc};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use terarchitect_client::{Card, LogEntry, State};

pub(super) struct Screen {
    out: Output,
    /// The live line, in a terminal.
    bar: Option<ProgressBar>,
    /// The state that was shown last, and since when it lasts.
    state: Option<(State, DateTime<Utc>)>,
    card: Option<Card>,
    lost: bool,
}

impl Screen {
    pub(super) fn new(out: Output) -> Self {
        let bar = (out.live && !out.json).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self { out, bar, state: None, card: None, lost: false }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => self.out.painted_note(text),
        }
    }

    /// A new entry of the log.
    pub(super) fn entry(&self, entry: &LogEntry) -> anyhow::Result<()> {
        if self.out.json {
            return self.out.json_line(&json!({"type": "entry", "entry": entry}));
        }
        self.line(&entry::line(entry, |text, tone| self.out.paint_note(text, tone)));
        Ok(())
    }

    /// Whether a state would be shown with other words than the last one.
    pub(super) fn is_new(&self, state: &State) -> bool {
        self.state.as_ref().is_none_or(|(last, _)| state::word_and_rest(last) != state::word_and_rest(state))
    }

    /// A new state, which lasts since then.
    pub(super) fn state(&mut self, state: &State, at: DateTime<Utc>) -> anyhow::Result<()> {
        self.state = Some((state.clone(), at));
        if self.out.json {
            return self.out.json_line(&json!({"type": "state", "at": at, "state": state}));
        }
        let (word, rest) = state::word_and_rest(state);
        self.line_at(Some(at), &format!("{}{rest}", self.out.paint_note(&word, state::tone(state))));
        Ok(())
    }

    fn line_at(&self, at: Option<DateTime<Utc>>, text: &str) {
        self.line(&format!("{}  {text}", self.out.paint_note(&entry::time(at), Tone::Dim)));
    }

    /// What else is known, for the live line.
    pub(super) fn card(&mut self, card: Card) {
        self.card = Some(card);
    }

    /// The connection was lost, for the reason.
    pub(super) fn lost(&self, reason: &str) {
        if !self.out.json {
            let text =
                format!("The API does not respond ({}); retrying. The ticket goes on meanwhile.", text::line(reason));
            self.line_at(Some(Utc::now()), &self.out.paint_note(&text, Tone::Warn));
        }
    }

    /// Whether the connection has changed: it was lost, or is back.
    pub(super) fn connection(&mut self, connected: bool) -> anyhow::Result<bool> {
        if self.lost != connected {
            return Ok(false);
        }
        self.lost = !connected;
        if self.out.json {
            let state = if connected { "back" } else { "lost" };
            self.out.json_line(&json!({"type": "connection", "state": state}))?;
        } else if connected {
            self.line_at(Some(Utc::now()), &self.out.paint_note("The API responds again.", Tone::Good));
        }
        self.tick();
        Ok(true)
    }

    /// Redraws the live line. It says only what the API said, and how long ago that was.
    pub(super) fn tick(&self) {
        let (Some(bar), Some((state, since))) = (&self.bar, &self.state) else { return };
        let mut parts = vec![self.out.paint_note(&state::word(state), state::tone(state))];
        parts.push(format!("for {}", text::span((Utc::now() - since).num_seconds())));
        if let Some(card) = &self.card {
            parts.extend(card.last_sign_of_life_at.map(|at| format!("last sign of life {}", text::ago(Some(at)))));
            parts.extend(
                card.diffstat
                    .map(|stat| format!("{}, +{} −{}", text::plural(stat.files, "file"), stat.added, stat.removed)),
            );
        }
        if self.lost {
            parts.push(self.out.paint_note("the API does not respond", Tone::Warn));
        }
        bar.set_message(parts.join("  ·  "));
        bar.tick();
    }

    /// How it ended. The address of a pull request is all that standard output gets.
    pub(super) fn end(&mut self, outcome: &Outcome, sentence: &str, code: u8) -> anyhow::Result<()> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let (word, tone, url) = match outcome {
            Outcome::PullRequest(url) => ("pull_request", Tone::Good, Some(url)),
            Outcome::Nothing => ("nothing", Tone::Bad, None),
            Outcome::Failed => ("failed", Tone::Bad, None),
            Outcome::Cancelled => ("cancelled", Tone::Warn, None),
            Outcome::NotStarted => ("not_started", Tone::Bad, None),
        };
        if self.out.json {
            return self.out.json_line(
                &json!({"type": "end", "outcome": word, "sentence": sentence, "pr_url": url, "exit_code": code}),
            );
        }
        self.out.painted_note(&self.out.paint_note(&text::line(sentence), tone));
        match url {
            Some(url) => self.out.line(&text::line(url)),
            None => Ok(()),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
