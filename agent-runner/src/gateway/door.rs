//! One way in: whose calls come here, where they go, and how they went so far.

use super::failure::ModelFailure;
use super::tokens::Tokens;
use super::wire::Said;
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use subtle::ConstantTimeEq;
use terarchitect_outbound::Mask;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

/// After this many failed calls in a row nothing is asked for a while: the agent only repeats itself. A call that is repeated
/// here counts once.
const FAILURES_IN_A_ROW: u32 = 5;

/// How long nothing is asked then. One call tries it afterwards.
const PAUSE: Duration = Duration::from_secs(15);

/// A model behind the gateway.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// The first part of the paths that lead there; a word of letters.
    pub name: &'static str,
    /// The base of the model's API, as [`api_base`](terarchitect_outbound::api_base) returns it.
    pub base: Url,
    /// Its key, where one is needed.
    pub key: Option<SecretString>,
    /// The only model that may be asked there; none where each may.
    pub model: Option<String>,
    /// For how long a call that fails for now is repeated, before the failure is passed on. Zero where the caller decides
    /// about that itself: then it also gets the server's own responses.
    pub patience: Duration,
    /// How long the server may say nothing, before its response and within it.
    pub silence: Duration,
}

/// What the calls through one door came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Calls that a model answered, or began to.
    pub calls: u64,
    /// Those of them whose tokens the model's server did not count, or that were cut off before it did.
    pub uncounted: u64,
    /// Calls that failed, repeated ones too.
    pub failed: u64,
    /// The tokens of all that were counted.
    pub tokens: Tokens,
}

/// Why a model did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What kind of failure.
    pub kind: ModelFailure,
    /// What happened.
    pub message: String,
}

#[derive(Debug, Default)]
struct Course {
    spent: Spent,
    /// Calls of the model that are not over.
    underway: u64,
    failures_in_a_row: u32,
    closed_until: Option<Instant>,
    trouble: Option<Trouble>,
}

/// A model, and who may ask it.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) of: Upstream,
    pub(super) http: reqwest::Client,
    placeholder: SecretString,
    mask: Mask,
    /// Cancelled at the gateway's end: nothing passes from then on, also on connections that are still open.
    pub(super) closed: CancellationToken,
    course: Mutex<Course>,
}

/// A new key that is valid at one door alone.
pub(super) fn placeholder() -> SecretString {
    SecretString::from(format!("terarchitect-{:032x}", rand::random::<u128>()))
}

impl Door {
    pub(super) fn new(of: Upstream, http: reqwest::Client, placeholder: SecretString) -> Self {
        let mask = Mask::new(of.key.as_slice());
        Self { of, http, placeholder, mask, closed: CancellationToken::new(), course: Mutex::default() }
    }

    pub(super) fn placeholder(&self) -> &SecretString {
        &self.placeholder
    }

    pub(super) fn opens_for(&self, given: &[u8]) -> bool {
        !self.closed.is_cancelled() && bool::from(self.placeholder.expose_secret().as_bytes().ct_eq(given))
    }

    /// A text without the model's key, which some servers repeat.
    pub(super) fn masked(&self, text: &str) -> String {
        self.mask.apply(text)
    }

    pub(super) fn spent(&self) -> Spent {
        self.course().spent
    }

    /// Whether calls of this model pass.
    pub(super) fn allows(&self, model: &str) -> bool {
        self.of.model.as_deref().is_none_or(|allowed| allowed == model)
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.course().trouble.clone()
    }

    pub(super) fn spent_and_underway(&self) -> (Spent, u64) {
        let course = self.course();
        (course.spent, course.underway)
    }

    pub(super) fn count_underway(&self, change: i64) {
        let mut course = self.course();
        course.underway = course.underway.saturating_add_signed(change);
    }

    /// Whether the caller decides about retries itself.
    pub(super) fn leaves_retries(&self) -> bool {
        self.of.patience.is_zero()
    }

    /// What passes through, without the model's key: some servers report a wrong key with a status of success.
    pub(super) fn without_key(&self, bytes: Bytes) -> Bytes {
        let key = self.of.key.as_ref().map(|key| key.expose_secret().trim().as_bytes()).unwrap_or_default();
        if key.is_empty() || !bytes.windows(key.len()).any(|part| part == key) {
            return bytes;
        }
        self.masked(&String::from_utf8_lossy(&bytes)).into()
    }

    /// Why nothing is asked now; none if a call may go out.
    pub(super) fn refuses(&self, now: Instant) -> Option<Trouble> {
        let course = self.course();
        if self.leaves_retries() || course.closed_until.is_none_or(|until| now >= until) {
            return None;
        }
        course.trouble.as_ref().map(|trouble| Trouble {
            message: format!("{}; asking is paused after {} failures", trouble.message, course.failures_in_a_row),
            ..trouble.clone()
        })
    }

