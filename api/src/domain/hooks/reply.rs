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
    /// What would be left to do if it stopped now; only where that was asked for.
    pub ahead: Option<String>,
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

/// What a hook of each program is to print if its agent stops before the next request, a line each, in the order of
/// [`Reader::ALL`].
#[must_use]
pub fn ahead(told: &Told) -> String {
    let followup = told.ahead.clone();
    let told = Told { followup, ..Told::default() };
    Reader::ALL.iter().map(|reader| format!("{}\n", reply(*reader, &told))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_ahead_is_a_line_for_each_program() {
        let told = Told { ahead: Some("Go\non.".to_owned()), ..Told::default() };
        assert_eq!(
            ahead(&told),
            "{\"followup_message\":\"Go\\non.\"}\n{\"decision\":\"block\",\"reason\":\"Go\\non.\"}\n"
        );
        assert_eq!(ahead(&Told::default()), "{}\n{}\n");
    }

    #[test]
    fn each_program_reads_its_own_words() {
        let (context, followup) = (Some("Use axum.".to_owned()), Some("Go on.".to_owned()));
        let start = Told { context, ..Told::default() };
        let end = Told { followup, ..Told::default() };
        assert_eq!(reply(Reader::Cursor, &start), json!({"additional_context": "Use axum."}));
        assert_eq!(reply(Reader::Cursor, &end), json!({"followup_message": "Go on."}));
        assert_eq!(reply(Reader::Claude, &end), json!({"decision": "block", "reason": "Go on."}));
        assert_eq!(reply(Reader::Claude, &start)["hookSpecificOutput"]["additionalContext"], "Use axum.");
        assert_eq!(reply(Reader::Claude, &Told::default()), json!({}));
    }
}
