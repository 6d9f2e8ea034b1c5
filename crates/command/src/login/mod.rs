//! `terarchitect login` and `logout`.

use crate::app::App;
use crate::cli::{Common, LoginOptions};
use crate::exit::{self, usage};
use crate::output::Output;
use crate::servers::{self, Server, Servers, same};
use crate::text;
use secrecy::SecretString;
use serde_json::json;
use std::io::{BufRead, IsTerminal, Read, Write};
use terarchitect_client::{Client, ClientError, NewToken, Session};
use uuid::Uuid;

/// A token, unless the server needs none; with its id, if it was made for this.
type Signed = (Option<SecretString>, Option<Uuid>);

pub(crate) async fn login(common: &Common, options: &LoginOptions) -> anyhow::Result<u8> {
    let out = Output::new(common);
    let path = servers::path()?;
    let mut known = Servers::load(&path)?;
    let url = match &options.url {
        Some(url) => url.clone(),
        None => App::choice(common)?.url,
    };
    let client = Client::new(&url, None).map_err(|error| usage(error.chain()))?;
    let url = client.base().as_str().trim_end_matches('/').to_owned();
    let name = name_for(&known, options.name.as_deref(), &client, &url)?;
    let session = who(&client).await?;
    let (token, token_id) = sign_in(&out, &client, session.as_ref(), options).await?;
    let me = verify(&url, token.clone()).await?;
    let before = known.servers.insert(name.clone(), Server::new(url.clone(), token.as_ref(), token_id));
    if known.default.as_ref().is_none_or(|default| !known.servers.contains_key(default)) {
        known.default = Some(name.clone());
    }
    known.save(&path)?;
    revoke(&out, before.as_ref()).await;
    if out.json {
        out.document(&json!({"server": name, "url": url, "as": me, "default": known.default.as_ref() == Some(&name)}))?;
    } else {
        out.note(&format!("Signed in to {url} as {me}. Here it is called '{name}'."));
        if known.default.as_ref() != Some(&name) {
            out.note(&format!("Use it with --server {name}."));
        }
    }
    Ok(exit::DONE)
}

pub(crate) async fn logout(common: &Common, name: Option<&str>) -> anyhow::Result<u8> {
    let out = Output::new(common);
    let path = servers::path()?;
    let mut known = Servers::load(&path)?;
    let name = name.or(common.server.as_deref()).map(str::to_owned).or_else(|| known.default.clone());
    let removed = name.as_ref().and_then(|name| known.servers.remove(name));
    let (Some(name), Some(server)) = (name, removed) else {
        return Err(usage("you are not signed in there; `terarchitect login` signs in"));
    };
    if known.default.as_ref() == Some(&name) {
        known.default = known.servers.keys().next().cloned();
    }
    known.save(&path)?;
    revoke(&out, Some(&server)).await;
    if out.json {
        out.document(&json!({"server": name, "url": server.url}))?;
    } else {
        out.note(&format!("'{name}' is forgotten."));
    }
    Ok(exit::DONE)
}

/// Has the server revoke a token that login made. The file has forgotten it already, so a failure is only told.
async fn revoke(out: &Output, server: Option<&Server>) {
    let Some((server, id)) = server.and_then(|server| Some((server, server.token_id?))) else { return };
    let revoked = match Client::new(&server.url, server.token()) {
        Ok(client) => client.revoke_token(id).await,
        Err(error) => Err(error),
    };
    if let Err(error) = revoked {
        out.note(&format!(
            "The old token could not be revoked ({}). Revoke it on the page, under Settings, Tokens.",
            error.chain()
        ));
    }
}

/// What to call the server: what was asked for, or its host.
fn name_for(known: &Servers, wanted: Option<&str>, client: &Client, url: &str) -> anyhow::Result<String> {
    let host = client.base().host_str().unwrap_or("server").to_owned();
    let own = known.servers.iter().find(|(_, server)| same(&server.url, url)).map(|(name, _)| name.clone());
    let name = wanted.map(str::to_owned).or(own).unwrap_or(host);
    if name.contains("://") || name.trim().is_empty() {
        return Err(usage("give the server a name such as 'work', not an address"));
    }
    match known.servers.get(&name) {
        Some(other) if !same(&other.url, url) => {
            Err(usage(format!("'{name}' is {} already; choose another name with --name", other.url)))
        }
        _ => Ok(name),
    }
}

