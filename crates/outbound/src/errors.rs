//! Errors as texts.

/// An error and all its causes in one line, for a log or a terminal. A cause that its effect has already quoted is left
/// out.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::chain;
    use std::io::Error;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Wrapped {
        text: &'static str,
        source: Error,
    }

    #[test]
    fn causes_follow_their_effect_and_none_is_said_twice() {
        let wrapped = |text| Wrapped { text, source: Error::other("disk full") };
        assert_eq!(chain(&wrapped("could not write")), "could not write: disk full");
        assert_eq!(chain(&wrapped("could not write: disk full")), "could not write: disk full");
    }
}
