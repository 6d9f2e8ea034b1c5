//! How agents are launched in Cursor's cloud.

use super::{ConfigError, non_empty};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;
use terarchitect_cursor::{Cursor, Patience, Version, derive_secret, is_secret};
use terarchitect_outbound::{chain, http_url};

/// How agents are launched in Cursor's cloud.
#[derive(Args, Clone, Debug)]
pub struct CursorOptions {
    /// The key of Cursor's API, with which work orders of agents with the program cursor are launched. If unset, they wait.
    #[arg(long, env = "CURSOR_API_KEY", hide_env_values = true, global = true, value_name = "KEY")]
    pub cursor_api_key: Option<SecretString>,
    /// The base of Cursor's API.
    #[arg(long, env = "CURSOR_API_URL", default_value = Cursor::API, global = true, value_name = "URL")]
    pub cursor_api_url: String,
    /// The version of Cursor's API: v0, which has webhooks, or v1.
    #[arg(long, env = "CURSOR_API_VERSION", default_value = "v0", global = true, value_name = "VERSION")]
    pub cursor_api_version: String,
    /// What Cursor signs its webhook with: 32 to 256 characters. If unset, a secret that is made of TERARCHITECT_API_KEY, or
    /// without that of CURSOR_API_KEY. The webhook needs TERARCHITECT_PUBLIC_URL.
    #[arg(long, env = "CURSOR_WEBHOOK_SECRET", hide_env_values = true, global = true, value_name = "SECRET")]
    pub cursor_webhook_secret: Option<SecretString>,
    /// Look at an agent in Cursor's cloud after this many seconds; less often the longer it works, at least every ten times as
    /// many. The webhook tells sooner.
    #[arg(long, env = "TERARCHITECT_CURSOR_LOOK_SEC", default_value_t = 30, global = true, value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub cursor_look_sec: u64,
}

impl CursorOptions {
    /// The client, if there is a key.
    ///
    /// # Errors
    /// When the address or the version is not valid, or the client can't be set up.
    pub fn client(&self) -> Result<Option<Cursor>, ConfigError> {
        let text = self.cursor_api_url.trim();
        let address = if text.is_empty() { Cursor::API } else { text };
        let api = http_url(address).map_err(|_| ConfigError::CursorApi { address: address.to_owned() })?;
        let version = self.cursor_api_version.trim();
        let version: Version = if version.is_empty() { Ok(Version::V0) } else { version.parse() }
            .map_err(|_| ConfigError::CursorVersion { version: version.to_owned() })?;
        let Some(key) = non_empty(self.cursor_api_key.as_ref()) else { return Ok(None) };
        let client = Cursor::new(api, key, version, Patience::SHORT);
        client.map(Some).map_err(|error| ConfigError::CursorClient { why: chain(&error) })
    }

    /// What Cursor signs its webhook with.
    ///
    /// # Errors
    /// When Cursor would not take it.
    pub fn webhook_secret(&self, api_key: Option<&SecretString>) -> Result<Option<SecretString>, ConfigError> {
        if let Some(secret) = non_empty(self.cursor_webhook_secret.as_ref()) {
            return if is_secret(secret.expose_secret()) { Ok(Some(secret)) } else { Err(ConfigError::CursorSecret) };
        }
        let key = api_key.cloned().or_else(|| non_empty(self.cursor_api_key.as_ref()));
        Ok(key.as_ref().map(derive_secret))
    }

    /// The secrets of webhooks that are taken: the one that Cursor gets from here, and the key itself, which clients of the
    /// document's own give away.
    ///
    /// # Errors
    /// When Cursor would not take the one from here.
    pub fn webhook_secrets(&self, api_key: Option<&SecretString>) -> Result<Vec<SecretString>, ConfigError> {
        let own = self.webhook_secret(api_key)?;
        let is_set = non_empty(self.cursor_webhook_secret.as_ref()).is_some();
        let key = api_key.filter(|key| !is_set && is_secret(key.expose_secret())).cloned();
        Ok(own.into_iter().chain(key).collect())
    }

    /// The shortest pause between two looks at an agent.
    #[must_use]
    pub fn look(&self) -> Duration {
        Duration::from_secs(self.cursor_look_sec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Cli;
    use clap::Parser;

    fn options(arguments: &[&str]) -> CursorOptions {
        Cli::parse_from([&["terarchitect-api"], arguments].concat()).serve.cursor
    }

    #[test]
    fn without_a_key_nothing_is_launched_and_a_wrong_setting_is_said() {
        assert!(options(&["--cursor-api-key="]).client().unwrap().is_none());
        let made = options(&["--cursor-api-key=key", "--cursor-api-version=v1"]).client().unwrap().unwrap();
        assert_eq!(made.version(), Version::V1);
        assert!(matches!(options(&["--cursor-api-version=v2"]).client(), Err(ConfigError::CursorVersion { .. })));
        assert!(matches!(options(&["--cursor-api-url=ftp://x"]).client(), Err(ConfigError::CursorApi { .. })));
    }

    #[test]
    fn the_api_key_itself_never_goes_to_cursor() {
        let key = SecretString::from("k".repeat(40));
        let secret = options(&[]).webhook_secret(Some(&key)).unwrap().unwrap();
        assert_ne!(secret.expose_secret(), key.expose_secret());
        let taken = options(&[]).webhook_secrets(Some(&key)).unwrap();
        assert_eq!(
            taken.iter().map(ExposeSecret::expose_secret).collect::<Vec<_>>(),
            [secret.expose_secret(), key.expose_secret()]
        );
        let other = format!("--cursor-webhook-secret={}", "s".repeat(32));
        let taken = options(&[&other]).webhook_secrets(Some(&key)).unwrap();
        assert_eq!(taken.iter().map(ExposeSecret::expose_secret).collect::<Vec<_>>(), ["s".repeat(32)]);
        assert!(matches!(
            options(&["--cursor-webhook-secret=short"]).webhook_secret(None),
            Err(ConfigError::CursorSecret)
        ));
    }
}
