//! Front ends that are served elsewhere: which origins may call the API from a browser. Without one there is no CORS.

use crate::config::ConfigError;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method};
use std::time::Duration;
use tower_http::cors::CorsLayer;
use url::Url;

/// For how long a browser may remember what it is allowed.
const MAX_AGE: Duration = Duration::from_secs(600);

/// The origins that are allowed, as browsers write them.
#[derive(Clone, Debug, Default)]
pub struct AllowedOrigins(Vec<String>);

impl AllowedOrigins {
    /// Reads a list that commas separate.
    ///
    /// # Errors
    /// When one is no origin. A wildcard is none either: any page could then use the key of who has it open.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let given = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        let read = |origin: &str| {
            let invalid = || ConfigError::AllowedOrigin { origin: origin.to_owned() };
            let url: Url = origin.parse().map_err(|_| invalid())?;
            let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
            let plain = url.username().is_empty() && url.password().is_none() && !origin.contains('*');
            let usable = matches!(url.scheme(), "http" | "https") && url.host_str().is_some() && bare && plain;
            if usable { Ok(url.origin().ascii_serialization()) } else { Err(invalid()) }
        };
        given.map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a request's `Origin` is one of them.
    pub(super) fn allow(&self, origin: &str) -> bool {
        self.0.iter().any(|allowed| allowed == origin)
    }

    /// What tells browsers so; none without origins.
    #[must_use]
    pub fn layer(&self) -> Option<CorsLayer> {
        let origins: Vec<HeaderValue> = self.0.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
        let headers = [ACCEPT, AUTHORIZATION, CONTENT_TYPE, named("last-event-id"), named("x-request-id")];
        let layer = CorsLayer::new()
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers(headers)
            .expose_headers([named("x-request-id"), http::header::RETRY_AFTER])
            .max_age(MAX_AGE);
        (!origins.is_empty()).then(|| layer.allow_origin(origins))
    }
}

fn named(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_as_browsers_write_them() {
        let origins = AllowedOrigins::parse("https://Board.example:443/, http://localhost:3000,").unwrap();
        assert!(origins.allow("https://board.example") && origins.allow("http://localhost:3000"));
        assert!(!origins.allow("https://board.example:443") && !origins.allow("http://board.example"));
        assert!(AllowedOrigins::parse("").unwrap().layer().is_none());
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in
            ["*", "https://*.example", "null", "board.example", "https://a.example/page", "file:///x", "https://a@b"]
        {
            assert!(AllowedOrigins::parse(text).is_err(), "{text}");
        }
    }
}
