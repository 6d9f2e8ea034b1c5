//! `terarchitect-api admin`: makes an admin, or lets someone in who can't sign in. For who has a shell on the API's
//! machine, and so its database anyway.

use crate::actions::ActionError;
use crate::actions::people::{links, manage};
use crate::backup::reach::Reached;
use crate::changes::Database;
use crate::config::{AdminCommand, ServeOptions};
use crate::db;
use crate::domain::actor::Actor;
use crate::domain::people;
use crate::domain::people::link::{LinkKind, address};
use crate::server::stop_on_signals;
use anyhow::{Context, bail};
use std::io::Write;

/// Does it, and prints the link alone on the standard output.
///
/// # Errors
/// When there is no database of ours, or the person does not exist; a sentence for the terminal.
pub async fn run(options: &ServeOptions, command: &AdminCommand) -> anyhow::Result<()> {
    let stop = stop_on_signals().context("could not listen for signals")?;
    let base = base(options)?;
    let reached = Reached::to_read(options, &options.data_dir()?, &stop).await?;
    let printed = link(&reached, command, &base).await;
    reached.leave().await?;
    writeln!(std::io::stdout(), "{}", printed?).context("could not print the link")
}

/// The address that the link leads to.
fn base(options: &ServeOptions) -> anyhow::Result<String> {
    if let Some(url) = options.public_url()? {
        return Ok(url.to_string());
    }
    let addresses = options.addresses()?;
    let address = addresses.first().context("TERARCHITECT_LISTEN is empty; set it as the API has it")?;
    Ok(if address.ip().is_unspecified() {
        format!("http://localhost:{}", address.port())
    } else {
        format!("http://{address}")
    })
}

async fn link(reached: &Reached, command: &AdminCommand, base: &str) -> anyhow::Result<String> {
    let database = reached.open().await?;
    let made = make(&database, command).await;
    database.pool().close().await;
    Ok(address(base, &made?))
}

async fn make(database: &Database, command: &AdminCommand) -> anyhow::Result<String> {
    let (person, kind) = match command {
        AdminCommand::Create(new) => {
            let person = manage::make_admin(database, &new.email, new.name.as_deref()).await.map_err(said)?;
            (person, LinkKind::Reset)
        }
        AdminCommand::Reset(whose) => (find(database, &whose.email).await?, LinkKind::Reset),
        AdminCommand::Link(whose) => (find(database, &whose.email).await?, LinkKind::SignIn),
    };
    let (secret, _) = links::make_link_for(database, &Actor::Local, person.id, kind).await.map_err(said)?;
    Ok(secret.text().to_owned())
}

async fn find(database: &Database, email: &str) -> anyhow::Result<db::people::Person> {
    let address = people::email(email).map_err(|refusal| anyhow::anyhow!(refusal.message))?;
    let mut conn = database.read().await.context("could not connect to the database")?;
    let found = db::people::find_by_email(&mut conn, &address).await.context("could not read the database")?;
    let person = found.with_context(|| {
        format!("no one has the address {address}; 'terarchitect-api admin create --email {address}' makes an admin")
    })?;
    if person.disabled_at.is_some() {
        bail!(
            "{address} is disabled; 'terarchitect-api admin create --email {address}' makes an admin who can sign in"
        );
    }
    Ok(person)
}

fn said(error: ActionError) -> anyhow::Error {
    match error {
        ActionError::Refused(refusal) => anyhow::anyhow!(refusal.message),
        error => error.into(),
    }
}
