//! What the Director is shown: its rules, the ticket, the plan, and the last exchanges. Pure.
//!
//! Its memory is bounded, so that a question late in a long ticket costs no more than an early one: the oldest exchanges
//! are left out and the others are shortened, and the prompt says so. User and assistant messages alternate strictly,
//! since some models refuse anything else.

use super::chat::{ChatMessage, Role};
use super::words::people;
use crate::prompts::{DIRECTOR_SYSTEM, fenced, shortened};
use std::collections::VecDeque;

/// How much of an earlier question and answer is remembered, in characters.
const QUESTION_CHARS: usize = 3_000;
const ANSWER_CHARS: usize = 2_000;

/// The ticket is a message of its own, always the same, so that a server's cache of it stays valid. This answer to it
/// keeps the messages alternating.
const TICKET_READ: &str = r#"{"read": true}"#;

/// How much of the plan is shown.
const PLAN_CHARS: usize = 16_000;

/// How much of what people wrote is shown.
const PEOPLE_CHARS: usize = 8_000;

/// The Director's memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct History {
    exchanges: VecDeque<(String, String)>,
    limit: usize,
    forgotten: usize,
    /// What people wrote to the agent before the last question: it counts to the end.
    people: Vec<String>,
}

impl History {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    pub(super) fn remember(&mut self, question: &str, answer: &str) {
        self.exchanges.push_back((shortened(question, QUESTION_CHARS), shortened(answer.trim(), ANSWER_CHARS)));
        while self.exchanges.len() > self.limit {
            self.exchanges.pop_front();
            self.forgotten += 1;
        }
    }

    /// Remembers what people wrote to the agent, for all later questions.
    pub(super) fn remember_people(&mut self, heard: &mut Vec<String>) {
        self.people.append(heard);
    }

    /// The messages of a question. `retry` is an unusable answer to it, and the reason that was given.
    pub(super) fn messages(
        &self,
        ticket: &str,
        plan: &str,
        question: &str,
        retry: Option<(&str, &str)>,
    ) -> Vec<ChatMessage> {
        let message = |role, content: &str| ChatMessage { role, content: content.to_owned() };
        let mut messages = vec![
            message(Role::System, DIRECTOR_SYSTEM.trim()),
            message(Role::User, ticket),
            message(Role::Assistant, TICKET_READ),
        ];
        let first_question = messages.len();
        for (asked, answered) in &self.exchanges {
            messages.push(message(Role::User, asked));
            messages.push(message(Role::Assistant, answered));
        }
        messages.push(message(Role::User, question));
        if let Some((answer, complaint)) = retry {
            let answer = shortened(answer.trim(), ANSWER_CHARS);
            messages.push(message(Role::Assistant, if answer.is_empty() { "(nothing)" } else { &answer }));
            messages.push(message(Role::User, complaint));
        }
        if let Some(first) = messages.get_mut(first_question) {
            first.content = format!("{}{}", self.preface(plan), first.content);
        }
        messages
    }

    /// What stands before the first question that is shown.
    fn preface(&self, plan: &str) -> String {
        let mut preface = String::new();
        if self.forgotten > 0 {
            preface.push_str(&format!("({} earlier questions and answers are left out here.)\n\n", self.forgotten));
        }
        if !self.people.is_empty() {
            let people = shortened(&people(&self.people), PEOPLE_CHARS);
            preface.push_str(&format!("## What people wrote to the agent so far\n{people}\n\n---\n\n"));
        }
        if !plan.is_empty() {
            let plan = fenced(&shortened(plan, PLAN_CHARS));
            preface.push_str(&format!("## The current plan\n{plan}\n\n---\n\n"));
        }
        preface
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(history: &History, retry: Option<(&str, &str)>) -> Vec<(Role, String)> {
        let messages = history.messages("TICKET", "", "now", retry);
        messages.into_iter().skip(3).map(|message| (message.role, message.content)).collect()
    }

    #[test]
    fn messages_alternate_and_the_question_comes_last() {
        let mut history = History::new(2);
        assert_eq!(shown(&history, None), [(Role::User, "now".to_owned())]);
        history.remember("q1", "a1");
        let roles: Vec<Role> = shown(&history, Some(("x", "again"))).iter().map(|(role, _)| *role).collect();
        assert_eq!(roles, [Role::User, Role::Assistant, Role::User, Role::Assistant, Role::User]);
    }

    #[test]
    fn the_director_is_told_how_many_exchanges_are_left_out() {
        let mut history = History::new(2);
        for number in 0..5 {
            history.remember(&format!("q{number}"), "a");
        }
        let messages = shown(&history, None);
        assert_eq!(messages[0].1, "(3 earlier questions and answers are left out here.)\n\nq3");
        assert_eq!(messages.len(), 5);
    }

    #[test]
    fn the_beginning_of_the_conversation_never_changes() {
        let mut history = History::new(1);
        let before = history.messages("TICKET", "", "one", None)[..3].to_vec();
        history.remember("one", "a");
        history.remember("two", "b");
        assert_eq!(history.messages("TICKET", "A PLAN", "three", None)[..3], before);
    }

    #[test]
    fn a_long_exchange_is_cut_between_characters() {
        let mut history = History::new(1);
        history.remember(&"ä".repeat(10_000), "a");
        assert!(shown(&history, None)[0].1.contains("characters left out"));
    }
}
