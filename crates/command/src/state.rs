//! The state of a ticket in one word and a sentence, and how its work ended. From an API that does not say the state, it
//! is put together from the ticket and its job.

use crate::output::{Tone, tone_of};
use crate::text;
use terarchitect_client::{Job, More, State, Ticket};

/// How a ticket's work ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The pull request is open, at this address.
    PullRequest(String),
    /// It is done, but there is no pull request.
    Nothing,
    /// It failed for good.
    Failed,
    /// A person stopped it.
    Cancelled,
    /// It was never started.
    NotStarted,
}

/// How the work of a ticket ended; none while it goes on.
pub(crate) fn outcome(ticket: &Ticket, job: Option<&Job>) -> Option<Outcome> {
    let Some(job) = job else {
        return Some(pull_request(ticket).unwrap_or(Outcome::NotStarted));
    };
    match job.status.as_str() {
        "completed" => Some(pull_request(ticket).unwrap_or(Outcome::Nothing)),
        "failed" => Some(Outcome::Failed),
        "cancelled" => Some(Outcome::Cancelled),
        _ => None,
    }
}

fn pull_request(ticket: &Ticket) -> Option<Outcome> {
    ticket.pr_url.clone().filter(|url| !url.is_empty()).map(Outcome::PullRequest)
}

/// The state of a ticket as its job tells it.
pub(crate) fn of_job(ticket: &Ticket, job: Option<&Job>) -> State {
    let (word, sentence) = match job {
        None => match ticket.column_id.as_str() {
            "in_review" => ("in_review", "In review.".to_owned()),
            "done" => ("done", "Done.".to_owned()),
            _ => ("backlog", "Not started.".to_owned()),
        },
        Some(job) => of_live(job).unwrap_or_else(|| match outcome(ticket, Some(job)) {
            Some(Outcome::PullRequest(_)) if ticket.column_id == "done" => ("done", "Done.".to_owned()),
            Some(Outcome::PullRequest(_)) => ("in_review", "The pull request is open.".to_owned()),
            Some(Outcome::Failed) => ("failed", format!("Failed: {}.", reason(job))),
            Some(Outcome::Cancelled) => ("cancelled", "Cancelled.".to_owned()),
            _ => ("done", "Finished without a pull request.".to_owned()),
        }),
    };
    let since = job.and_then(|job| job.finished_at.or(job.claimed_at).or(job.created_at));
    State { word: word.to_owned(), turn: None, since, sentence, why: None, more: More::new() }
}

fn of_live(job: &Job) -> Option<(&'static str, String)> {
    match job.status.as_str() {
        "pending" | "running" if job.cancel_requested_at.is_some() => Some(("stopping", "Asked to stop.".to_owned())),
        "pending" if job.failures > 0 => {
            Some(("waiting", format!("Attempt {} did not succeed ({}); the next one waits.", job.attempt, reason(job))))
        }
        "pending" => Some(("waiting", "Waiting for a coordinator.".to_owned())),
        "running" => {
            let host =
                job.worker_id.as_deref().map(|host| format!(" on {}", text::short(host, 40))).unwrap_or_default();
            Some(("running", format!("An agent works on it{host}, attempt {}.", job.attempt)))
        }
        _ => None,
    }
}

fn reason(job: &Job) -> String {
    job.outcome_reason.as_deref().map_or_else(|| "no reason was given".to_owned(), |reason| reason.replace('_', " "))
}

/// A state's word for people, with the turn: the words of the page.
pub(crate) fn word(state: &State) -> String {
    match (state.word.as_str(), state.turn) {
        ("turn", Some(turn)) => format!("Turn {turn}"),
        ("opening_pr", _) => "Opening PR".to_owned(),
        (word, _) => text::capital(&text::line(word).replace('_', " ")),
    }
}

/// A state's word and what follows it. Most sentences begin with the word, and it is not said twice.
pub(crate) fn word_and_rest(state: &State) -> (String, String) {
    let (word, sentence) = (word(state), sentence(state));
    match sentence.split_at_checked(word.len()) {
        Some((begin, rest)) if begin.eq_ignore_ascii_case(&word) && !rest.starts_with(char::is_alphanumeric) => {
            (begin.to_owned(), rest.to_owned())
        }
        _ => (word, format!(": {sentence}")),
    }
}

