//! The servers that the user signed in to, in a file that only they can read, and which one a command uses.
//!
//! A key belongs to an address and is never sent to another one.

use crate::cli::Common;
use crate::exit::usage;
use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use terarchitect_client::Client;
use uuid::Uuid;

/// Where an API listens unless told otherwise.
pub(crate) const DEFAULT_URL: &str = "http://localhost:5010";

/// The file's content.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Servers {
    /// The server that is used without --server.
    #[serde(default)]
    pub(crate) default: Option<String>,
    /// All of them, by name.
    #[serde(default)]
    pub(crate) servers: BTreeMap<String, Server>,
}

/// A server that the user signed in to.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Server {
    /// Its address.
    pub(crate) url: String,
    /// The token, unless it needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// The token's id, if login made it; logout revokes it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token_id: Option<Uuid>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("url", &self.url).field("token", &self.token.is_some()).finish_non_exhaustive()
    }
}

impl Server {
    pub(crate) fn new(url: String, token: Option<&SecretString>, token_id: Option<Uuid>) -> Self {
        Self { url, token: token.map(|token| token.expose_secret().to_owned()), token_id }
    }

    pub(crate) fn token(&self) -> Option<SecretString> {
        self.token.clone().map(SecretString::from)
    }
}

/// The address and key that a command uses.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) url: String,
    pub(crate) key: Option<SecretString>,
}

impl Choice {
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        Client::new(&self.url, self.key.clone()).map_err(|error| usage(error.chain()))
    }
}

/// What the command line and the environment say about the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    server: Option<String>,
    url: Option<String>,
    key: Option<SecretString>,
}

impl Wanted {
    pub(crate) fn new(common: &Common) -> Self {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let key = common.api_key.clone().filter(|key| !key.expose_secret().trim().is_empty());
        Self { server: given(&common.server), url: given(&common.api_url), key }
    }
}

impl Servers {
    /// Reads the file; without one there are no servers.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("could not read {}", path.display())),
            Ok(text) => serde_json::from_str(&text)
                .with_context(|| format!("{} is not what login wrote; remove it and sign in again", path.display())),
        }
    }

    /// Replaces the file with one that its owner alone can read.
    pub(crate) fn save(&self, path: &Path) -> anyhow::Result<()> {
        let failed = || format!("could not write {}", path.display());
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(failed)?;
        let mut file = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o600)).with_context(failed)?;
        serde_json::to_writer_pretty(&mut file, self).with_context(failed)?;
        file.write_all(b"\n").with_context(failed)?;
        file.persist(path).map_err(|error| error.error).with_context(failed)?;
        Ok(())
    }

    /// The server to use.
    pub(crate) fn choose(&self, wanted: &Wanted) -> anyhow::Result<Choice> {
        if let Some(server) = &wanted.server {
            if let Some(known) = self.servers.get(server) {
                let env = || wanted.key.clone().filter(|_| wanted.url.as_ref().is_none_or(|url| same(url, &known.url)));
                return Ok(Choice { url: known.url.clone(), key: known.token().or_else(env) });
            }
            if !server.contains("://") {
                let names: Vec<&str> = self.servers.keys().map(String::as_str).collect();
                let known = if names.is_empty() { "none so far".to_owned() } else { names.join(", ") };
                return Err(usage(format!(
                    "there is no server named '{server}'; you signed in to: {known}. An address begins with http:// or https://"
                )));
            }
            let key = wanted.key.clone().filter(|_| wanted.url.as_ref().is_none_or(|url| same(url, server)));
            return Ok(Choice { url: server.clone(), key: key.or_else(|| self.token_for(server)) });
        }
        if let Some(url) = &wanted.url {
            return Ok(Choice { url: url.clone(), key: wanted.key.clone().or_else(|| self.token_for(url)) });
        }
        if let Some(known) = self.default.as_ref().and_then(|name| self.servers.get(name)) {
            return Ok(Choice { url: known.url.clone(), key: known.token().or_else(|| wanted.key.clone()) });
        }
        Ok(Choice { url: DEFAULT_URL.to_owned(), key: wanted.key.clone() })
    }

    fn token_for(&self, url: &str) -> Option<SecretString> {
        self.servers.values().find(|server| same(&server.url, url)).and_then(Server::token)
    }
}

