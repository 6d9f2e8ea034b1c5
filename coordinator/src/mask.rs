//! Keeps secrets out of what the coordinator reports: raw, in base64, and encoded for URLs.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

const MASK: &str = "[secret]";
/// A shorter text is no secret worth the name, and masking it would garble ordinary words.
const MIN_CHARS: usize = 6;

/// The text without these secrets, in any of their forms.
#[must_use]
pub fn masked<'a>(text: &str, secrets: impl Iterator<Item = &'a str>) -> String {
    let mut forms: Vec<String> = secrets
        .map(str::trim)
        .filter(|secret| secret.chars().count() >= MIN_CHARS)
        .flat_map(|secret| {
            let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            [
                STANDARD.encode(secret),
                STANDARD_NO_PAD.encode(secret),
                URL_SAFE_NO_PAD.encode(secret),
                encoded,
                secret.to_owned(),
            ]
        })
        .collect();
    // The longest first, so that a form inside another does not leave its ends behind.
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.iter().fold(text.to_owned(), |text, form| text.replace(form.as_str(), MASK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_secret_is_masked() {
        let text = format!("raw p/ss+word=1 base64 {} url p%2Fss%2Bword%3D1 short abc", STANDARD.encode("p/ss+word=1"));
        let shown = masked(&text, ["p/ss+word=1", "abc"].into_iter());
        assert_eq!(shown, "raw [secret] base64 [secret] url [secret] short abc");
    }
}