    /// Notes one try that failed.
    pub(super) fn tried(&self) {
        self.course().spent.failed += 1;
    }

    /// Notes a call that failed before it was answered. Its tries are noted already.
    pub(super) fn failed(&self, kind: ModelFailure, message: &str, now: Instant) {
        let trouble = Trouble { kind, message: self.masked(message) };
        self.course().fail(trouble, now);
    }

    /// Notes a response that is over, or was left by the agent before it was.
    pub(super) fn answered(&self, said: Said, is_asked: bool, was_left: bool, now: Instant) {
        if !is_asked {
            return;
        }
        let mut course = self.course();
        course.spent.calls += 1;
        match said.tokens {
            Some(tokens) => course.spent.tokens += tokens,
            None => course.spent.uncounted += 1,
        }
        let failure = match said.failure {
            Some(message) => Some(self.masked(&message)),
            None if said.is_whole || was_left => None,
            None => Some("its response broke off".to_owned()),
        };
        match failure {
            Some(message) => {
                course.spent.failed += 1;
                course.fail(Trouble { kind: ModelFailure::Unavailable, message }, now);
            }
            None if !said.is_whole => {}
            None => (course.failures_in_a_row, course.closed_until, course.trouble) = (0, None, None),
        }
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Course {
    fn fail(&mut self, trouble: Trouble, now: Instant) {
        self.failures_in_a_row += 1;
        self.trouble = Some(trouble);
        if self.failures_in_a_row >= FAILURES_IN_A_ROW {
            self.closed_until = Some(now + PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door() -> Door {
        let of = Upstream {
            name: "agent",
            base: "http://model/v1".parse().unwrap(),
            key: Some(SecretString::from("sk-of-the-model")),
            model: None,
            patience: Duration::from_secs(1),
            silence: Duration::from_secs(1),
        };
        Door::new(of, reqwest::Client::new(), placeholder())
    }

    fn said(tokens: Option<Tokens>, is_whole: bool) -> Said {
        Said { tokens, is_whole, failure: None }
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_repeats_a_failing_call_is_stopped_after_a_handful() {
        let door = door();
        let mut asked = 0;
        for _ in 0..800 {
            if door.refuses(Instant::now()).is_none() {
                asked += 1;
                door.answered(said(None, false), true, false, Instant::now());
            }
            tokio::time::advance(Duration::from_millis(250)).await;
        }
        // 200 seconds: five calls, and then one each quarter of a minute.
        assert_eq!(asked, 5 + 13, "{:?}", door.spent());
        let paused = door.refuses(Instant::now()).unwrap().message;
        assert_eq!(paused, "its response broke off; asking is paused after 18 failures");
        tokio::time::advance(PAUSE).await;
        door.answered(said(Some(Tokens::default()), true), true, false, Instant::now());
        door.answered(said(None, false), true, false, Instant::now());
        assert_eq!(door.refuses(Instant::now()), None, "after one that succeeds they are counted from zero");
    }

    #[tokio::test]
    async fn what_was_used_adds_up_and_what_is_not_known_is_not_zero() {
        let door = door();
        let tokens = Tokens { input: 5, output: 2, ..Tokens::default() };
        door.answered(said(Some(tokens), true), true, false, Instant::now());
        door.answered(said(Some(tokens), true), true, false, Instant::now());
        door.answered(said(None, false), true, true, Instant::now());
        door.answered(said(None, true), false, false, Instant::now());
        let tokens = Tokens { input: 10, output: 4, ..Tokens::default() };
        assert_eq!(door.spent(), Spent { calls: 3, uncounted: 1, failed: 0, tokens });
    }

    #[tokio::test]
    async fn the_models_key_is_in_no_message() {
        let door = door();
        for _ in 0..FAILURES_IN_A_ROW {
            door.failed(ModelFailure::Unauthorized, "sk-of-the-model is wrong", Instant::now());
        }
        assert!(door.refuses(Instant::now()).unwrap().message.starts_with("[secret] is wrong;"));
        assert_eq!(door.without_key("{\"a\":\"sk-of-the-model\"}".into()), "{\"a\":\"[secret]\"}");
        assert_eq!(door.without_key(Bytes::from_static(b"\xff\xfe")), b"\xff\xfe".as_slice());
        assert!(door.opens_for(door.placeholder().expose_secret().as_bytes()));
        assert!(!door.opens_for(b"sk-of-the-model") && !door.opens_for(b""));
    }
}
