//! Secrets of projects.

use crate::{Client, ClientError, More, Said};
use chrono::{DateTime, Utc};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// A secret of a project, without its value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Secret {
    /// The variable that commands find it in.
    pub name: String,
    /// Whether the agent gets it too.
    #[serde(default)]
    pub given_to_agent: bool,
    /// Who set it.
    #[serde(default)]
    pub set_by: String,
    /// When.
    #[serde(default)]
    pub set_at: Option<DateTime<Utc>>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// A secret to set.
#[derive(Clone, Debug)]
pub struct NewSecret {
    /// The value.
    pub value: SecretString,
    /// Whether the agent gets it too.
    pub given_to_agent: bool,
}

impl Client {
    /// The secrets of a project, by name.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn secrets(&self, project: Uuid) -> Result<Vec<Secret>, ClientError> {
        self.get(&format!("api/projects/{project}/secrets"), &[]).await
    }

    /// Sets a secret of a project, or replaces it.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn set_secret(&self, project: Uuid, name: &str, secret: &NewSecret) -> Result<Secret, ClientError> {
        let body = json!({"value": secret.value.expose_secret(), "given_to_agent": secret.given_to_agent});
        self.send(Method::PUT, &path(project, name), &[], Some(&body)).await
    }

    /// Deletes a secret of a project.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn delete_secret(&self, project: Uuid, name: &str) -> Result<Said, ClientError> {
        self.send::<(), Said>(Method::DELETE, &path(project, name), &[], None).await
    }
}

/// A name may be anything that a person typed; the API says what is wrong with it.
fn path(project: Uuid, name: &str) -> String {
    let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    format!("api/projects/{project}/secrets/{}", name.replace('+', "%20"))
}
