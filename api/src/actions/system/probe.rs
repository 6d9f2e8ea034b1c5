//! Tests settings with a real request, before or after they are stored.

use super::settings::open;
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::domain::refusal::Refusal;
use crate::domain::system::settings::{Change, GITHUB_AGENT_TOKEN, parse_changes};
use crate::probing::{ForgeProbe, ModelForm, ModelProbe, Probed};
use crate::sealing::Sealer;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use terarchitect_outbound::api_base;
use url::Url;
use utoipa::ToSchema;

/// What to test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Testable {
    /// The coding agent's model: `WORKER_LLM_URL`, `WORKER_MODEL`, `WORKER_API_KEY`.
    AgentModel,
    /// The Director's model: `AGENT_LLM_URL`, `AGENT_MODEL`, `AGENT_API_KEY`.
    Director,
    /// The forge's token: `github_agent_token`.
    Forge,
}

/// The settings as they would be with some changes.
#[derive(Debug)]
pub(in crate::actions) struct Effective {
    stored: HashMap<String, SecretString>,
    changes: BTreeMap<String, Change>,
}

impl Effective {
    /// The stored settings with these values instead of theirs.
    pub(in crate::actions) async fn read(
        database: &Database,
        sealer: &Sealer,
        values: BTreeMap<String, Value>,
    ) -> ActionResult<Self> {
        let changes = parse_changes(values)?;
        let mut stored = HashMap::new();
        for setting in db::system::settings::list(&mut *database.read().await?).await? {
            stored.insert(setting.key.clone(), open(sealer, &setting)?);
        }
        Ok(Self { stored, changes })
    }

    fn stored(&self, name: &str) -> Option<&SecretString> {
        self.stored.get(name)
    }

    fn secret(&self, name: &str) -> Option<SecretString> {
        match self.changes.get(name) {
            Some(Change::Set(value)) => Some(value.clone().into()),
            Some(Change::Clear) => None,
            None => self.stored(name).cloned(),
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        self.secret(name).map(|value| value.expose_secret().to_owned())
    }

    /// The key for an address. A stored key is for the stored address alone: a person who may test settings must not be able
    /// to have it sent elsewhere.
    fn key_for(&self, key: &str, url: &str) -> ActionResult<Option<SecretString>> {
        let base = |text: &str| api_base(text).map_or_else(|_| text.trim().to_owned(), |url| url.to_string());
        let now = self.stored(url).map(|stored| base(stored.expose_secret()));
        let is_stored_address = self.text(url).map(|asked| base(&asked)) == now;
        if !is_stored_address && !self.changes.contains_key(key) && self.stored(key).is_some() {
            let sentence = format!(
                "A stored key is sent to the stored address only. To test another {url}, send its '{key}' along, or an empty text for none."
            );
            return Err(Refusal::invalid(sentence).into());
        }
        Ok(self.secret(key))
    }

    /// The coding agent's model.
    pub(in crate::actions) fn agent_model(&self) -> ActionResult<ModelProbe> {
        let form = ModelForm::of_agent(self.text("WORKER_MODE").as_deref());
        Ok(ModelProbe { form, ..self.model("WORKER_LLM_URL", "WORKER_MODEL", "WORKER_API_KEY")? })
    }

    fn model(
        &self,
        url_setting: &'static str,
        model_setting: &'static str,
        key_setting: &'static str,
    ) -> ActionResult<ModelProbe> {
        let key = self.key_for(key_setting, url_setting)?;
        let (url, model) = (self.text(url_setting), self.text(model_setting));
        Ok(ModelProbe { url_setting, model_setting, key_setting, url, model, key, form: ModelForm::Chat })
    }

    /// The forge, at its one address.
    pub(in crate::actions) fn forge(&self, api: Url) -> ForgeProbe {
        ForgeProbe { api, token: self.secret(GITHUB_AGENT_TOKEN) }
    }
}

/// Tests a model or the forge with the stored settings, or with these values instead.
///
/// # Errors
/// When a value is not valid, or a stored key would be sent to another address than the stored one.
pub async fn test_settings(
    database: &Database,
    sealer: &Sealer,
    forge_api: Url,
    what: Testable,
    values: BTreeMap<String, Value>,
) -> ActionResult<Probed> {
    let settings = Effective::read(database, sealer, values).await?;
    Ok(match what {
        Testable::AgentModel => settings.agent_model()?.run().await,
        Testable::Director => settings.model("AGENT_LLM_URL", "AGENT_MODEL", "AGENT_API_KEY")?.run().await,
        Testable::Forge => settings.forge(forge_api).who().await,
    })
}
