//! Where the calls of an OpenAI-compatible API go, given what people write into settings.

use url::Url;

/// The base under which `chat/completions` lies, without a slash at its end.
///
/// People write the host alone (`http://host:8000`), the base (`https://host/v1`, `https://host/openai/v2`), or the
/// whole endpoint (`…/v1/chat/completions`). A bare host gets the customary `/v1`; any other path is kept, since
/// not every API has one.
///
/// # Errors
/// It is no `http://` or `https://` address.
pub fn api_base(text: &str) -> Result<Url, InvalidBase> {
    let invalid = || InvalidBase { url: text.to_owned() };
    let mut url = Url::parse(text.trim()).map_err(|_| invalid())?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(invalid());
    }
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/chat/completions").unwrap_or(path).trim_end_matches('/');
    let path = if path.is_empty() { "/v1".to_owned() } else { path.to_owned() };
    url.set_path(&path);
    url.set_fragment(None);
    Ok(url)
}

/// The text is no usable address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is not an http:// or https:// address")]
pub struct InvalidBase {
    /// The address as given.
    pub url: String,
}

#[cfg(test)]
mod tests {
    use super::api_base;

    #[test]
    fn whatever_people_write_names_the_same_base() {
        for text in [
            "http://host:8000",
            "http://host:8000/",
            "http://host:8000/v1",
            " http://host:8000/v1/ ",
            "http://host:8000/v1/chat/completions",
            "http://host:8000/chat/completions",
        ] {
            assert_eq!(api_base(text).unwrap().as_str(), "http://host:8000/v1", "{text}");
        }
    }

    #[test]
    fn a_path_of_its_own_is_kept() {
        assert_eq!(api_base("https://host/api/paas/v4/").unwrap().as_str(), "https://host/api/paas/v4");
        assert_eq!(api_base("https://host/openai?version=2").unwrap().as_str(), "https://host/openai?version=2");
    }

    #[test]
    fn what_is_no_web_address_is_refused() {
        for text in ["", "host:8000", "localhost/v1", "file:///etc/passwd", "unix:/run/model"] {
            assert!(api_base(text).is_err(), "{text}");
        }
    }
}
