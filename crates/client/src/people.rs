//! Who the caller is, and signing in.

use crate::{Client, ClientError, ErrorBody, More};
use reqwest::header::SET_COOKIE;
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// Who the caller is, and how one signs in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Whether the caller may use anything.
    #[serde(default)]
    pub signed_in: bool,
    /// What the caller is: `person`, `api_key`, `token` or `local`.
    #[serde(default, rename = "as")]
    pub kind: Option<String>,
    /// The person, if it is one.
    #[serde(default)]
    pub person: Option<Person>,
    /// What the caller may do.
    #[serde(default)]
    pub role: Option<String>,
    /// Whether there is no person yet.
    #[serde(default)]
    pub needs_first_admin: bool,
    /// How one signs in.
    #[serde(default)]
    pub sign_in: SignIn,
    /// The API's version.
    #[serde(default)]
    pub version: Option<String>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// How one signs in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SignIn {
    /// With email and password.
    #[serde(default)]
    pub password: bool,
    /// Other ways.
    #[serde(flatten)]
    pub more: More,
}

/// A person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Person {
    /// Their id.
    pub id: Uuid,
    /// Their email address.
    #[serde(default)]
    pub email: String,
    /// Their name.
    #[serde(default)]
    pub name: String,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// A token to create.
#[derive(Clone, Debug, Serialize)]
pub struct NewToken {
    /// What it is called in the list of tokens.
    pub name: String,
    /// What it is for: `app`.
    pub scope: String,
    /// What it may do: `admin`, `member` or `viewer`; the API makes it a viewer's where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// A token that was just created.
#[derive(Debug, Deserialize)]
pub struct Token {
    /// Its id.
    pub id: Uuid,
    /// The token itself; shown once.
    pub token: SecretString,
}

impl Client {
    /// Who the caller is. It needs no key.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn session(&self) -> Result<Session, ClientError> {
        self.get("api/session", &[]).await
    }

    /// Signs in with email and password, and returns a client that acts as that person.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn sign_in(&self, email: &str, password: &SecretString) -> Result<Self, ClientError> {
        let body = json!({"email": email, "password": password.expose_secret()});
        let headers = self.post_for_headers("api/session", &body).await?;
        let cookies = headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.filter_map(|cookie| cookie.split(';').next());
        let cookie = pairs.find(|pair| pair.starts_with("terarchitect_session=")).ok_or_else(|| {
            let error =
                "the API signed you in but sent no session; a proxy in front of it may remove cookies".to_owned();
            let body = Box::new(ErrorBody { error, ..ErrorBody::default() });
            ClientError::Refused { status: StatusCode::BAD_GATEWAY, body, retry_after: None }
        })?;
        Ok(self.with_cookie(SecretString::from(cookie.to_owned())))
    }

    /// Ends the session.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn sign_out(&self) -> Result<(), ClientError> {
        self.send::<(), Option<Value>>(Method::DELETE, "api/session", &[], None).await.map(drop)
    }

    /// Creates a token.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn create_token(&self, token: &NewToken) -> Result<Token, ClientError> {
        self.post("api/tokens", token).await
    }

    /// Revokes a token.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn revoke_token(&self, id: Uuid) -> Result<(), ClientError> {
        self.send::<(), Option<Value>>(Method::DELETE, &format!("api/tokens/{id}"), &[], None).await.map(drop)
    }

    /// A link with which the first admin is made; its address contains the secret.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn invite_admin(&self) -> Result<SecretString, ClientError> {
        #[derive(Deserialize)]
        struct Invitation {
            link: SecretString,
        }
        let invitation: Invitation = self.post("api/invitations", &json!({"role": "admin"})).await?;
        Ok(invitation.link)
    }
}
