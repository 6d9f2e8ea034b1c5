//! Text from elsewhere, made harmless, and numbers for people.
//!
//! What agents write is hostile: an escape sequence could rewrite what the terminal shows, or type into it. Nothing that
//! was not written here is printed without passing through [`line()`] or [`block`].

use crate::exit::usage;
use chrono::{DateTime, Utc};
use std::fmt::Write;
use std::io::Read;
use std::time::Duration;

/// Text on one line: control characters are shown, and line breaks become spaces.
pub(crate) fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim().chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c => push(&mut out, c),
        }
    }
    out
}

/// Text on one line, with at most so many characters.
pub(crate) fn short(text: &str, max: usize) -> String {
    let text = line(text);
    if text.chars().count() <= max {
        return text;
    }
    let mut out: String = text.chars().take(max.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// Text with a capital at its start.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// A number of things: `1 file`, `2 files`.
pub(crate) fn plural(number: i64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// Text that keeps its lines: other control characters are shown.
pub(crate) fn block(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\n' | '\t' => out.push(c),
            c => push(&mut out, c),
        }
    }
    out
}

/// JSON whose texts can't control a terminal. JSON itself escapes only part of the control characters.
pub(crate) fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hostile(c) && c != '\n' {
            // All of these are in the first plane, and inside of a string.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

fn push(out: &mut String, c: char) {
    match c {
        '\u{1b}' => out.push_str("\\e"),
        c if is_hostile(c) => {
            // Writing to a string does not fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
        c => out.push(c),
    }
}

/// Whether a character controls the terminal, or changes the direction or place of others.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The beginning of an id, which is enough to name it. Ids begin with the time: eight digits, as elsewhere, would be the
/// same for all that was made within a minute.
pub(crate) fn short_id(id: uuid::Uuid) -> String {
    id.to_string().chars().take(13).collect()
}

/// A time span in its two largest units.
pub(crate) fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// How long ago something was.
pub(crate) fn ago(at: Option<DateTime<Utc>>) -> String {
    at.map(|at| format!("{} ago", span((Utc::now() - at).num_seconds()))).unwrap_or_default()
}

/// Everything on standard input.
pub(crate) fn stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    match std::io::stdin().lock().read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(usage("standard input is not valid UTF-8"))
        }
        Err(error) => Err(error.into()),
    }
}

/// A size in GiB.
pub(crate) fn gib(bytes: i64) -> String {
    format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0)
}

/// Reads a time span such as 30m, 4h or 2d.
pub(crate) fn parse_time(text: &str) -> Result<Duration, String> {
    let wrong = || "give a time such as 30m, 4h or 2d".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let (number, seconds) = match unit {
        's' => (&text[..text.len() - 1], 1),
        'm' => (&text[..text.len() - 1], 60),
        'h' => (&text[..text.len() - 1], 3600),
        'd' => (&text[..text.len() - 1], 86_400),
        _ => return Err(wrong()),
    };
    let number: u64 = number.trim().parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_shown_and_do_nothing() {
        assert_eq!(line("\u{1b}]0;owned\u{7}\u{9b}2J"), "\\e]0;owned\\u{7}\\u{9b}2J");
        assert_eq!(line(" a\r\nb\tc "), "a  b c");
        assert_eq!(line("safe\u{202e}txt.exe"), "safe\\u{202e}txt.exe");
        assert_eq!(block("one\r\ntwo\u{1b}[1A\rthree"), "one\ntwo\\e[1A\\u{d}three");
    }

    #[test]
    fn json_can_not_control_a_terminal_and_says_the_same() {
        let text = serde_json::to_string_pretty(&serde_json::json!({"a": "\u{9b}2J\u{1b}[1m\u{202e}ü"})).unwrap();
        let safe = json(&text);
        assert!(safe.chars().all(|c| c == '\n' || !is_hostile(c)), "{safe:?}");
        let (before, after): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(&text).unwrap(), serde_json::from_str(&safe).unwrap());
        assert_eq!(before, after);
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(short("abcdef", 6), "abcdef");
        assert_eq!(short("abcdefg", 6), "abcde…");
    }

    #[test]
    fn times_are_read_and_written() {
        for (text, seconds) in [("30m", Some(1800)), ("4h", Some(14_400)), ("2d", Some(172_800)), ("90s", Some(90))] {
            assert_eq!(parse_time(text).ok().map(|time| time.as_secs()), seconds, "{text}");
        }
        for text in ["", "h", "4", "-1h", "0m", "4ü", "99999999999999999999d"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
        assert_eq!([span(5), span(65), span(3_700), span(90_000)], ["5 s", "1 min 5 s", "1 h 1 min", "1 d 1 h"]);
    }
}
