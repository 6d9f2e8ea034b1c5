//! `terarchitect login` and `logout`.

pub(crate) mod ask;
mod browser;

use crate::app::App;
use crate::cli::{Common, LoginOptions};
use crate::exit::{self, usage};
use crate::output::Output;
use crate::servers::{self, Server, Servers, same};
use crate::text;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::io::{IsTerminal, Read};
use terarchitect_client::{Client, ClientError, NewToken, Session};
use uuid::Uuid;

/// What a sign-in brings.
#[derive(Debug, Default)]
struct Signed {
    /// The token, unless the server needs none.
    token: Option<SecretString>,
    /// Its id, if it was made for this.
    token_id: Option<Uuid>,
    /// Whose it is, where that is known: a token itself does not say it.
    email: Option<String>,
}

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
    let Signed { token, token_id, email } = sign_in(&out, &client, session.as_ref(), options).await?;
    let me = verify(&url, token.clone()).await?;
    let me = email.map_or(me, |email| text::line(&email));
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
    let in_terminal = std::io::stdin().is_terminal();
    if options.browser {
        return in_browser(out, client, session).await;
    }
    if let Some(email) = &options.email {
        let password = if in_terminal { ask::hidden("Password: ").await? } else { piped()?.into() };
        if password.expose_secret().is_empty() {
            return Err(usage("give the password on standard input"));
        }
        return by_password(client, email, &password).await;
    }
    if options.token {
        let token = if in_terminal { asked_token(out, client).await? } else { piped()?.into() };
        return given(client, token);
    }
    let needs_none = match session {
        Some(session) => session.signed_in,
        None => client.projects().await.is_ok(),
    };
    if !in_terminal {
        let token = piped()?;
        return if token.is_empty() && needs_none { Ok(Signed::default()) } else { given(client, token.into()) };
    }
    match session {
        _ if needs_none => Ok(Signed::default()),
        // Where no one has an account yet, or by an API that can't say, there is only the key.
        Some(session) if !session.needs_first_admin => match browser::sign_in(out, client).await {
            Err(error) if is_not_supported(&error) => ask_for_password(out, client, session).await,
            signed => signed,
        },
        _ => given(client, asked_token(out, client).await?),
    }
}

async fn in_browser(out: &Output, client: &Client, session: Option<&Session>) -> anyhow::Result<Signed> {
    if session.is_some_and(|session| session.needs_first_admin) {
        let sentence = "no one has an account there yet, so no one can approve it; open the link that the API logged, or \
                        sign in with TERARCHITECT_API_KEY and --token";
        return Err(usage(sentence));
    }
    browser::sign_in(out, client).await
}

fn is_not_supported(error: &anyhow::Error) -> bool {
    error.downcast_ref::<ClientError>().is_some_and(ClientError::is_not_supported)
}

/// By an API that is older than signing in from a browser.
async fn ask_for_password(out: &Output, client: &Client, session: &Session) -> anyhow::Result<Signed> {
    if !session.sign_in.password {
        return given(client, asked_token(out, client).await?);
    }
    out.note(&format!("Sign in to {}, or press Enter to give a token from {}.", client.base(), tokens_page(client)));
    let email = ask::shown("Email: ").await?;
    if email.is_empty() {
        return given(client, ask::hidden("Token: ").await?);
    }
    by_password(client, &email, &ask::hidden("Password: ").await?).await
}

async fn asked_token(out: &Output, client: &Client) -> anyhow::Result<SecretString> {
    out.note(&format!("Make a token at {}, or use the key TERARCHITECT_API_KEY of the API.", tokens_page(client)));
    ask::hidden("Token: ").await
}

/// What is on standard input.
fn piped() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().lock().take(64 * 1024).read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}

/// A token that was made before.
fn given(client: &Client, token: SecretString) -> anyhow::Result<Signed> {
    match token.expose_secret().trim() {
        "" => Err(usage(format!(
            "give a token on standard input; make one at {}, or sign in with --browser",
            tokens_page(client)
        ))),
        token => Ok(Signed { token: Some(token.to_owned().into()), ..Signed::default() }),
    }
}

/// Signs in, makes a token for this machine that may do what the person may, and signs out: what is kept here can be
/// revoked by its name.
async fn by_password(client: &Client, email: &str, password: &SecretString) -> anyhow::Result<Signed> {
    let person = client.sign_in(email.trim(), password).await?;
    let name = name_of_this_machine();
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
    Ok(Signed { token: Some(token.token), token_id: Some(token.id), email: Some(email.trim().to_owned()) })
}

/// What a token of this machine is called.
fn name_of_this_machine() -> String {
    let uname = rustix::system::uname();
    format!("terarchitect on {}", text::short(&uname.nodename().to_string_lossy(), 60))
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
