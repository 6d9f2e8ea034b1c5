//! What a hook prints for its agent: exactly what the agent program reads there, so that no hook has to build JSON.

use crate::domain::words::words;
use serde_json::{Value, json};

words! {
    /// Whose words a reply has.
    pub enum Reader "reader of a hook" {
        /// Cursor.
        Cursor = "cursor",
        /// Claude Code.
        Claude = "claude",
    }
}

/// What an agent is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// At the start of a session: what it should know.
    pub context: Option<String>,
    /// At its end: what is left to do.
    pub followup: Option<String>,
}

/// The reply in the words of this reader; nothing to say is an empty object, which both take.
#[must_use]
pub fn reply(reader: Reader, told: &Told) -> Value {
    match (reader, &told.context, &told.followup) {
        (Reader::Cursor, _, Some(followup)) => json!({"followup_message": followup}),
        (Reader::Cursor, Some(context), None) => json!({"additional_context": context}),
        (Reader::Claude, _, Some(followup)) => json!({"decision": "block", "reason": followup}),
        (Reader::Claude, Some(context), None) => {
            json!({"hookSpecificOutput": {"hookEventName": "SessionStart", "additionalContext": context}})
        }
        (_, None, None) => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_reads_its_own_words() {
        let (context, followup) = (Some("Use axum.".to_owned()), Some("Go on.".to_owned()));
        let start = Told { context, followup: None };
        let end = Told { context: None, followup };
        assert_eq!(reply(Reader::Cursor, &start), json!({"additional_context": "Use axum."}));
        assert_eq!(reply(Reader::Cursor, &end), json!({"followup_message": "Go on."}));
        assert_eq!(reply(Reader::Claude, &end), json!({"decision": "block", "reason": "Go on."}));
        assert_eq!(reply(Reader::Claude, &start)["hookSpecificOutput"]["additionalContext"], "Use axum.");
        assert_eq!(reply(Reader::Claude, &Told::default()), json!({}));
    }
}
