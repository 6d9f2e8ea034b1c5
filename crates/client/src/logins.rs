//! Signing a program in from a browser: it shows a code, a person approves it on the page, and a token comes.

use crate::{Client, ClientError, More};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

/// A sign-in that has begun.
#[derive(Debug, Deserialize)]
pub struct DeviceLogin {
    /// What the token is asked for with.
    pub device_code: SecretString,
    /// What the person compares.
    pub user_code: String,
    /// The page to open.
    pub verification_uri: String,
    /// The same page with the code in it.
    #[serde(default)]
    pub verification_uri_complete: Option<String>,
    /// For how many seconds the codes hold.
    pub expires_in: u64,
    /// How many seconds to wait between two questions: five where nothing is said, as RFC 8628 (3.2) has it.
    #[serde(default = "five")]
    pub interval: u64,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

fn five() -> u64 {
    5
}

/// What became of a sign-in.
#[derive(Debug, Deserialize)]
pub struct DeviceAnswer {
    /// `pending`, `slow_down`, `denied`, `expired` or `approved`.
    pub state: String,
    /// After how many seconds to ask again.
    #[serde(default)]
    pub interval: Option<u64>,
    /// The token, once.
    #[serde(default)]
    pub token: Option<SecretString>,
    /// Its id.
    #[serde(default)]
    pub token_id: Option<Uuid>,
    /// Whose it is.
    #[serde(default)]
    pub email: Option<String>,
    /// What it may do.
    #[serde(default)]
    pub role: Option<String>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

impl Client {
    /// Begins a sign-in from a browser. The name is what the person sees, and what the token will be called. It needs no
    /// key.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn begin_login(&self, name: &str) -> Result<DeviceLogin, ClientError> {
        self.post("api/device-logins", &json!({"name": name})).await
    }

    /// Asks what the person decided. The token comes once.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn collect_login(&self, device_code: &SecretString) -> Result<DeviceAnswer, ClientError> {
        self.post("api/device-logins/token", &json!({"device_code": device_code.expose_secret()})).await
    }
}
