//! What the program prints, with the secrets of its attempt masked. The container's output is kept by the engine, and its end is
//! a part of the coordinator's report.

use std::io::Write;
use std::sync::{PoisonError, RwLock};
use terarchitect_outbound::Mask;
use tracing_subscriber::fmt::MakeWriter;

/// A program makes one attempt; where a test makes several, the last one's secrets count.
static SECRETS: RwLock<Option<Mask>> = RwLock::new(None);

/// From now on, these secrets are not printed.
pub fn keep_secret(mask: Mask) {
    *SECRETS.write().unwrap_or_else(PoisonError::into_inner) = Some(mask);
}

/// A text without the attempt's secrets.
#[must_use]
pub fn masked(text: &str) -> String {
    let mask = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
    mask.as_ref().map_or_else(|| text.to_owned(), |mask| mask.apply(text))
}

/// Standard error without the attempt's secrets, for the log.
#[derive(Clone, Copy, Debug, Default)]
pub struct MaskedStderr;

impl<'a> MakeWriter<'a> for MaskedStderr {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for MaskedStderr {
    /// The log writes each entry at once, so that no secret lies across two of them.
    fn write(&mut self, entry: &[u8]) -> std::io::Result<usize> {
        std::io::stderr().write_all(masked(&String::from_utf8_lossy(entry)).as_bytes())?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretString;

    #[test]
    fn what_was_said_to_be_secret_is_not_printed() {
        assert_eq!(masked("the word hunter2hunter2"), "the word hunter2hunter2");
        keep_secret(Mask::new([&SecretString::from("hunter2hunter2")]));
        assert_eq!(masked("the word hunter2hunter2"), "the word [secret]");
    }
}
