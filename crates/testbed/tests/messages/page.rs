//! The page: tables whose first column holds messages as code, with `…` in place of what varies.

use crate::source::VARIABLE;

use std::collections::BTreeSet;

/// The least of a message's own letters that a row may hold where it stands for the message's beginning only.
const MIN_BEGINNING: usize = 20;

/// A message in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The program that the section is about: its heading up to the colon.
    pub(crate) program: String,
    /// The message.
    pub(crate) text: String,
}

/// All messages of a page, and what is wrong with its tables.
pub(crate) fn rows(page: &str) -> (Vec<Row>, Vec<String>) {
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    let mut program = String::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.split(':').next().unwrap_or(heading).clone_into(&mut program);
        }
        let cells: Vec<&str> = cells(line);
        let [seen, cause, action] = cells.as_slice() else {
            if line.starts_with('|') {
                wrong.push(format!("not three cells: {line}"));
            }
            continue;
        };
        if [cause, action].iter().any(|cell| cell.is_empty()) {
            wrong.push(format!("an empty cell: {line}"));
        }
        rows.extend(code(seen).into_iter().map(|text| Row { program: program.clone(), text }));
    }
    (rows, wrong)
}

/// The cells of a table's line. A `|` in a cell has a backslash before it.
fn cells(line: &str) -> Vec<&str> {
    let Some(line) = line.strip_prefix('|').and_then(|line| line.trim_end().strip_suffix('|')) else {
        return Vec::new();
    };
    let mut cells = Vec::new();
    let mut start = 0;
    for (at, _) in line.match_indices('|').filter(|(at, _)| !line[..*at].ends_with('\\')) {
        cells.push(line[start..at].trim());
        start = at + 1;
    }
    cells.push(line[start..].trim());
    cells
}

/// The pieces of code in a cell, between one or more backticks.
fn code(cell: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = cell;
    while let Some(start) = rest.find('`') {
        let ticks = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        let (fence, after) = rest[start..].split_at(ticks);
        let Some(end) = after.find(fence) else { break };
        found.push(after[..end].replace("\\|", "|").trim().to_owned());
        rest = &after[end + ticks..];
    }
    found
}

/// The names of settings in a page, such as `WORKER_MODEL`: capitals in two parts or more.
pub(crate) fn settings(page: &str) -> BTreeSet<&str> {
    let words = page.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let is_name = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    words.filter(|word| word.contains('_') && word.split('_').all(is_name)).collect()
}

/// Whether a row's text is the message, or its beginning.
pub(crate) fn covers(row: &str, message: &str) -> bool {
    let varies = |c: char| c == VARIABLE || c == ' ';
    let (own, whole) = (row.trim_matches(varies), message.trim_matches(varies));
    let letters = own.chars().filter(|c| *c != VARIABLE).count();
    let is_beginning = row.ends_with(VARIABLE) && letters >= MIN_BEGINNING && whole.starts_with(own);
    !own.is_empty() && (own == whole || is_beginning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_covers_its_message_and_no_changed_one() {
        let message = "… denied access: check that the token may read … and write";
        assert!(covers("… denied access: check that the token may read … and write", message));
        assert!(covers("… denied access: check that …", message));
        for row in [
            "… denied access: check that the token may read and write",
            "… denied access: check that the key …",
            "… denied access: check that",
            "… denied …",
            "check that the token may …",
            "…",
            "",
        ] {
            assert!(!covers(row, message), "{row}");
        }
        assert!(covers("could not run …", "could not run …"));
        assert!(!covers("could not run …", "could not run … twice"));
    }

    #[test]
    fn rows_of_a_page_are_read_with_their_program() {
        let page = "# Page\n## The runner: git\n\n| What you see | Cause | What to do |\n|---|---|---|\n\
            | `one …`<br>``two `three` \\| four`` | a | `b` |\n| in words | a | b |\n## The API\n| `five` | a | b |\n";
        let (rows, wrong) = rows(page);
        let found: Vec<(&str, &str)> = rows.iter().map(|row| (row.program.as_str(), row.text.as_str())).collect();
        assert_eq!(found, [("The runner", "one …"), ("The runner", "two `three` | four"), ("The API", "five")]);
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn names_of_settings_are_found() {
        let found = settings("Set `WORKER_MODEL=x` or AGENT_LLM_URL; not HOME, `max_running`, Some_Name or A_.");
        assert_eq!(found, BTreeSet::from(["AGENT_LLM_URL", "WORKER_MODEL"]));
    }

    #[test]
    fn rows_without_a_cause_or_an_action_are_wrong() {
        let (_, wrong) = rows("| `one` | a | |\n| `two` | b |\n");
        assert_eq!(wrong.len(), 2, "{wrong:?}");
    }
}
