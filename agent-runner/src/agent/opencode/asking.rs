//! What the agent asks of people: whether it may, what they have granted, and how a question reads.

use serde::Deserialize;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What may be asked, and what was.
#[derive(Debug, Default)]
pub(super) struct Asking {
    may_ask: bool,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Requests that stopped a turn. The server may list them until it has noticed that.
    asked: HashSet<String>,
    /// Permissions that a person granted, with what for.
    granted: HashSet<(String, String)>,
}

impl Asking {
    pub(super) fn new(may_ask: bool) -> Self {
        Self { may_ask, known: Mutex::default() }
    }

    /// Whether people answer.
    pub(super) fn may_ask(&self) -> bool {
        self.may_ask
    }

    /// Whether this request was not seen before; it is from now on.
    pub(super) fn is_new(&self, request: &str) -> bool {
        self.known().asked.insert(request.to_owned())
    }

    pub(super) fn grant(&self, permission: &str, patterns: &[String]) {
        self.known().granted.extend(pairs(permission, patterns));
    }

    /// Whether a person granted all of this.
    pub(super) fn is_granted(&self, permission: &str, patterns: &[String]) -> bool {
        let known = self.known();
        pairs(permission, patterns).all(|pair| known.granted.contains(&pair))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A permission for nothing in particular is one for everything.
fn pairs(permission: &str, patterns: &[String]) -> impl Iterator<Item = (String, String)> {
    let patterns = if patterns.is_empty() { vec![String::new()] } else { patterns.to_vec() };
    patterns.into_iter().map(move |pattern| (permission.to_owned(), pattern))
}

#[derive(Deserialize)]
struct Question {
    #[serde(default)]
    question: String,
    #[serde(default)]
    options: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    label: String,
    #[serde(default)]
    description: String,
}

/// Questions with what can be chosen, as people read them.
pub(super) fn question(questions: &[Value]) -> String {
    let questions = questions.iter().filter_map(|question| Question::deserialize(question).ok());
    let texts = questions.map(|asked| {
        let choices = asked.options.into_iter().map(|choice| match choice.description.trim() {
            "" => format!("\n- {}", choice.label),
            description => format!("\n- {}: {description}", choice.label),
        });
        std::iter::once(asked.question.trim().to_owned()).chain(choices).collect::<String>()
    });
    texts.collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_question_reads_as_a_list_of_what_can_be_chosen() {
        let choices = json!([{ "label": "Postgres", "description": "as elsewhere" }, { "label": "SQLite" }]);
        let first = json!({ "question": "Which database?", "header": "Database", "options": choices });
        let second = json!({ "question": "Which port?" });
        assert_eq!(question(&[first, second]), "Which database?\n- Postgres: as elsewhere\n- SQLite\n\nWhich port?");
        assert_eq!(question(&[json!(1)]), "");
    }

    #[test]
    fn what_was_granted_is_granted_for_nothing_else() {
        let asking = Asking::new(true);
        let (etc, usr) = ("/etc/*".to_owned(), "/usr/*".to_owned());
        asking.grant("external_directory", std::slice::from_ref(&etc));
        assert!(asking.is_granted("external_directory", std::slice::from_ref(&etc)));
        assert!(!asking.is_granted("external_directory", &[etc.clone(), usr]));
        assert!(!asking.is_granted("external_directory", &[]));
        assert!(!asking.is_granted("bash", &[etc]));
        assert!(asking.is_new("1") && !asking.is_new("1"));
    }
}
