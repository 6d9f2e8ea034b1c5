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
/// A line of a secret that has several is masked by itself from this length on: what shows a part of the secret, such as the
/// end of an output, has single lines of it.
const MIN_LINE_CHARS: usize = 8;
/// A line from this length on, and without spaces, is as good as the secret itself, such as one of a private key.
const MIN_DENSE_LINE_CHARS: usize = 32;
/// A setting or variable whose name contains one of these holds a secret.
const SECRET_WORDS: &[&str] = &["KEY", "TOKEN", "SECRET", "PASSWORD"];

/// Whether the setting or variable holds a secret, judged by its name: its value must not be shown.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Replaces and finds known secrets, also in base64, URL-encoded, and as JSON writes them.
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
        let (mut whole, mut lines) = (Vec::new(), Vec::new());
        for secret in secrets {
            let secret = secret.expose_secret().trim();
            if secret.chars().count() >= MIN_CHARS {
                whole.extend(forms_of(secret));
                lines.extend(secret.lines().map(str::trim).filter(|line| line.chars().count() >= MIN_LINE_CHARS));
            }
        }
        let is_dense = |line: &str| line.len() >= MIN_DENSE_LINE_CHARS && !line.contains(char::is_whitespace);
        whole.extend(lines.iter().filter(|line| is_dense(line)).map(|&line| line.to_owned()));
        longest_first(&mut whole);
        // It can only fail for more texts than a machine has memory for.
        let finder = if whole.is_empty() { None } else { AhoCorasick::new(&whole).ok() };
        let mut forms = whole;
        forms.extend(lines.into_iter().map(str::to_owned));
        longest_first(&mut forms);
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

/// A secret as it is, and as programs write it down.
fn forms_of(secret: &str) -> [String; 8] {
    let json = serde_json::Value::from(secret).to_string();
    [
        STANDARD.encode(secret),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        STANDARD.encode(format!("x-access-token:{secret}")),
        // What `echo` prints has a line break at its end.
        STANDARD.encode(format!("{secret}\n")),
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        json[1..json.len() - 1].to_owned(),
        secret.to_owned(),
    ]
}

/// So that a form inside another does not leave its ends behind.
fn longest_first(forms: &mut Vec<String>) {
    forms.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
    forms.dedup();
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

    #[test]
    fn of_a_secret_with_several_lines_each_is_masked_and_one_that_others_have_too_is_not_found() {
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEA";
        let key = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        let mask = Mask::new([&SecretString::from(key.clone())]);
        assert_eq!(
            mask.apply(&format!("end of it: {body}\n-----END PRIVATE KEY-----")),
            "end of it: [secret]\n[secret]"
        );
        assert_eq!(mask.apply(&serde_json::json!({ "key": key.trim() }).to_string()), r#"{"key":"[secret]"}"#);
        assert!(mask.is_in(format!("  {body}  ").as_bytes()).unwrap());
        assert!(!mask.is_in("-----BEGIN PRIVATE KEY-----".as_bytes()).unwrap(), "other keys begin so too");
    }
}
