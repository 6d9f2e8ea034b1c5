//! Signing in a program from a browser (RFC 8628): the code that people read, how long it holds, and how often the program
//! may ask.

use crate::domain::refusal::{ErrorCode, Refusal};
use crate::domain::text;
use crate::domain::words::words;
use std::fmt;
use std::time::Duration;

/// The letters of a code, as RFC 8628 (6.1) recommends them: no vowels, so that no code is a word.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// How many letters a code has: 34 bits, which no one guesses in ten minutes when wrong ones are slowed.
const LENGTH: usize = 8;
/// The longest name of a program, in characters.
const MAX_NAME_CHARS: usize = 100;

/// For how long a code holds.
pub const HOLDS: Duration = Duration::from_secs(600);
/// The time between two questions of the program, in seconds, as RFC 8628 (3.5) has it.
pub const INTERVAL_SEC: i32 = 5;
/// How much longer it gets with each question that comes too early, in seconds.
const SLOWER_BY_SEC: i32 = 5;
/// The longest, in seconds: a program that asks too often should still learn the answer.
const MAX_INTERVAL_SEC: i32 = 60;

words! {
    /// How a sign-in by browser stands.
    pub enum DeviceLoginState "state of a sign-in by browser" {
        /// No one has decided.
        Waiting = "waiting",
        /// A person approved it; the token was not fetched yet.
        Approved = "approved",
        /// A person denied it.
        Denied = "denied",
        /// The token was fetched.
        Used = "used",
    }
}

words! {
    /// What a program that waits for a person gets to know.
    pub enum DeviceAnswer "answer to a program" {
        /// No one has decided yet: ask again after `interval` seconds.
        Pending = "pending",
        /// The question came too early: ask again after `interval` seconds, which is longer than before.
        SlowDown = "slow_down",
        /// A person denied it, or may no longer sign in.
        Denied = "denied",
        /// The code is unknown, too old, or its token was fetched before.
        Expired = "expired",
        /// A person approved it: here is the token.
        Approved = "approved",
    }
}

/// The code that a person compares or types.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCode(String);

impl UserCode {
    /// The code of a random number.
    #[must_use]
    pub fn of(mut random: u64) -> Self {
        let base = LETTERS.len() as u64;
        let mut letter = || {
            let at = usize::try_from(random % base).unwrap_or_default();
            random /= base;
            char::from(LETTERS[at])
        };
        Self((0..LENGTH).map(|_| letter()).collect())
    }

    /// A code as someone typed it: in any case, with or without dashes and spaces. None if it can't be one.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let is_between = |c: &char| !matches!(c, '-' | ' ');
        let code: String = text.chars().filter(is_between).map(|c| c.to_ascii_uppercase()).take(LENGTH + 1).collect();
        (code.len() == LENGTH && code.bytes().all(|byte| LETTERS.contains(&byte))).then_some(Self(code))
    }

    /// What the hash is made of.
    #[must_use]
    pub fn plain(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, other) = self.0.split_at(LENGTH / 2);
        write!(f, "{one}-{other}")
    }
}

impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode(…)")
    }
}

/// What a program calls itself. Anyone may send it, and a person decides by it, so it can't contain what looks like
/// something else: control characters, or those that turn the direction of a text.
///
/// # Errors
/// When it is empty, too long, or has such characters.
pub fn name(given: &str) -> Result<String, Refusal> {
    let name = text::title("name", given)?;
    let misleads = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if name.chars().count() > MAX_NAME_CHARS || name.chars().any(misleads) {
        let sentence = format!("'name' must have at most {MAX_NAME_CHARS} characters, and none that can't be seen.");
        return Err(Refusal::invalid(sentence));
    }
    Ok(name)
}

/// The time until the next question after one that came too early, in seconds.
#[must_use]
pub fn slower(interval_sec: i32) -> i32 {
    interval_sec.saturating_add(SLOWER_BY_SEC).min(MAX_INTERVAL_SEC)
}

/// The refusal of a code that no program waits with.
#[must_use]
pub fn unknown() -> Refusal {
    let sentence = "No program waits with this code; compare it with what the terminal shows, letter by letter.";
    Refusal::new(ErrorCode::NotFound, sentence)
}

/// The refusal of a code that is too old, or was decided about.
#[must_use]
pub fn over() -> Refusal {
    let sentence =
        "This code was used already, or is older than ten minutes; run 'terarchitect login' again for a new one.";
    Refusal::new(ErrorCode::CodeUsedOrExpired, sentence)
}

/// The refusal of a person who has roles in single projects alone.
#[must_use]
pub fn no_role_everywhere() -> Refusal {
    let sentence = "You have roles in single projects alone, and the command gets a token for all of them; make one for a \
                    project under Settings, Tokens, and give it to 'terarchitect login --token'.";
    Refusal::new(ErrorCode::NotAllowed, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = UserCode::of(0x1234_5678_9abc);
        assert_eq!(code.plain().len(), LENGTH);
        let shown = code.to_string();
        assert_eq!((shown.len(), shown.as_bytes()[4]), (9, b'-'));
        for typed in [shown.clone(), shown.to_lowercase(), shown.replace('-', ""), shown.replace('-', " - ")] {
            assert_eq!(UserCode::read(&typed).as_ref(), Some(&code), "{typed}");
        }
        for wrong in ["", "BCDF-GHJ", "BCDF-GHJKL", "BCDF-GHJA", "BCDF-GHJ1", "BCDFGHJ\u{212a}"] {
            assert_eq!(UserCode::read(wrong), None, "{wrong}");
        }
        assert_eq!(UserCode::of(0).to_string(), "BBBB-BBBB");
        assert_eq!(format!("{code:?}"), "UserCode(…)");
    }

    #[test]
    fn who_asks_too_often_waits_longer_up_to_a_limit() {
        assert_eq!([5, 10, 55, 60, i32::MAX].map(slower), [10, 15, 60, 60, 60]);
    }

    #[test]
    fn a_name_looks_like_what_it_is() {
        assert_eq!(name(" terarchitect on büro-1 ").unwrap(), "terarchitect on büro-1");
        for wrong in ["", "a\nb", "a\u{202e}b", "a\u{200b}b", "\u{1b}[31m", &"x".repeat(101)] {
            assert!(name(wrong).is_err(), "{wrong:?}");
        }
    }
}
