//! What a secret of a project must look like.

use crate::domain::refusal::Refusal;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use terarchitect_worker_api::JobSecret;
use utoipa::ToSchema;

/// How many secrets a project may have.
pub const MAX_SECRETS: i64 = 100;
/// How large they may be together, in bytes: runners look for each in everything that they send.
pub const MAX_TOTAL_BYTES: i64 = 128 * 1024;
/// The longest value, in bytes.
const MAX_VALUE_BYTES: usize = 32 * 1024;
/// The shortest value, in characters: a shorter one would be masked in the middle of ordinary words.
const MIN_VALUE_CHARS: usize = 8;

/// A secret to set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretBody {
    /// The value. It is encrypted, and never shown again.
    #[schema(value_type = String)]
    pub value: SecretString,
    /// Whether the agent gets it too, which then can read it and do with it what it likes; absent: no.
    #[serde(default)]
    pub given_to_agent: bool,
}

/// The variable that a secret is in.
///
/// # Errors
/// When it is not the name of a variable, or of one that means something to runners.
pub fn name(text: &str) -> Result<&str, Refusal> {
    if !JobSecret::is_name(text) {
        return Err(Refusal::invalid(format!(
            "The name of a secret must have capital letters, digits and underscores alone, no digit in front, and at most {} of them, such as NPM_TOKEN.",
            JobSecret::MAX_NAME_BYTES
        )));
    }
    if JobSecret::is_reserved(text) {
        return Err(Refusal::invalid(format!(
            "{text} means something to the runner or to the programs that it starts, so a secret can't have this name; use another one, such as MY_{text}, and assign it in the command that needs it."
        )));
    }
    Ok(text)
}

/// The value of a secret.
///
/// # Errors
/// When it is too short to be masked, too long, or can't be in a variable. The value is not in the sentence.
pub fn value(body: &SecretBody) -> Result<&str, Refusal> {
    let value = body.value.expose_secret();
    if value.trim().chars().count() < MIN_VALUE_CHARS {
        return Err(Refusal::invalid(format!(
            "'value' must have at least {MIN_VALUE_CHARS} characters beside spaces at its ends: a shorter one can't be masked in logs. What is not secret belongs into the repository."
        )));
    }
    if value.len() > MAX_VALUE_BYTES {
        return Err(Refusal::invalid(format!("'value' is larger than {} KiB.", MAX_VALUE_BYTES / 1024)));
    }
    if value.contains('\0') {
        return Err(Refusal::invalid("'value' contains a zero byte, which no variable can."));
    }
    Ok(value)
}

/// Whether a project may have so many secrets, of so many bytes.
///
/// # Errors
/// When it is too many.
pub fn room(count: i64, bytes: i64) -> Result<(), Refusal> {
    if count > MAX_SECRETS {
        return Err(Refusal::invalid(format!(
            "This project has {MAX_SECRETS} secrets, and can't have more; delete one first."
        )));
    }
    if bytes > MAX_TOTAL_BYTES {
        return Err(Refusal::invalid(format!(
            "This project's secrets would be larger than {} KiB together; delete one first, or store a smaller one.",
            MAX_TOTAL_BYTES / 1024
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_t_be_a_variable_or_be_masked_is_refused() {
        let of = |value: &str| SecretBody { value: value.to_owned().into(), given_to_agent: false };
        assert_eq!(name("NPM_TOKEN").unwrap(), "NPM_TOKEN");
        assert_eq!(value(&of("hunter2!")).unwrap(), "hunter2!");
        assert_eq!(value(&of("line one\nline two\n")).unwrap(), "line one\nline two\n");
        for (wrong, said) in
            [("npm-token", "capital letters"), ("PATH", "PATH means something"), ("", "capital letters")]
        {
            assert!(name(wrong).unwrap_err().message.contains(said), "{wrong}");
        }
        for (wrong, said) in [
            ("hunter2".to_owned(), "at least 8 characters"),
            (format!("   {}      ", "short"), "at least 8 characters"),
            ("x".repeat(MAX_VALUE_BYTES + 1), "larger than 32 KiB"),
            ("hunter2\0hunter2".to_owned(), "zero byte"),
        ] {
            let refused = value(&of(&wrong)).unwrap_err().message;
            assert!(refused.contains(said) && !refused.contains("hunter2"), "{refused}");
        }
        assert!(room(MAX_SECRETS, MAX_TOTAL_BYTES).is_ok());
        assert!(room(MAX_SECRETS + 1, 1).is_err() && room(1, MAX_TOTAL_BYTES + 1).is_err());
    }
}