/// A state as a sentence; the word is added where the sentence is missing.
pub(crate) fn sentence(state: &State) -> String {
    let sentence = text::line(&state.sentence);
    let sentence = if sentence.is_empty() { word(state) } else { sentence };
    match state.why.as_ref().map(|why| text::line(&why.sentence)).filter(|why| !why.is_empty()) {
        Some(why) if !sentence.contains(&why) => format!("{sentence} {why}"),
        _ => sentence,
    }
}

/// How the word of a state is meant, beside others that are only text.
pub(crate) fn tone(state: &State) -> Tone {
    match tone_of(&state.word) {
        Tone::Plain => Tone::Busy,
        tone => tone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ticket(column: &str, url: Option<&str>) -> Ticket {
        let id = "ab000000-0000-4000-8000-000000000001";
        serde_json::from_value(json!({"id": id, "project_id": id, "title": "T", "column_id": column, "pr_url": url}))
            .unwrap()
    }

    fn job(status: &str, more: serde_json::Value) -> Job {
        let id = "ab000000-0000-4000-8000-000000000002";
        let mut job = json!({"id": id, "project_id": id, "ticket_id": id, "status": status, "attempt": 1});
        job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(job).unwrap()
    }

    #[test]
    fn the_end_of_a_job_is_the_end_of_the_work() {
        let url = "https://forge.example/pulls/1";
        let done = ticket("in_review", Some(url));
        assert_eq!(outcome(&done, Some(&job("completed", json!({})))), Some(Outcome::PullRequest(url.to_owned())));
        let none = ticket("in_progress", None);
        assert_eq!(outcome(&none, Some(&job("completed", json!({})))), Some(Outcome::Nothing));
        assert_eq!(outcome(&none, Some(&job("failed", json!({})))), Some(Outcome::Failed));
        assert_eq!(outcome(&none, Some(&job("cancelled", json!({})))), Some(Outcome::Cancelled));
        assert_eq!(outcome(&none, None), Some(Outcome::NotStarted));
        // A pull request of an earlier job does not end the watch of this one.
        assert_eq!(outcome(&done, Some(&job("running", json!({})))), None);
        assert_eq!(outcome(&none, Some(&job("a word of a newer API", json!({})))), None);
    }

    #[test]
    fn the_state_says_why() {
        let none = ticket("in_progress", None);
        let say = |job: Job| sentence(&of_job(&none, Some(&job)));
        assert_eq!(say(job("pending", json!({}))), "Waiting for a coordinator.");
        let again = job("pending", json!({"failures": 1, "outcome_reason": "container_lost"}));
        assert_eq!(say(again), "Attempt 1 did not succeed (container lost); the next one waits.");
        assert_eq!(say(job("failed", json!({"outcome_reason": "agent_failed"}))), "Failed: agent failed.");
        let host = job("running", json!({"worker_id": "host\u{1b}[2J"}));
        assert_eq!(say(host), "An agent works on it on host\\e[2J, attempt 1.");
    }

    #[test]
    fn a_state_is_told_in_the_page_s_words_once() {
        let told = |word: &str, turn: Option<i64>, sentence: &str| {
            let none = ticket("in_progress", None);
            let state = State { word: word.to_owned(), turn, sentence: sentence.to_owned(), ..of_job(&none, None) };
            let (word, rest) = word_and_rest(&state);
            format!("{word}{rest}")
        };
        assert_eq!(
            told("turn", Some(2), "Turn 2: the agent works on the ticket."),
            "Turn 2: the agent works on the ticket."
        );
        assert_eq!(told("turn", Some(2), "Turn 21: odd."), "Turn 2: Turn 21: odd.");
        assert_eq!(told("waiting", None, "No host is connected."), "Waiting: No host is connected.");
        assert_eq!(told("in_review", None, "In review: it is ready."), "In review: it is ready.");
        assert_eq!(told("opening_pr", None, "Done."), "Opening PR: Done.");
        assert_eq!(told("a_newer_word", None, ""), "A newer word");
    }
}
