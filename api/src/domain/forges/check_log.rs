//! The end of a failed check's log, as it is kept: what a terminal would do with it is left out.

use super::job_text::{MAX_LOG_BYTES, end};
use terarchitect_worker_api::seen;

/// How much of a log is read: what is left out of it takes room too.
pub const READ_BYTES: usize = 4 * MAX_LOG_BYTES;

/// Which of these names a failed check has, of which this is kept: it begins with the name, and a longer name may begin
/// with a shorter one.
#[must_use]
pub fn named<'a>(said: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let is_its = |name: &&str| said.strip_prefix(*name).is_some_and(|rest| rest.starts_with(": "));
    names.into_iter().filter(is_its).max_by_key(|name| name.len())
}

/// What is kept of the end of a log; none where there is nothing to read in it.
#[must_use]
pub fn kept(log: &str) -> Option<String> {
    let text = seen(&without_sequences(log));
    let text = end(text.trim(), MAX_LOG_BYTES);
    (!text.is_empty()).then(|| text.to_owned())
}

/// Without the sequences by which programs colour what they print, and move on the screen.
fn without_sequences(log: &str) -> String {
    let mut plain = String::with_capacity(log.len());
    let mut rest = log.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '\u{1b}' {
            plain.push(c);
        } else if rest.next_if_eq(&'[').is_some() {
            // Parameters, then one letter that ends them.
            while rest.next_if(|c| matches!(c, '0'..='?' | ' '..='/')).is_some() {}
            rest.next_if(|c| matches!(c, '@'..='~'));
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_found_by_the_whole_of_its_name() {
        let names = ["build", "build: linux", "test"];
        assert_eq!(named("build: failure\n\n2 tests failed", names), Some("build"));
        assert_eq!(named("build: linux: failure", names), Some("build: linux"));
        assert_eq!(named("builder: failure", names), None);
    }

    #[test]
    fn a_log_is_kept_as_a_person_reads_it() {
        assert_eq!(kept("\u{1b}[1;31mFAILED\u{1b}[0m a\r\n\tb\u{7}\u{202e}\n").as_deref(), Some("FAILED a\n\tb"));
        assert_eq!(kept("\u{1b}[2K\u{1b}[\n \u{1b}").as_deref(), None);
        let long = kept(&format!("{}end", "ä".repeat(READ_BYTES))).unwrap();
        assert!(long.len() <= MAX_LOG_BYTES && long.ends_with("äend"));
    }
}