/// Who the caller is without a key; none from an API that can't say.
async fn who(client: &Client) -> Result<Option<Session>, ClientError> {
    match client.session().await {
        Ok(session) => Ok(Some(session)),
        Err(error) if error.is_unreachable() => Err(error),
        // An older API does not know this call, or wants a key for everything.
        Err(_) => Ok(None),
    }
}

async fn sign_in(
    out: &Output,
    client: &Client,
    session: Option<&Session>,
    options: &LoginOptions,
) -> anyhow::Result<Signed> {
    let needs_none = match session {
        Some(session) => session.signed_in,
        None => client.projects().await.is_ok(),
    };
    if std::io::stdin().is_terminal() {
        if needs_none && options.email.is_none() {
            return Ok((None, None));
        }
        let by_password = session.is_some_and(|session| session.sign_in.password);
        return ask(out, client, by_password, options).await;
    }
    let mut given = String::new();
    std::io::stdin().lock().take(64 * 1024).read_to_string(&mut given)?;
    let given = given.trim();
    match (&options.email, given.is_empty()) {
        (Some(_), true) => Err(usage("give the password on standard input")),
        (Some(email), false) => by_password(client, email, &given.to_owned().into()).await,
        (None, false) => Ok((Some(given.to_owned().into()), None)),
        (None, true) if needs_none => Ok((None, None)),
        (None, true) => Err(usage(format!("give a token on standard input; make one at {}", tokens_page(client)))),
    }
}

/// Asks a person in the terminal.
async fn ask(out: &Output, client: &Client, password: bool, options: &LoginOptions) -> anyhow::Result<Signed> {
    let page = tokens_page(client);
    let email = match &options.email {
        Some(email) => email.clone(),
        None if password => {
            out.note(&format!("Sign in to {}, or press Enter to paste a token from {page}.", client.base()));
            prompt("Email: ")?
        }
        None => {
            out.note(&format!("Make a token at {page}, or use the key TERARCHITECT_API_KEY of the API."));
            String::new()
        }
    };
    if email.is_empty() {
        let token = rpassword::prompt_password("Token: ")?;
        let token = token.trim();
        return if token.is_empty() {
            Err(usage("no token was given"))
        } else {
            Ok((Some(token.to_owned().into()), None))
        };
    }
    let password = SecretString::from(rpassword::prompt_password("Password: ")?);
    by_password(client, &email, &password).await
}

fn prompt(what: &str) -> anyhow::Result<String> {
    let mut err = std::io::stderr().lock();
    write!(err, "{what}")?;
    err.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

/// Signs in, makes a token for this machine that may do what the person may, and signs out: what is kept here can be
/// revoked by its name.
async fn by_password(client: &Client, email: &str, password: &SecretString) -> anyhow::Result<Signed> {
    let person = client.sign_in(email.trim(), password).await?;
    let uname = rustix::system::uname();
    let name = format!("terarchitect on {}", text::short(&uname.nodename().to_string_lossy(), 60));
    let token = async {
        // Who has a role in single projects alone has none that a token could have everywhere; the API says so.
        let role = person.session().await?.role.filter(|role| role != "none");
        person.create_token(&NewToken { name, scope: "app".to_owned(), role }).await
    };
    let token = token.await;
    // The session ends in any case, whether the token was made or not.
    let ended = person.sign_out().await;
    let token = token?;
    ended?;
    Ok((Some(token.token), Some(token.id)))
}

/// Where people make tokens in the page.
fn tokens_page(client: &Client) -> String {
    format!("{}?show=tokens", client.address("settings"))
}

/// Who the token makes the caller.
async fn verify(url: &str, token: Option<SecretString>) -> anyhow::Result<String> {
    let client = Client::new(url, token)?;
    let refused = || {
        let page = tokens_page(&client);
        exit::not_signed_in(format!("{url} does not accept this token; make a new one at {page}"))
    };
    match client.session().await {
        Ok(session) if !session.signed_in => Err(refused()),
        Ok(session) => Ok(match session.person {
            Some(person) if !person.email.is_empty() => text::line(&person.email),
            _ => session.kind.as_deref().map_or_else(|| "yourself".to_owned(), |kind| kind.replace('_', " ")),
        }),
        Err(error) if error.is_not_supported() => match client.projects().await {
            Ok(_) => Ok(if client.has_key() { "api key" } else { "local" }.to_owned()),
            Err(error) if error.status().is_some_and(|status| status.as_u16() == 401) => Err(refused()),
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}
