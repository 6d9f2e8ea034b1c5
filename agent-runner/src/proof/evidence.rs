//! What was shown: each command with its result, and each acceptance line with what the Director says about it, as text for the
//! agent, for people and for a forge.

use crate::agent::CommandEnd;
use crate::director::Judged;
use crate::prompts::{fenced, shortened};
use std::fmt::Write;

/// How much of a command's output the agent and the pull request are shown, in characters.
const AGENT_CHARS: usize = 6_000;
const PULL_CHARS: usize = 2_000;
/// How much of a command is shown in a table, in characters.
const COMMAND_CHARS: usize = 200;

/// What a command runs for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To prepare a checkout.
    Setup,
    /// To show that the work is done.
    Verification,
}

impl Purpose {
    /// Its word in the ticket's log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Verification => "verification",
        }
    }
}

/// A command with its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRun {
    /// What it ran for.
    pub purpose: Purpose,
    /// The command.
    pub command: String,
    /// How it ended.
    pub end: CommandEnd,
}

impl CommandRun {
    /// How it ended, in words.
    #[must_use]
    pub fn result(&self) -> String {
        match (self.end.exit_code, self.end.timed_out) {
            (Some(0), _) => "passed".to_owned(),
            (Some(code), _) => format!("failed with exit code {code}"),
            (None, true) => format!("stopped after {} s, its time limit", self.end.took.as_secs()),
            (None, false) => "ended by a signal".to_owned(),
        }
    }
}

/// The last verification of an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The commit that was checked; empty if none was.
    pub commit: String,
    /// The commands that ran, up to the first that failed to prepare the checkout.
    pub runs: Vec<CommandRun>,
    /// What must hold, each with what the Director says about it, if it says anything.
    pub acceptance: Vec<(String, Option<Judged>)>,
}

impl Evidence {
    /// Whether every command succeeded.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.runs.iter().all(|run| run.end.passed())
    }

    /// What failed, in a line; empty if nothing did.
    #[must_use]
    pub fn failure(&self) -> String {
        let failed = self.runs.iter().filter(|run| !run.end.passed());
        let failed = failed.map(|run| format!("`{}` {}", one_line(&run.command), run.result()));
        failed.collect::<Vec<_>>().join("; ")
    }

    /// What failed, with the end of its output, for the agent.
    #[must_use]
    pub fn for_agent(&self) -> String {
        let failed = self.runs.iter().filter(|run| !run.end.passed());
        let texts = failed.map(|run| {
            let output = fenced(&shortened(&run.end.output, AGENT_CHARS));
            let output = if output.is_empty() { "It printed nothing.".to_owned() } else { output };
            format!("This command {}:\n\n{}\n\nThe end of its output:\n\n{output}", run.result(), fenced(&run.command))
        });
        texts.collect::<Vec<_>>().join("\n\n")
    }

    /// All of it, for the pull request.
    #[must_use]
    pub fn for_pull_request(&self) -> String {
        let mut text = "### Verification\n\n".to_owned();
        if self.runs.is_empty() {
            text.push_str(
                "Nothing was verified: neither the project nor the ticket nor `.terarchitect.toml` names a command that verifies it.\n",
            );
        } else {
            let short = &self.commit[..self.commit.floor_char_boundary(8)];
            let _ = write!(text, "In a clean checkout of `{short}`:\n\n| Command | Result | Time |\n|---|---|---|\n");
            for run in &self.runs {
                let command = one_line(&run.command).replace('|', "\\|").replace('`', "'");
                let _ = writeln!(text, "| `{command}` | {} | {:.1} s |", run.result(), run.end.took.as_secs_f64());
            }
            for run in self.runs.iter().filter(|run| !run.end.passed()) {
                let output = fenced(&shortened(&run.end.output, PULL_CHARS));
                let _ = write!(
                    text,
                    "\nThe end of what `{}` printed:\n\n{output}\n",
                    one_line(&run.command).replace('`', "'")
                );
            }
        }
        if !self.acceptance.is_empty() {
            text.push_str("\n### Acceptance\n\n");
            for (line, judged) in &self.acceptance {
                let (mark, place) = match judged {
                    Some(judged) => (if judged.met { 'x' } else { ' ' }, one_line(&judged.place)),
                    None => (' ', "not judged".to_owned()),
                };
                let _ = write!(text, "- [{mark}] {}", one_line(line));
                text.push_str(&if place.is_empty() { "\n".to_owned() } else { format!(" ({place})\n") });
            }
        }
        text
    }
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(COMMAND_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn run(command: &str, exit_code: Option<i32>, timed_out: bool) -> CommandRun {
        let output = "1 of 2 failed".to_owned();
        let end = CommandEnd { exit_code, timed_out, took: Duration::from_millis(1250), output };
        CommandRun { purpose: Purpose::Verification, command: command.to_owned(), end }
    }

    #[test]
    fn what_failed_is_named_with_its_output_and_what_passed_is_not() {
        let evidence = Evidence {
            commit: "0123456789".to_owned(),
            runs: vec![
                run("npm run lint", Some(0), false),
                run("npm test", Some(1), false),
                run("npm run slow", None, true),
            ],
            acceptance: Vec::new(),
        };
        assert!(!evidence.passed());
        assert_eq!(
            evidence.failure(),
            "`npm test` failed with exit code 1; `npm run slow` stopped after 1 s, its time limit"
        );
        let said = evidence.for_agent();
        assert!(said.contains("npm test") && said.contains("1 of 2 failed") && !said.contains("lint"), "{said}");
        let pull = evidence.for_pull_request();
        assert!(pull.contains("| `npm run lint` | passed | 1.2 s |"), "{pull}");
        assert!(pull.contains("clean checkout of `01234567`"), "{pull}");
    }

    #[test]
    fn nothing_to_verify_is_said() {
        let text = Evidence::default().for_pull_request();
        assert!(text.contains("Nothing was verified"), "{text}");
        assert!(Evidence::default().passed() && Evidence::default().failure().is_empty());
    }

    #[test]
    fn a_command_can_t_break_the_table() {
        let evidence = Evidence { runs: vec![run("a | b\n`c`", Some(0), false)], ..Evidence::default() };
        let text = evidence.for_pull_request();
        assert!(text.contains("| `a \\| b 'c'` | passed |"), "{text}");
    }

    #[test]
    fn acceptance_lines_are_a_list_with_marks() {
        let judged = |met, place: &str| Some(Judged { met, place: place.to_owned() });
        let lines =
            [("It greets.", judged(true, "greet.sh")), ("It is fast.", judged(false, "")), ("It is told.", None)];
        let acceptance = lines.map(|(line, judged)| (line.to_owned(), judged)).to_vec();
        let text = Evidence { acceptance, ..Evidence::default() }.for_pull_request();
        assert!(
            text.ends_with("- [x] It greets. (greet.sh)\n- [ ] It is fast.\n- [ ] It is told. (not judged)\n"),
            "{text}"
        );
    }
}
