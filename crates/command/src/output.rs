//! Where results and remarks go, and how they look: tables and colours in a terminal, plain lines elsewhere, JSON on
//! request.

use crate::cli::{ColorChoice, Common};
use crate::exit::Problem;
use crate::text;
use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// What a word of a state means to its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing special.
    Plain,
    /// As it should be.
    Good,
    /// A person should look.
    Warn,
    /// It failed.
    Bad,
    /// In the background.
    Dim,
    /// At work.
    Busy,
}

/// A cell of a table.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    text: String,
    tone: Tone,
}

/// A plain cell.
pub(crate) fn field(text: impl AsRef<str>) -> Field {
    toned(text, Tone::Plain)
}

/// A cell with a meaning.
pub(crate) fn toned(text: impl AsRef<str>, tone: Tone) -> Field {
    Field { text: text::line(text.as_ref()), tone }
}

/// Where results and remarks go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// Whether results are JSON.
    pub(crate) json: bool,
    /// Whether standard output is a terminal.
    pub(crate) terminal: bool,
    /// Whether standard error is one.
    pub(crate) live: bool,
    color_out: bool,
    color_err: bool,
}

impl Output {
    /// What the command line and the environment ask for.
    pub(crate) fn new(common: &Common) -> Self {
        let (terminal, live) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let wanted = |is_terminal: bool| colors(common.color, is_terminal, set);
        Self {
            json: common.json,
            terminal,
            live: live && set("TERM").as_deref() != Some("dumb"),
            color_out: wanted(terminal),
            color_err: wanted(live),
        }
    }

    /// A result for programs.
    pub(crate) fn document(&self, value: &impl Serialize) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(value)?;
        self.line(&text::json(&text))
    }

    /// A result for programs, on one line of several.
    pub(crate) fn json_line(&self, value: &impl Serialize) -> anyhow::Result<()> {
        let text = serde_json::to_string(value)?;
        self.line(&text::json(&text))
    }

    /// A line of the result. It must have been made harmless.
    pub(crate) fn line(&self, text: &str) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()?;
        Ok(())
    }

    /// Remarks for people, beside the result. For programs they are JSON as well, so that each line of standard error is.
    pub(crate) fn note(&self, text: &str) {
        let text = if self.json {
            if text.trim().is_empty() {
                return;
            }
            text::json(&serde_json::json!({"note": text.trim()}).to_string())
        } else {
            text::block(text)
        };
        // If this fails, there is no other place to report it.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// A remark for programs that says more than a sentence.
    pub(crate) fn remark(&self, remark: &serde_json::Value) {
        // If this fails, there is no other place to report it.
        let _ = writeln!(std::io::stderr().lock(), "{}", text::json(&remark.to_string()));
    }

    /// A table in a terminal; elsewhere a line for each row, its fields separated by tabs.
    pub(crate) fn table(&self, head: &[&str], rows: Vec<Vec<Field>>) -> anyhow::Result<()> {
        if !self.terminal {
            for row in rows {
                let fields: Vec<String> = row.into_iter().map(|field| field.text).collect();
                self.line(&fields.join("\t"))?;
            }
            return Ok(());
        }
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(console_width());
        if self.color_out {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.set_header(head.iter().map(Cell::new).collect::<Vec<_>>());
        for row in rows {
            table.add_row(row.into_iter().map(|field| self.cell(field)).collect::<Vec<_>>());
        }
        self.line(&table.to_string())
    }

    fn cell(&self, field: Field) -> Cell {
        let cell = Cell::new(field.text);
        match field.tone {
            _ if !self.color_out => cell,
            Tone::Plain => cell,
            Tone::Good => cell.fg(Color::Green),
            Tone::Warn => cell.fg(Color::Yellow),
            Tone::Bad => cell.fg(Color::Red),
            Tone::Dim => cell.fg(Color::DarkGrey),
            Tone::Busy => cell.fg(Color::Cyan),
        }
    }

    /// Coloured text for standard output.
    pub(crate) fn paint(&self, text: &str, tone: Tone) -> String {
        painted(text, tone, self.color_out)
    }

    /// Coloured text for standard error.
    pub(crate) fn paint_note(&self, text: &str, tone: Tone) -> String {
        painted(text, tone, self.color_err)
    }

    /// A remark whose text is harmless already, and may be coloured.
    pub(crate) fn painted_note(&self, text: &str) {
        // If this fails, there is no other place to report it.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}

/// An error for programs, on one line of standard error.
pub(crate) fn problem(problem: &Problem) {
    // Its fields are texts and numbers, which always become JSON.
    let text = serde_json::to_string(problem).unwrap_or_default();
    // If this fails, there is no other place to report it.
    let _ = writeln!(std::io::stderr().lock(), "{}", text::json(&text));
}

/// The width of the terminal.
fn console_width() -> u16 {
    let size = rustix::termios::tcgetwinsize(std::io::stdout());
    size.ok().map(|size| size.ws_col).filter(|width| *width > 0).unwrap_or(100)
}

fn painted(text: &str, tone: Tone, color: bool) -> String {
    let code = match tone {
        _ if !color => return text.to_owned(),
        Tone::Plain => return text.to_owned(),
        Tone::Good => "32",
        Tone::Warn => "33",
        Tone::Bad => "31",
        Tone::Dim => "2",
        Tone::Busy => "36",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// Whether to use colours.
fn colors(choice: ColorChoice, is_terminal: bool, set: impl Fn(&str) -> Option<String>) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if set("NO_COLOR").is_some() => false,
        ColorChoice::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        ColorChoice::Auto => {
            is_terminal && set("CLICOLOR").as_deref() != Some("0") && set("TERM").as_deref() != Some("dumb")
        }
    }
}

/// What a state's word means to its reader.
pub(crate) fn tone_of(word: &str) -> Tone {
    match word {
        "failed" => Tone::Bad,
        "silent" | "cancelled" | "stopping" | "waiting" | "pending" => Tone::Warn,
        "in_review" | "done" | "completed" => Tone::Good,
        "backlog" => Tone::Dim,
        "starting" | "research" | "plan" | "plan_review" | "turn" | "opening_pr" | "running" => Tone::Busy,
        _ => Tone::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_follow_the_choice_then_the_environment_then_the_terminal() {
        let with = |variables: &'static [(&str, &str)]| {
            move |name: &str| variables.iter().find(|(of, _)| *of == name).map(|(_, value)| (*value).to_owned())
        };
        let auto = ColorChoice::Auto;
        assert!(colors(auto, true, with(&[])));
        assert!(!colors(auto, false, with(&[])));
        assert!(!colors(auto, true, with(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")])));
        assert!(!colors(auto, true, with(&[("CLICOLOR", "0")])));
        assert!(!colors(auto, true, with(&[("TERM", "dumb")])));
        assert!(colors(auto, false, with(&[("CLICOLOR_FORCE", "1")])));
        assert!(colors(ColorChoice::Always, false, with(&[("NO_COLOR", "1")])));
        assert!(!colors(ColorChoice::Never, true, with(&[("CLICOLOR_FORCE", "1")])));
    }
}
