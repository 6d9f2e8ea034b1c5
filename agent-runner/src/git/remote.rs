//! The remote: its address, its branches, credentials, pushes.

use super::{CloneRequest, GitError};
use git2::{Cred, CredentialType, Direction, ErrorClass, ErrorCode, Oid, PushOptions, RemoteCallbacks, Repository};
use secrecy::ExposeSecret;
use std::cell::{Cell, RefCell};
use tokio_util::sync::CancellationToken;
use url::Url;

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
                let host = host.rsplit('@').next().unwrap_or(host);
                format!("https://{host}/{}", path.trim_start_matches('/'))
            }
            _ => text.to_owned(),
        };
        let mut url: Url = https.parse().map_err(|_| invalid())?;
        if url.scheme() == "ssh" {
            let path = url.path().to_owned();
            url = format!("https://{}{path}", url.host_str().unwrap_or_default()).parse().map_err(|_| invalid())?;
        }
        if !matches!(url.scheme(), "http" | "https" | "file") || (url.scheme() != "file" && url.host_str().is_none()) {
            return Err(invalid());
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

/// How to connect to the remote.
pub(super) struct Connection<'a> {
    pub(super) request: &'a CloneRequest,
    pub(super) cancel: &'a CancellationToken,
}

impl Connection<'_> {
    pub(super) fn heads(&self, repo: &Repository) -> Result<Heads, GitError> {
        let read = || -> Result<Heads, git2::Error> {
            let mut remote = repo.remote_anonymous(self.request.url.as_str())?;
            let connection = remote.connect_auth(Direction::Fetch, Some(self.callbacks()), None)?;
            let names: Vec<String> = connection
                .list()?
                .iter()
                .map(|head| head.name().to_owned())
                .filter(|name| name.starts_with("refs/heads/"))
                .collect();
            let default = connection.default_branch().ok().and_then(|name| name.as_str().ok().map(str::to_owned));
            let default_branch = default
                .or_else(|| names.first().cloned())
                .and_then(|name| name.strip_prefix("refs/heads/").map(str::to_owned));
            Ok(Heads { default_branch, names })
        };
        read().map_err(|source| self.error("could not reach the repository", source))
    }

    /// The only place that passes the token on, and only once: if the remote refuses it, libgit2 would ask forever.
    pub(super) fn callbacks(&self) -> RemoteCallbacks<'_> {
        let tries = Cell::new(0);
        let mut callbacks = RemoteCallbacks::new();
        callbacks.credentials(move |_url, user, allowed| {
            tries.set(tries.get() + 1);
            match &self.request.token {
                Some(token) if tries.get() == 1 && allowed.contains(CredentialType::USER_PASS_PLAINTEXT) => {
                    Cred::userpass_plaintext(user.unwrap_or("x-access-token"), token.expose_secret())
                }
                _ => Err(git2::Error::new(ErrorCode::Auth, ErrorClass::Http, "access was refused")),
            }
        });
        callbacks.transfer_progress(|_| !self.cancel.is_cancelled());
        callbacks
    }

    /// Pushes the branch. With `replaces`, its head at the remote may be one that the new one does not contain, but only
    /// this one.
    pub(super) fn push(&self, repo: &Repository, branch: &str, replaces: Option<Oid>) -> Result<(), GitError> {
        let refused = RefCell::new(None);
        let mut callbacks = self.callbacks();
        callbacks.push_negotiation(move |updates| {
            if replaces.is_some_and(|expected| updates.iter().any(|update| update.src() != expected)) {
                return Err(git2::Error::new(ErrorCode::NotFastForward, ErrorClass::Reference, "the branch changed"));
            }
            Ok(())
        });
        callbacks.push_update_reference(|_reference, status| {
            *refused.borrow_mut() = status.map(str::to_owned);
            Ok(())
        });
        let mut options = PushOptions::new();
        options.remote_callbacks(callbacks);
        let force = if replaces.is_some() { "+" } else { "" };
        let refspec = format!("{force}refs/heads/{branch}:refs/heads/{branch}");
        let pushed = repo
            .remote_anonymous(self.request.url.as_str())
            .and_then(|mut remote| remote.push(&[&refspec], Some(&mut options)));
        drop(options);
        match (pushed, refused.into_inner()) {
            (Ok(()), None) => Ok(()),
            (Ok(()), Some(reason)) => Err(GitError::Rejected { branch: branch.to_owned(), reason }),
            (Err(error), _) if error.code() == ErrorCode::NotFastForward => Err(GitError::Rejected {
                branch: branch.to_owned(),
                reason: "it has commits that this attempt does not have".into(),
            }),
            (Err(error), _) => Err(self.error("could not push to the repository", error)),
        }
    }

    /// What libgit2's error means. HTTP statuses only appear in its text.
    pub(super) fn error(&self, attempted: &'static str, source: git2::Error) -> GitError {
        let url = self.request.url.as_str().to_owned();
        let text = source.message().to_owned();
        if self.cancel.is_cancelled() {
            return GitError::Cancelled;
        }
        if source.code() == ErrorCode::Auth || text.contains("401") || text.contains("403") {
            return GitError::Denied { url, had_token: self.request.token.is_some() };
        }
        if text.contains("404") || source.code() == ErrorCode::NotFound {
            return GitError::NotFound { url };
        }
        GitError::Unreachable { attempted, url, source }
    }
}
