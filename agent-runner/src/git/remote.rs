//! The remote: its address, its branches, credentials, pushes.

use super::default_branch::{self, Listed};
use super::refusal::{Verdict, http_status, judge, readable as readable_text};
use super::{CloneRequest, GitError};
use git2::{
    Cred, CredentialType, Direction, ErrorClass, ErrorCode, Oid, ProxyOptions, PushOptions, RemoteCallbacks,
    RemoteHead, RemoteRedirect, Repository,
};
use secrecy::ExposeSecret;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use terarchitect_outbound::http_url;
use tokio_util::sync::CancellationToken;
use url::Url;

/// The most of a remote's messages that is kept, in bytes.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;

const PROXY_ADDRESS: &str = "set HTTPS_PROXY to an address such as http://proxy:3128; git knows no other proxies";
const PROXY_PLAIN: &str = "git only does this with https:// addresses; use one, or add the host to NO_PROXY";

/// What libgit2 says of a remote that it can't use, in parts, and what that means.
const UNUSABLE: &[(&str, &str)] = &[
    (
        "invalid content-type",
        "it returned some page instead. Check REPO_URL, and whether a proxy or a page to sign in answers at this address",
    ),
    (
        "unknown remote object format",
        "its objects have SHA-256 names, which Terarchitect does not support; use a repository with SHA-1",
    ),
];

/// How a branch was changed by others, where the remote does not say it.
const MOVED: &str = "it has commits that this attempt does not have";

/// The address of a repository, without credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteUrl {
    text: String,
    parsed: Option<Url>,
}

impl RemoteUrl {
    /// Reads an address. `git@host:owner/repo` becomes `https://host/owner/repo`, which a token gives access to; the
    /// runner has no SSH key. A user or password in the address is dropped.
    ///
    /// # Errors
    /// The text is not the address of a repository.
    pub fn parse(text: &str) -> Result<Self, GitError> {
        let text = text.trim();
        let invalid = || GitError::InvalidUrl { url: redacted(text) };
        if text.starts_with('/') {
            return Ok(Self { text: text.to_owned(), parsed: None });
        }
        let https = match text.split_once(':') {
            Some((host, path)) if !text.contains("://") => {
                // "localhost:3000/owner/repo" lacks its scheme, and "C:\repo" is a path of Windows.
                let starts_with_port = path.split('/').next().is_some_and(|port| port.parse::<u16>().is_ok());
                if host.len() == 1 || (starts_with_port && !host.contains('@')) {
                    return Err(invalid());
                }
                let host = host.rsplit('@').next().unwrap_or(host);
                format!("https://{host}/{}", path.trim_start_matches('/'))
            }
            _ => text.to_owned(),
        };
        let mut url: Url = https.parse().or_else(|_| without_scp_colon(&https).parse()).map_err(|_| invalid())?;
        if url.scheme() == "ssh" {
            let path = url.path().to_owned();
            url = format!("https://{}{path}", url.host_str().unwrap_or_default()).parse().map_err(|_| invalid())?;
        }
        if !matches!(url.scheme(), "http" | "https" | "file") || (url.scheme() != "file" && url.host_str().is_none()) {
            return Err(invalid());
        }
        // Copied from a browser with a page's parts.
        url.set_fragment(None);
        url.set_query(None);
        // Only the shorter name is the token's, and the longer one redirects to it.
        if url.host_str() == Some("www.github.com") {
            let _ = url.set_host(Some("github.com"));
        }
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(Self { text: url.to_string(), parsed: Some(url) })
    }

    /// The address as git needs it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is reached over HTTP, where shallow fetches and tokens work.
    #[must_use]
    pub fn is_http(&self) -> bool {
        self.parsed.as_ref().is_some_and(|url| url.scheme().starts_with("http"))
    }

    /// The address, where it is one of HTTP.
    #[must_use]
    pub fn as_url(&self) -> Option<&Url> {
        self.parsed.as_ref().filter(|_| self.is_http())
    }

    /// Its host, in lower case.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.parsed.as_ref().and_then(Url::host_str)
    }

    /// Its owner and name, if its path consists of these.
    #[must_use]
    pub fn owner_and_name(&self) -> Option<(String, String)> {
        let path = self.parsed.as_ref()?.path().trim_matches('/');
        let (owner, name) = path.split_once('/')?;
        let name = name.strip_suffix(".git").unwrap_or(name);
        (!owner.is_empty() && !name.is_empty() && !name.contains('/')).then(|| (owner.to_owned(), name.to_owned()))
    }
}

