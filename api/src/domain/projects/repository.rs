//! A repository's address, taken apart.

use url::Url;

/// Host, owner and name of a repository, from `https://host/owner/name`, `ssh://git@host/owner/name` or
/// `git@host:owner/name`, with or without `.git`. None for any other address.
#[must_use]
pub fn parts(address: &str) -> Option<(String, String, String)> {
    let (host, path) = if address.contains("://") {
        let url: Url = address.parse().ok()?;
        (url.host_str()?.to_ascii_lowercase(), url.path().to_owned())
    } else {
        let (user_host, path) = address.split_once(':')?;
        (user_host.rsplit('@').next()?.to_ascii_lowercase(), path.to_owned())
    };
    let path = path.trim_matches('/');
    let (owner, name) = path.trim_end_matches(".git").split_once('/')?;
    let plain = |word: &str| {
        !word.is_empty()
            && !word.starts_with('.')
            && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    (plain(owner) && plain(name)).then(|| (host, owner.to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn every_form_of_an_address_has_the_same_parts() {
        let expected = Some(("github.com".to_owned(), "o".to_owned(), "r.js".to_owned()));
        for address in [
            "https://github.com/o/r.js",
            "https://GitHub.com/o/r.js.git/",
            "ssh://git@github.com/o/r.js.git",
            "git@github.com:o/r.js.git",
        ] {
            assert_eq!(parts(address), expected, "{address}");
        }
        for address in ["https://host/o", "https://host/o/../../user", "https://host/a/b/c", "file:///x", "x"] {
            assert_eq!(parts(address), None, "{address}");
        }
    }
}
