//! `terarchitect-api webhooks`: what of a forge's webhooks is set up for a project. For who has a shell on the API's machine.

use crate::actions::ActionError;
use crate::actions::forges::watch::hooks::check_webhooks;
use crate::actions::projects::check::ProjectCheck;
use crate::backup::reach::Reached;
use crate::changes::Database;
use crate::config::{ServeOptions, WebhooksCommand, non_empty};
use crate::db;
use crate::forges::Forges;
use crate::sealing::Sealer;
use crate::server::stop_on_signals;
use anyhow::{Context, bail};
use std::io::Write;
use std::sync::Arc;
use terarchitect_worker_api::ProjectId;

/// How many projects are named where the one that is meant is none of them.
const NAMED: usize = 20;

/// Checks, and prints what was found. False: something is missing.
///
/// # Errors
/// When there is no database of ours, or no such project; a sentence for the terminal.
pub async fn run(options: &ServeOptions, command: &WebhooksCommand) -> anyhow::Result<bool> {
    let WebhooksCommand::Check { project } = command;
    let stop = stop_on_signals().context("could not listen for signals")?;
    let (data_dir, public) = (options.data_dir()?, options.public_url()?);
    let api = options.forge_api()?;
    let reached = Reached::to_read(options, &data_dir, &stop).await?;
    let sealer = Sealer::from_config(non_empty(options.secret_key.as_ref()).as_ref(), &data_dir)?;
    let found = async {
        let database = reached.open().await?;
        let id = find(&database, project).await?;
        let forges = Forges::new(database.clone(), Arc::new(sealer), api);
        let found = check_webhooks(&database, Some(&forges), public.as_ref(), id).await.map_err(said);
        database.pool().close().await;
        found
    };
    let found = found.await;
    reached.leave().await?;
    let found = found?;
    writeln!(std::io::stdout(), "{}", text(&found)).context("could not print the result")?;
    Ok(found.iter().all(|check| check.ok != Some(false)))
}

async fn find(database: &Database, project: &str) -> anyhow::Result<ProjectId> {
    let failed = "could not read the database";
    let mut conn = database.read().await.context(failed)?;
    let all = db::projects::list(&mut conn, None).await.context(failed)?;
    let is_it = |found: &&db::projects::Project| found.id.to_string() == project || found.name == project;
    let mut found = all.iter().filter(is_it);
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only.id),
        (Some(_), Some(_)) => bail!("several projects are called '{project}'; name one by its id"),
        _ => {
            let mut names: Vec<&str> = all.iter().map(|project| project.name.as_str()).take(NAMED).collect();
            names.extend((all.len() > NAMED).then_some("…"));
            bail!("there is no project '{project}'; there are: {}", names.join(", "))
        }
    }
}

fn said(error: ActionError) -> anyhow::Error {
    match error {
        ActionError::Refused(refusal) => anyhow::anyhow!(refusal.message),
        error => error.into(),
    }
}

/// A line for each result, and one below for what to do.
fn text(found: &[ProjectCheck]) -> String {
    let line = |check: &ProjectCheck| {
        let word = match check.ok {
            Some(true) => "ok",
            Some(false) => "missing",
            None => "unknown",
        };
        let fix = check.fix.as_ref().filter(|_| check.ok != Some(true));
        let fix = fix.map(|fix| format!("\n                     {fix}")).unwrap_or_default();
        format!("{word:<8} {:<11} {}{fix}", check.check, check.sentence)
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_comes_with_what_to_do() {
        let check = |check, ok, fix: Option<&str>| ProjectCheck {
            check,
            ok,
            sentence: "So it is.".to_owned(),
            fix: fix.map(str::to_owned),
        };
        let found = [check("forge", Some(true), None), check("secret", Some(false), Some("Make one."))];
        let expected = "ok       forge       So it is.\nmissing  secret      So it is.\n                     Make one.";
        assert_eq!(text(&found), expected);
    }
}
