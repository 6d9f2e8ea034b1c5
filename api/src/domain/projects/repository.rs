//! A repository's address, taken apart.

use crate::domain::refusal::Refusal;
use url::Url;

/// Hosts of a forge that speak SSH alone, by how their names begin.
const SSH_HOSTS: &[&str] = &["ssh.", "altssh.", "vs-ssh."];
/// How paths begin that are folders of a server, not repositories of a forge.
const FOLDERS: &[&str] =
    &["~", "/~", "/srv/", "/home/", "/var/", "/opt/", "/root/", "/mnt/", "/data/", "/usr/", "/tmp/"];

/// Host, without its port, and path of a repository, in lower case and without `.git`, from any form of its address. Two
/// addresses of one repository have the same.
#[must_use]
pub fn place(address: &str) -> Option<(String, String)> {
    let (host, path) = host_and_path(address)?;
    let path = path.trim_matches('/').to_lowercase();
    let path = path.strip_suffix(".git").unwrap_or(&path);
    let host = host.strip_prefix("www.").unwrap_or(&host);
    (path.contains('/')).then(|| (host.to_owned(), path.to_owned()))
}

/// The address of a repository's host, and that host as credentials name it, with its port where that is not the scheme's
/// own; none where it is not reached over HTTP.
#[must_use]
pub fn home(address: &str) -> Option<(String, String)> {
    let url: Url = address.trim().parse().ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let host = url.host_str()?.to_ascii_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host);
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Some((format!("{}://{authority}", url.scheme()), authority))
}

fn host_and_path(address: &str) -> Option<(String, String)> {
    if address.contains("://") {
        // Some pages show `ssh://git@host:owner/name`.
        let url = address.parse::<Url>().or_else(|_| {
            let (scheme, rest) = address.split_once("://").unwrap_or_default();
            format!("{scheme}://{}", rest.replacen(':', "/", 1)).parse()
        });
        let url = url.ok()?;
        return Some((url.host_str()?.to_ascii_lowercase(), url.path().to_owned()));
    }
    let (user_host, path) = address.split_once(':')?;
    Some((user_host.rsplit('@').next()?.to_ascii_lowercase(), path.to_owned()))
}

/// Refuses addresses at which no pull request could be opened.
///
/// # Errors
/// Names what is at the address, and what to do.
pub fn require_supported(address: &str) -> Result<(), Refusal> {
    let Some((host, path)) = host_and_path(address) else { return Ok(()) };
    let forges = "Terarchitect works with GitHub, GitLab, Gitea and Forgejo";
    if host == "bitbucket.org"
        || host.ends_with(".bitbucket.org")
        || host.starts_with("bitbucket.")
        || path.starts_with("/scm/")
    {
        return Err(Refusal::invalid(format!("'github_url' is at Bitbucket, which is not supported. {forges}.")));
    }
    let at_azure = ["dev.azure.com", "visualstudio.com"];
    if at_azure.iter().any(|of| host == *of || host.ends_with(&format!(".{of}"))) || path.contains("/_git/") {
        return Err(Refusal::invalid(format!("'github_url' is at Azure DevOps, which is not supported. {forges}.")));
    }
    let is_http = address.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("http"));
    let is_git = address.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("git://"));
    let only_ssh = SSH_HOSTS.iter().any(|start| host.starts_with(start))
        || FOLDERS.iter().any(|start| path.starts_with(start))
        || !path.trim_matches('/').contains('/');
    if is_git || (!is_http && only_ssh) {
        return Err(Refusal::invalid(
            "'github_url' leads to a server that speaks SSH or git:// alone, where no pull request can be opened; use the https:// address of a repository at a forge.",
        ));
    }
    Ok(())
}

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
    use super::{parts, place, require_supported};

    #[test]
    fn two_addresses_of_one_repository_are_at_the_same_place() {
        let expected = Some(("git.example".to_owned(), "group/sub/name".to_owned()));
        for address in [
            "https://git.example/Group/sub/name",
            "https://git.example:3000/group/sub/name.git/",
            "ssh://git@GIT.example:2222/group/sub/name.git",
            "git@git.example:group/sub/name.git",
            "ssh://git@git.example:group/sub/name",
        ] {
            assert_eq!(place(address), expected, "{address}");
        }
        assert_eq!(place("https://www.github.com/o/r"), place("git@github.com:o/r"));
        assert_ne!(place("https://github.com/o/r"), place("https://github.com/o/r2"));
        assert_eq!(place("https://github.com/o"), None);
    }

    #[test]
    fn where_no_pull_request_can_be_opened_is_refused_with_why() {
        for (address, why) in [
            ("https://bitbucket.org/o/r", "Bitbucket"),
            ("git@bitbucket.org:o/r.git", "Bitbucket"),
            ("ssh://git@altssh.bitbucket.org:443/o/r.git", "Bitbucket"),
            ("https://bitbucket.corp.example/scm/o/r.git", "Bitbucket"),
            ("https://git.example/scm/o/r.git", "Bitbucket"),
            ("https://dev.azure.com/o/p/_git/r", "Azure DevOps"),
            ("git@ssh.dev.azure.com:v3/o/p/r", "Azure DevOps"),
            ("https://o.visualstudio.com/p/_git/r", "Azure DevOps"),
            ("ssh://git@ssh.github.com:443/o/r.git", "SSH"),
            ("me@server:/srv/git/r.git", "SSH"),
            ("me@server:~/r.git", "SSH"),
            ("me@server:r.git", "SSH"),
            ("git://git.example/o/r", "SSH"),
        ] {
            let refused = require_supported(address).unwrap_err();
            assert!(refused.message.contains(why), "{address}: {}", refused.message);
        }
        for address in [
            "https://github.com/o/r",
            "git@github.com:o/r.git",
            "ssh://git@gitea.example:2222/o/r.git",
            "http://localhost:3000/o/r",
            "https://gitlab.com/g/s/r",
            "https://host/r",
        ] {
            assert!(require_supported(address).is_ok(), "{address}");
        }
    }

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
