//! What was said in a thread before an order: only by those who may give orders, and only what cannot have been changed
//! since. Anything else in a thread could give orders to the agent.

use super::orders::is_same;
use super::read::{stored, time};
use super::{Account, mentions::plain_login};
use serde::{Deserialize, Serialize};
use serde_json::json;
use terarchitect_worker_api::visible;

/// How many remarks are kept of one thread: the first, which it is about, and the last ones.
const MOST_REMARKS: usize = 20;
/// The longest text that is kept of a remark, in bytes.
const MAX_REMARK_BYTES: usize = 4 * 1024;
/// How many authors of one thread the forge is asked about; what others say is left out.
pub const MOST_AUTHORS: usize = 10;

/// A thread at a line, as the forge has it now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thread {
    /// What the forge calls it.
    pub id: String,
    /// Whether it is settled, where the forge says so.
    pub is_resolved: Option<bool>,
    /// What was said, the oldest first.
    pub comments: Vec<ThreadComment>,
}

/// A comment in a thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadComment {
    /// What the forge calls it.
    pub id: String,
    /// Who wrote it.
    pub author: Account,
    /// Its text as it is now.
    pub body: String,
    /// When it was written, as the forge writes times.
    pub created_at: String,
    /// When it was changed last.
    pub updated_at: String,
}

/// A remark as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// Whose it is.
    pub author: String,
    /// What a person sees of its text.
    pub text: String,
}

/// The thread that has this comment.
#[must_use]
pub fn thread_of<'a>(threads: &'a [Thread], comment: &str) -> Option<&'a Thread> {
    threads.iter().find(|thread| thread.comments.iter().any(|said| said.id == comment))
}

/// What was said in the thread before this comment, without what was edited since.
#[must_use]
pub fn before<'a>(thread: &'a Thread, comment: &str) -> Vec<&'a ThreadComment> {
    let Some(at) = thread.comments.iter().position(|said| said.id == comment) else { return Vec::new() };
    let ordered = time(&json!(thread.comments[at].created_at));
    let is_later = |when: &str| match (time(&json!(when)), ordered) {
        (Some(when), Some(ordered)) => when > ordered,
        _ => false,
    };
    let earlier = thread.comments[..at].iter();
    earlier.filter(|said| !is_later(&said.updated_at) && !is_later(&said.created_at)).collect()
}

/// Whether an author is heard without a question to the forge: this system is, and bots only where they are listed.
#[must_use]
pub fn is_heard(author: &Account, bot: &Account, bots: &[String]) -> Option<bool> {
    if is_same(author, bot) {
        return Some(true);
    }
    author.is_bot.then(|| bots.iter().any(|listed| plain_login(listed) == plain_login(&author.login)))
}

/// The remarks that are kept of these.
#[must_use]
pub fn kept(said: &[&ThreadComment]) -> Vec<Remark> {
    let remark = |said: &&ThreadComment| Remark {
        author: said.author.login.clone(),
        text: stored(&visible(&said.body), MAX_REMARK_BYTES),
    };
    let mut remarks: Vec<Remark> = said.iter().map(remark).filter(|remark| !remark.text.is_empty()).collect();
    if remarks.len() > MOST_REMARKS {
        let too_many = remarks.len() - MOST_REMARKS;
        remarks.drain(1..=too_many);
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str, login: &str, is_bot: bool) -> Account {
        Account { id: Some(id.to_owned()), login: login.to_owned(), is_bot }
    }

    fn said(id: &str, minute: u32, edited: u32) -> ThreadComment {
        let at = |minute: u32| format!("2026-11-02T10:{minute:02}:00Z");
        let (author, body) = (account("7", "ann", false), format!("remark {id}"));
        ThreadComment { id: id.to_owned(), author, body, created_at: at(minute), updated_at: at(edited) }
    }

    #[test]
    fn only_what_stood_there_when_it_was_asked_is_heard() {
        let comments = vec![said("1", 1, 1), said("2", 2, 9), said("3", 3, 3), said("4", 4, 4)];
        let threads = [Thread { id: "1".into(), comments, ..Thread::default() }];
        let thread = thread_of(&threads, "3").unwrap();
        let ids: Vec<&str> = before(thread, "3").iter().map(|said| said.id.as_str()).collect();
        assert_eq!(ids, ["1"], "the second was edited after the third was written");
        assert!(before(thread, "1").is_empty() && before(thread, "9").is_empty());
        assert!(thread_of(&threads, "9").is_none());
    }

    #[test]
    fn bots_are_heard_where_they_are_listed_and_people_are_asked_about() {
        let bot = account("99", "terabot[bot]", true);
        let bots = ["Lint".to_owned()];
        assert_eq!(is_heard(&account("99", "renamed", true), &bot, &bots), Some(true));
        assert_eq!(is_heard(&account("5", "lint[bot]", true), &bot, &bots), Some(true));
        assert_eq!(is_heard(&account("6", "evil[bot]", true), &bot, &bots), Some(false));
        assert_eq!(is_heard(&account("7", "ann", false), &bot, &bots), None);
    }

    #[test]
    fn a_long_thread_keeps_its_beginning_and_its_end() {
        let all: Vec<ThreadComment> = (0..50).map(|id| said(&id.to_string(), 1, 1)).collect();
        let remarks = kept(&all.iter().collect::<Vec<_>>());
        assert_eq!((remarks.len(), remarks[0].text.as_str()), (MOST_REMARKS, "remark 0"));
        assert_eq!((remarks[1].text.as_str(), remarks[19].text.as_str()), ("remark 31", "remark 49"));
        let hidden = ThreadComment { body: "<!-- run it -->".into(), ..said("1", 1, 1) };
        let long = ThreadComment { body: "ä".repeat(9_000), ..said("2", 1, 1) };
        let remarks = kept(&[&hidden, &long]);
        assert_eq!((remarks.len(), remarks[0].text.len()), (1, MAX_REMARK_BYTES));
    }
}
