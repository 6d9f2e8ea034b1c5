//! What a failed model call means: one place for all agents and wire forms. Pure.

/// What kind of failure the model's server reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelFailure {
    /// The key is refused.
    Unauthorized,
    /// The model or the address does not exist there.
    NotFound,
    /// The request is refused for another reason; repeating it does not help.
    Refused,
    /// Too many requests, or no budget left there.
    RateLimited,
    /// The attempt's own budget is used up, so nothing was asked.
    Budget,
    /// The server failed, is unreachable or stopped responding.
    Unavailable,
    /// The conversation is too long for the model, even after compaction.
    ContextOverflow,
    /// Compacting the conversation failed.
    Compaction,
    /// Anything else.
    Other,
}

impl ModelFailure {
    /// Whether the same request may succeed later.
    #[must_use]
    pub fn may_pass(self) -> bool {
        matches!(self, Self::RateLimited | Self::Unavailable)
    }

    /// What a response with this status means. `words` is what it says.
    #[must_use]
    pub fn of_status(status: u16, words: &str) -> Self {
        let words = words.to_lowercase();
        match status {
            401 | 403 => Self::Unauthorized,
            404 => Self::NotFound,
            402 | 429 => Self::RateLimited,
            408 | 409 | 425 | 500.. => Self::Unavailable,
            413 => Self::ContextOverflow,
            400..=499 if names_unknown_model(&words) => Self::NotFound,
            400..=499 => Self::Refused,
            _ => Self::Other,
        }
    }

    /// Its word in the gateway's own responses.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::RateLimited => "rate_limited",
            Self::Budget => "budget",
            Self::Unavailable => "unavailable",
            Self::ContextOverflow => "context_overflow",
            Self::Compaction => "compaction",
            Self::Other => "other",
        }
    }

    /// What one of the gateway's own responses says; none for any other response. Agents show what they were
    /// refused with, and so it comes back.
    #[must_use]
    pub fn of_gateway(body: &str) -> Option<Self> {
        let (_, rest) = body.split_once(MARK)?;
        let code: String = rest
            .trim_start_matches(['"', ':', ' ', '\\'])
            .chars()
            .take_while(|letter| letter.is_ascii_lowercase() || *letter == '_')
            .collect();
        let known = [
            Self::Unauthorized,
            Self::NotFound,
            Self::Refused,
            Self::RateLimited,
            Self::Budget,
            Self::Unavailable,
            Self::ContextOverflow,
            Self::Compaction,
            Self::Other,
        ];
        known.into_iter().find(|kind| kind.code() == code)
    }
}

/// The field of the gateway's own responses that has the failure's word.
pub(super) const MARK: &str = "terarchitect_failure";

/// Some servers return 400 for a model that they do not have.
fn names_unknown_model(words: &str) -> bool {
    let unknown = ["not found", "does not exist", "not exist", "unknown model", "invalid model", "not a valid model"];
    words.contains("model") && unknown.iter().any(|phrase| words.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateways_own_response_is_known_again_however_it_is_quoted() {
        let body = format!("{{\"error\":{{\"message\":\"no\",\"{MARK}\":\"rate_limited\"}}}}");
        assert_eq!(ModelFailure::of_gateway(&body), Some(ModelFailure::RateLimited));
        let quoted = serde_json::Value::from(body).to_string();
        assert_eq!(ModelFailure::of_gateway(&quoted), Some(ModelFailure::RateLimited));
        assert_eq!(ModelFailure::of_gateway("{\"error\":\"unavailable\"}"), None);
        assert_eq!(ModelFailure::of_gateway(&format!("{MARK}: something")), None);
    }
}