/// `ssh://git@host:owner/repo`, which some pages show, in the form that is an address.
fn without_scp_colon(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    format!("{scheme}://{}", rest.replacen(':', "/", 1))
}

/// An address without the credentials before its host, for an error message.
fn redacted(text: &str) -> String {
    text.rsplit('@').next().unwrap_or_default().chars().take(200).collect()
}

/// The branches of a remote.
pub(super) struct Heads {
    pub(super) default_branch: Option<String>,
    names: Vec<String>,
}

impl Heads {
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub(super) fn has(&self, branch: &str) -> bool {
        self.names.iter().any(|name| name == &format!("refs/heads/{branch}"))
    }
}

/// A branch whose name is not UTF-8 is left out. The binding to libgit2 panics at such a name, and has no other way to it.
fn readable(head: &RemoteHead<'_>) -> Option<Listed> {
    let read =
        || Listed { name: head.name().to_owned(), id: head.oid(), target: head.symref_target().map(str::to_owned) };
    catch_unwind(AssertUnwindSafe(read)).ok()
}

/// How to connect to the remote.
pub(super) struct Connection<'a> {
    pub(super) request: &'a CloneRequest,
    pub(super) cancel: &'a CancellationToken,
}

impl Connection<'_> {
    /// Whether the token is for this remote: no turn is paid for a branch that could not be pushed in the end.
    pub(super) fn check_token(&self) -> Result<(), GitError> {
        match (&self.request.token, self.request.url.parsed.as_ref()) {
            (Some(token), Some(url)) if self.request.url.is_http() && token.secret_for(url).is_none() => {
                Err(GitError::WrongHost { home: token.host(), url: self.request.url.as_str().to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// Finds the remote's branches.
    pub(super) fn heads(&self, repo: &Repository) -> Result<Heads, GitError> {
        let proxy = self.proxy()?;
        let read = || -> Result<Heads, git2::Error> {
            // To list branches has no option of its own for this. Redirects within the host are followed.
            repo.config()?.set_bool("http.followRedirects", false)?;
            let mut remote = repo.remote_anonymous(self.request.url.as_str())?;
            let connection = remote.connect_auth(Direction::Fetch, Some(self.callbacks()), Some(proxy))?;
            let listed: Vec<Listed> = connection.list()?.iter().filter_map(readable).collect();
            let default_branch = default_branch::choose(&listed);
            let names = listed.into_iter().map(|one| one.name).filter(|name| name.starts_with("refs/heads/")).collect();
            Ok(Heads { default_branch, names })
        };
        read().map_err(|source| self.error("could not reach the repository", source))
    }

    /// The only place that passes the token on, and only once: if the remote refuses it, libgit2 would ask forever.
    pub(super) fn callbacks(&self) -> RemoteCallbacks<'_> {
        let tries = Cell::new(0);
        let mut callbacks = RemoteCallbacks::new();
        callbacks.credentials(move |asking, user, allowed| {
            tries.set(tries.get() + 1);
            // The address is that of the host that asks, which a redirect may have changed.
            let asking = Url::parse(asking).ok();
            let token = self.request.token.as_ref().zip(asking).and_then(|(token, url)| token.secret_for(&url));
            match token {
                Some(token) if tries.get() == 1 && allowed.contains(CredentialType::USER_PASS_PLAINTEXT) => {
                    Cred::userpass_plaintext(user.unwrap_or("x-access-token"), token.expose_secret())
                }
                _ => Err(git2::Error::new(ErrorCode::Auth, ErrorClass::Http, "access was refused")),
            }
        });
        callbacks.transfer_progress(|_| !self.cancel.is_cancelled());
        callbacks
    }

    /// The proxy on the way to the remote, if there is one.
    pub(super) fn proxy(&self) -> Result<ProxyOptions<'static>, GitError> {
        let mut options = ProxyOptions::new();
        let Some(url) = self.request.url.parsed.as_ref().filter(|_| self.request.url.is_http()) else {
            return Ok(options);
        };
        if let Some(proxy) = self.request.proxies.of(url) {
            let unusable = |advice| GitError::Proxy { url: self.request.url.as_str().to_owned(), advice };
            let proxy = http_url(&proxy).map_err(|_| unusable(PROXY_ADDRESS))?;
            // libgit2 would go around the proxy here, and say nothing.
            if url.scheme() == "http" {
                return Err(unusable(PROXY_PLAIN));
            }
            options.url(proxy.as_str());
        }
        Ok(options)
    }

    /// Pushes the branch. With `replaces`, its head at the remote may be one that the new one does not contain, but only
    /// this one.
    pub(super) fn push(&self, repo: &Repository, branch: &str, replaces: Option<Oid>) -> Result<(), GitError> {
        let (status, messages) = (RefCell::new(None), RefCell::new(Vec::new()));
        let mut callbacks = self.callbacks();
        callbacks.push_negotiation(move |updates| {
            if replaces.is_some_and(|expected| updates.iter().any(|update| update.src() != expected)) {
                return Err(git2::Error::new(ErrorCode::NotFastForward, ErrorClass::Reference, "the branch changed"));
            }
            Ok(())
        });
        callbacks.push_update_reference(|_reference, said| {
            *status.borrow_mut() = said.map(str::to_owned);
            Ok(())
        });
        callbacks.sideband_progress(|bytes| {
            let mut messages = messages.borrow_mut();
            let room = MAX_MESSAGE_BYTES.saturating_sub(messages.len());
            messages.extend_from_slice(&bytes[..bytes.len().min(room)]);
            true
        });
        let mut options = PushOptions::new();
        options.remote_callbacks(callbacks).proxy_options(self.proxy()?).follow_redirects(RemoteRedirect::None);
        let force = if replaces.is_some() { "+" } else { "" };
        let refspec = format!("{force}refs/heads/{branch}:refs/heads/{branch}");
        let pushed = repo
            .remote_anonymous(self.request.url.as_str())
            .and_then(|mut remote| remote.push(&[&refspec], Some(&mut options)));
        drop(options);
        let (status, messages) = (status.into_inner(), messages.into_inner());
        let messages = String::from_utf8_lossy(&messages);
        match (pushed, status) {
            (Ok(()), None) => Ok(()),
            (_, Some(status)) => Err(self.refused(branch, &status, &messages)),
            (Err(error), None) if error.code() == ErrorCode::NotFastForward => Err(moved(branch, MOVED.into())),
            (Err(error), None) => Err(self.push_error(branch, error, &messages)),
        }
    }

    /// A push that failed before the remote said anything about the branch.
    fn push_error(&self, branch: &str, error: git2::Error, messages: &str) -> GitError {
        let text = error.message().to_owned();
        if let Some(reported) = text.strip_prefix("report-status: Error reported: ") {
            return self.refused(branch, reported, messages);
        }
        if text.contains("unpacking the sent packfile failed") {
            return self.refused(branch, "the remote could not unpack the push", messages);
        }
        match http_status(&text) {
            Some(status @ 413) => self.refused(branch, &format!("HTTP status {status}"), messages),
            _ => self.error("could not push to the repository", error),
        }
    }

    fn refused(&self, branch: &str, status: &str, messages: &str) -> GitError {
        let url = self.request.url.as_str().to_owned();
        let said = readable_text(status, messages);
        match judge(status, messages) {
            Verdict::Moved => moved(branch, said),
            Verdict::Passing => GitError::Busy { url, said, wait: None },
            Verdict::Final(advice) => GitError::Refused { url, branch: branch.to_owned(), said, advice },
        }
    }

    /// What libgit2's error means. HTTP statuses only appear in its text.
    pub(super) fn error(&self, attempted: &'static str, source: git2::Error) -> GitError {
        let url = self.request.url.as_str().to_owned();
        let text = source.message().to_owned();
        if self.cancel.is_cancelled() {
            return GitError::Cancelled;
        }
        if text.starts_with("cannot redirect from") {
            return GitError::Elsewhere { url, said: text };
        }
        if let Some((_, said)) = UNUSABLE.iter().find(|(words, _)| text.contains(words)) {
            return GitError::Unusable { url, said };
        }
        let had_token = self.request.token.is_some();
        match http_status(&text) {
            Some(429) => GitError::Busy { url, said: "too many requests".into(), wait: None },
            Some(status @ (401 | 403)) => GitError::Denied { url, had_token, status: Some(status) },
            Some(404 | 410) => GitError::NotFound { url },
            _ if source.code() == ErrorCode::Auth => GitError::Denied { url, had_token, status: None },
            _ if source.code() == ErrorCode::NotFound => GitError::NotFound { url },
            _ => GitError::Unreachable { attempted, url, source },
        }
    }
}

fn moved(branch: &str, reason: String) -> GitError {
    GitError::Rejected { branch: branch.to_owned(), reason }
}
