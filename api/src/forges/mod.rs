//! Forges, over the seam that the runner uses too, with the credentials that are stored here.

mod questions;
mod reading;
mod reviewing;
mod threads;

use crate::actions::forges::ask::{ForgePlace, NoAnswer};
use crate::actions::forges::credentials::secret_for;
use crate::actions::system::settings::open;
use crate::changes::Database;
use crate::db;
use crate::domain::forges::{Account, CredentialKind, ForgeKind};
use crate::domain::system::settings::GITHUB_AGENT_TOKEN;
use crate::sealing::Sealer;
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;
use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use terarchitect_forge::{Credential, Forge, ForgeError, Kind, Patience, Place, connect, find_kind, repository_at};
use terarchitect_outbound::chain;
use url::Url;

/// For how long a connection is used again. A token that was replaced works after that time at the latest.
const KEPT: Duration = Duration::from_secs(60);
/// For how long a connection is used again whose credential is still the same. A forge of another kind at the host, or
/// another name of the account, is known after that time.
const KEPT_WITH_ITS_CREDENTIAL: Duration = Duration::from_secs(3_600);

/// Connections to the forges of projects, each with the credential that is stored for its host.
pub struct Forges {
    database: Database,
    sealer: Arc<Sealer>,
    /// The API that the setting's token is for: GitHub's, unless another one was set for this process.
    api: Url,
    /// Whether another one was set.
    is_own: bool,
    known: Mutex<HashMap<ForgePlace, Known>>,
    recent: threads::Recent,
}

/// A connection that is used again. It keeps responses with their entity tags, which a new one does not have.
#[derive(Clone)]
struct Known {
    made: Instant,
    /// When its credential was last compared with the one that is stored.
    checked: Instant,
    at: Place,
    credential: Credential,
    connected: Arc<Connected>,
}

/// A repository at its forge, and the account that is used there.
pub struct Connected {
    /// The forge.
    pub forge: Box<dyn Forge>,
    /// The account that the token belongs to.
    pub me: Account,
}

impl Debug for Forges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forges").field("api", &self.api).finish_non_exhaustive()
    }
}

impl Forges {
    /// The forges of this API's projects. `api` is that of GitHub Enterprise Server, where one was set for this process.
    #[must_use]
    pub fn new(database: Database, sealer: Arc<Sealer>, api: Option<Url>) -> Self {
        let is_own = api.is_some();
        let github = || Url::parse("https://api.github.com").expect("a constant address parses");
        let (known, recent) = (Mutex::default(), threads::Recent::default());
        Self { database, sealer, api: api.unwrap_or_else(github), is_own, known, recent }
    }

    /// A connection with the bot's credential for the repository's host. The forge was asked whose it is.
    ///
    /// # Errors
    /// When there is no such credential, the forge refuses it, or it does not respond.
    pub async fn connected(&self, place: &ForgePlace) -> Result<Arc<Connected>, NoAnswer> {
        match self.connected_as(place, CredentialKind::Bot).await? {
            Some(connected) => Ok(connected),
            None => Err(NoAnswer { sentence: no_credential(&self.host(place)?), retry_after: None }),
        }
    }

    /// A connection with the credential of this kind; none where none is stored for the repository's host.
    ///
    /// # Errors
    /// When the forge refuses it, or does not respond.
    pub async fn connected_as(
        &self,
        place: &ForgePlace,
        kind: CredentialKind,
    ) -> Result<Option<Arc<Connected>>, NoAnswer> {
        // Approvals are rare: for each, the credential that is stored now is used.
        let is_kept = kind == CredentialKind::Bot;
        let before = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(place).cloned();
        let before = before.filter(|known| is_kept && known.made.elapsed() < KEPT_WITH_ITS_CREDENTIAL);
        if let Some(known) = &before
            && known.checked.elapsed() < KEPT
        {
            return Ok(Some(known.connected.clone()));
        }
        let at = match &before {
            Some(known) => known.at.clone(),
            None => self.place(place).await?,
        };
        let Some(credential) = self.credential(place, &at, kind).await? else { return Ok(None) };
        let (made, connected) = match before {
            Some(known) if is_same(&known.credential, &credential, &at) => (known.made, known.connected),
            _ => {
                let forge = connect(at.clone(), &credential, Patience::SHORT)?;
                let me = account(forge.me().await?);
                (Instant::now(), Arc::new(Connected { forge, me }))
            }
        };
        if is_kept {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.retain(|_, known| known.made.elapsed() < KEPT_WITH_ITS_CREDENTIAL);
            let entry = Known { made, checked: Instant::now(), at, credential, connected: connected.clone() };
            known.insert(place.clone(), entry);
        }
        Ok(Some(connected))
    }

    /// The host that a credential for the repository is stored for.
    fn host(&self, place: &ForgePlace) -> Result<String, NoAnswer> {
        let (root, _) = repository_at(&place.address)?;
        let is_at_own = self.is_own && serves(&self.api, &root, place.kind.map(as_kind));
        let host = host_of(if is_at_own { &self.api } else { &root });
        Ok(host.strip_prefix("www.").filter(|host| *host == "github.com").map_or(host.clone(), str::to_owned))
    }

