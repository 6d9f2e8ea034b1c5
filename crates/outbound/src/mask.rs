//! Keeps secrets out of everything that leaves a program: log entries, reports, pull requests, the terminal. This is the
//! one place that knows which names mark a secret.

use aho_corasick::AhoCorasick;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use std::io::Read;
use std::sync::Arc;

const MASK: &str = "[secret]";
/// A shorter text is not masked: it would garble ordinary words.
const MIN_CHARS: usize = 6;
/// A setting or variable whose name contains one of these holds a secret.
const SECRET_WORDS: &[&str] = &["KEY", "TOKEN", "SECRET", "PASSWORD"];

/// Whether the setting or variable holds a secret, judged by its name: its value must not be shown.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Replaces and finds known secrets, also in base64 and URL-encoded.
#[derive(Clone, Default)]
pub struct Mask {
    forms: Arc<Vec<String>>,
    /// Finds all of them at once; none where there is none.
    finder: Option<AhoCorasick>,
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mask").field("forms", &self.forms.len()).finish()
    }
}

impl Mask {
    /// A mask for these secrets.
    #[must_use]
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let mut forms: Vec<String> = secrets
            .into_iter()
            .map(|secret| secret.expose_secret().trim().to_owned())
            .filter(|secret| secret.chars().count() >= MIN_CHARS)
            .flat_map(|secret| {
                let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
                [
                    STANDARD.encode(&secret),
                    STANDARD_NO_PAD.encode(&secret),
                    URL_SAFE_NO_PAD.encode(&secret),
                    STANDARD.encode(format!("x-access-token:{secret}")),
                    encoded,
                    secret,
                ]
            })
            .collect();
        // The longest first, so that a form inside another does not leave its ends behind.
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        forms.dedup();
        // It can only fail for more texts than a machine has memory for.
        let finder = if forms.is_empty() { None } else { AhoCorasick::new(&forms).ok() };
        Self { forms: Arc::new(forms), finder }
    }

    /// The text without secrets.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        self.forms.iter().fold(text.to_owned(), |text, form| {
            if text.contains(form.as_str()) { text.replace(form.as_str(), MASK) } else { text }
        })
    }

    /// Whether one of the secrets is in what this reads, to its first find or its end.
    ///
    /// # Errors
    /// It can't be read.
    pub fn is_in(&self, content: impl Read) -> std::io::Result<bool> {
        match &self.finder {
            Some(finder) => Ok(finder.stream_find_iter(content).next().transpose()?.is_some()),
            None => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_marks_a_secret_in_any_case() {
        for name in ["GITHUB_TOKEN", "worker_api_key", "MEMORY_LLM_API_KEY", "OPENCODE_SERVER_PASSWORD", "X_SECRET_1"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["MEMORY_SAVE_DIR", "WORKER_MODEL", ""] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn every_form_of_a_secret_is_masked() {
        let mask = Mask::new([&SecretString::from("p/ss+word=1".to_owned()), &SecretString::from("abc".to_owned())]);
        let encoded = STANDARD.encode("p/ss+word=1");
        let text = format!("raw p/ss+word=1 base64 {encoded} url p%2Fss%2Bword%3D1 short abc");
        assert_eq!(mask.apply(&text), "raw [secret] base64 [secret] url [secret] short abc");
        assert!(!format!("{mask:?}").contains("word"));
    }

    #[test]
    fn a_secret_is_found_wherever_it_lies_and_nothing_else_is() {
        let mask = Mask::new([&SecretString::from("p/ss+word=1".to_owned())]);
        let far = [vec![b'x'; 300_000], b"p/ss+word=1".to_vec(), vec![0xff; 10]].concat();
        assert!(mask.is_in(far.as_slice()).unwrap());
        assert!(mask.is_in(STANDARD.encode("p/ss+word=1").as_bytes()).unwrap());
        assert!(!mask.is_in([vec![b'x'; 300_000], b"p/ss+word".to_vec()].concat().as_slice()).unwrap());
        assert!(!Mask::default().is_in(far.as_slice()).unwrap());
    }
}