/// Whether two addresses are the same, whichever way they are written.
pub(crate) fn same(one: &str, other: &str) -> bool {
    let parsed = |text: &str| terarchitect_outbound::http_url(text).ok();
    let plain = |url: &str| parsed(url).map(|url| url.as_str().trim_end_matches('/').to_owned());
    plain(one).is_some_and(|one| Some(one) == plain(other))
}

/// Where the file is.
pub(crate) fn path() -> anyhow::Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CONFIG_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".config")))
        .map(|dir| dir.join("terarchitect/servers.json"))
        .context("there is no home directory to keep tokens in; set XDG_CONFIG_HOME")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers() -> Servers {
        let server = |url: &str, token: Option<&str>| {
            let token = token.map(|token| SecretString::from(token.to_owned()));
            Server::new(url.to_owned(), token.as_ref(), None)
        };
        let servers = [
            ("work".to_owned(), server("https://work.example", Some("work-token"))),
            ("home".to_owned(), server("http://home.example/", None)),
        ];
        Servers { default: Some("work".to_owned()), servers: servers.into() }
    }

    fn chosen(servers: &Servers, server: Option<&str>, url: Option<&str>, key: Option<&str>) -> (String, String) {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let wanted = Wanted { server: own(server), url: own(url), key: key.map(|key| key.to_owned().into()) };
        let choice = servers.choose(&wanted).unwrap();
        (choice.url, choice.key.map(|key| key.expose_secret().to_owned()).unwrap_or_default())
    }

    fn pair(url: &str, key: &str) -> (String, String) {
        (url.to_owned(), key.to_owned())
    }

    #[test]
    fn the_command_line_comes_first_then_the_environment_then_the_file() {
        let all = servers();
        assert_eq!(chosen(&all, Some("home"), None, Some("k")), pair("http://home.example/", "k"));
        assert_eq!(chosen(&all, None, Some("http://env"), Some("k")), pair("http://env", "k"));
        assert_eq!(chosen(&all, None, None, None), pair("https://work.example", "work-token"));
        assert_eq!(chosen(&Servers::default(), None, None, Some("k")), pair(DEFAULT_URL, "k"));
    }

    #[test]
    fn a_key_goes_to_its_own_address_alone() {
        let all = servers();
        // The key of the environment belongs to the address of the environment.
        assert_eq!(chosen(&all, Some("home"), Some("http://env"), Some("k")), pair("http://home.example/", ""));
        assert_eq!(chosen(&all, Some("http://else"), Some("http://env"), Some("k")), pair("http://else", ""));
        // A token of the file is found by its address, and only by that.
        assert_eq!(
            chosen(&all, None, Some("https://work.example/"), None),
            pair("https://work.example/", "work-token")
        );
        assert_eq!(chosen(&all, None, Some("http://work.example"), None), pair("http://work.example", ""));
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let wanted = Wanted { server: Some("wrok".to_owned()), ..Wanted::default() };
        let error = servers().choose(&wanted).unwrap_err().to_string();
        assert!(error.contains("home, work"), "{error}");
    }

    #[test]
    fn the_file_is_for_its_owner_alone_and_says_no_token_in_debug() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("terarchitect/servers.json");
        servers().save(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = Servers::load(&path).unwrap();
        assert_eq!(read.servers["work"].token().unwrap().expose_secret(), "work-token");
        assert!(!format!("{read:?}").contains("work-token"));
        std::fs::write(&path, "{").unwrap();
        assert!(Servers::load(&path).unwrap_err().to_string().contains("sign in again"));
    }
}