    /// The API of the repository's forge.
    async fn place(&self, place: &ForgePlace) -> Result<Place, NoAnswer> {
        let kind = place.kind.map(as_kind);
        let (root, repository) = repository_at(&place.address)?;
        if self.is_own && serves(&self.api, &root, kind) {
            return Ok(Place { kind: Kind::GitHub, api: self.api.clone(), repository });
        }
        Ok(find_kind(&place.address, kind).await?)
    }

    /// The project's credential for the API's host, else the one for all. For the bot, else the setting, which is for one API
    /// alone.
    async fn credential(
        &self,
        place: &ForgePlace,
        at: &Place,
        kind: CredentialKind,
    ) -> Result<Option<Credential>, NoAnswer> {
        let host = host_of(&at.api);
        let found = secret_for(&self.database, &self.sealer, place.project, &host, kind).await;
        if let Some(secret) = found.map_err(|error| broken(&error))? {
            let name = match kind {
                CredentialKind::Bot => format!("the credential for {host}"),
                CredentialKind::Approver => format!("the approver's credential for {host}"),
            };
            return Ok(Some(Credential::new(&host, &name, secret)));
        }
        if kind == CredentialKind::Bot
            && at.kind == Kind::GitHub
            && at.api == self.api
            && let Some(secret) = self.setting().await?
        {
            return Ok(Some(Credential::of_api(&self.api, GITHUB_AGENT_TOKEN, secret)));
        }
        Ok(None)
    }

    async fn setting(&self) -> Result<Option<SecretString>, NoAnswer> {
        let mut conn = self.database.read().await.map_err(|error| broken(&error))?;
        let stored = db::system::settings::find(&mut conn, GITHUB_AGENT_TOKEN).await.map_err(|error| broken(&error))?;
        stored.map(|stored| open(&self.sealer, &stored)).transpose().map_err(|error| broken(&error))
    }
}

/// The host that people store credentials for. GitHub's own APIs have a name beside that of their repositories.
fn host_of(api: &Url) -> String {
    let of_api = Credential::of_api(api, GITHUB_AGENT_TOKEN, SecretString::default());
    match of_api.home().strip_prefix("api.") {
        Some(home) if Credential::new(home, "", SecretString::default()).covers(api) => home.to_owned(),
        _ => of_api.home().to_owned(),
    }
}

fn no_credential(host: &str) -> String {
    format!("No credential is stored for {host}: add one, so that this system can ask the forge.")
}

/// Whether GitHub's API that was set for this process has this host's repositories: they have the same host, or a person has
/// said that the project is at GitHub. Another host's repository may have a namesake there, which is not meant.
fn serves(api: &Url, root: &Url, kind: Option<Kind>) -> bool {
    let is_same_host = || Credential::of_api(root, GITHUB_AGENT_TOKEN, SecretString::default()).covers(api);
    kind.map_or_else(is_same_host, |kind| kind == Kind::GitHub)
}

/// Whether two credentials are the same for an API.
fn is_same(one: &Credential, other: &Credential, at: &Place) -> bool {
    let secret = |of: &Credential| of.secret_for(&at.api).ok().map(|secret| secret.expose_secret().to_owned());
    one.home() == other.home() && secret(one) == secret(other)
}

fn broken(error: &(dyn std::error::Error + 'static)) -> NoAnswer {
    NoAnswer {
        sentence: format!("The credential for the forge could not be read: {}.", chain(error)),
        retry_after: None,
    }
}

fn as_kind(kind: ForgeKind) -> Kind {
    match kind {
        ForgeKind::GitHub => Kind::GitHub,
        ForgeKind::GitLab => Kind::GitLab,
        ForgeKind::Gitea => Kind::Gitea,
    }
}

fn account(account: terarchitect_forge::Account) -> Account {
    Account { id: Some(account.id).filter(|id| !id.is_empty()), login: account.login, is_bot: account.bot }
}

impl From<ForgeError> for NoAnswer {
    fn from(error: ForgeError) -> Self {
        let retry_after = match &error {
            ForgeError::Limited { retry_after, .. } => *retry_after,
            _ => None,
        };
        Self { sentence: sentence_of(&error), retry_after }
    }
}

/// An error of a forge as a sentence of its own.
fn sentence_of(error: &ForgeError) -> String {
    let mut sentence = chain(error);
    if let Some(first) = sentence.get(..1) {
        sentence.replace_range(..1, &first.to_uppercase());
    }
    format!("{sentence}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_that_was_set_is_not_asked_about_repositories_of_other_hosts() {
        let api = "https://git.example/api/v3".parse().unwrap();
        let serves = |root: &str, kind| serves(&api, &root.parse().unwrap(), kind);
        assert!(serves("https://git.example", None));
        assert!(serves("https://code.example", Some(Kind::GitHub)));
        assert!(!serves("https://gitlab.com", None));
        assert!(!serves("https://git.example:3000", None));
        assert!(!serves("https://git.example", Some(Kind::Gitea)));
    }
}
