//! `terarchitect secrets`.

use crate::app::App;
use crate::cli::SecretsAction;
use crate::exit::{self, usage};
use crate::login::ask;
use crate::output::{Tone, field, toned};
use crate::text;
use secrecy::{ExposeSecret, SecretString};
use std::io::IsTerminal;
use terarchitect_client::{NewSecret, Secret};

pub(crate) async fn execute(app: &App, action: Option<SecretsAction>) -> anyhow::Result<u8> {
    let action = action.unwrap_or(SecretsAction::List);
    let project = app.project(None).await?;
    match action {
        SecretsAction::List => show(app, &app.client.secrets(project.id).await?),
        SecretsAction::Set { name, give_to_agent } => {
            let new = NewSecret { value: value().await?, given_to_agent: give_to_agent };
            let secret = app.client.set_secret(project.id, &name, &new).await?;
            let whose = if secret.given_to_agent { "; the agent can read it" } else { "" };
            let sentence =
                format!("The secret {} of {} is set{whose}.", text::line(&secret.name), text::line(&project.name));
            done(app, &secret, &sentence)
        }
        SecretsAction::Remove { name } => {
            let said = app.client.delete_secret(project.id, &name).await?;
            done(app, &said, &format!("The secret {} of {} is deleted.", text::line(&name), text::line(&project.name)))
        }
    }
}

fn show(app: &App, secrets: &[Secret]) -> anyhow::Result<u8> {
    if app.out.json {
        app.out.document(&secrets)?;
        return Ok(exit::DONE);
    }
    if secrets.is_empty() {
        app.out.note("This project has no secrets. Set one: terarchitect secrets set NAME < value");
        return Ok(exit::DONE);
    }
    let row = |secret: &Secret| {
        let readers = if secret.given_to_agent { toned("commands and agent", Tone::Warn) } else { field("commands") };
        vec![field(&secret.name), readers, toned(text::ago(secret.set_at), Tone::Dim)]
    };
    app.out.table(&["Secret", "Given to", "Set"], secrets.iter().map(row).collect())?;
    Ok(exit::DONE)
}

fn done(app: &App, answer: &impl serde::Serialize, sentence: &str) -> anyhow::Result<u8> {
    if app.out.json {
        app.out.document(answer)?;
    } else {
        app.out.note(sentence);
    }
    Ok(exit::DONE)
}

/// The value, never from the command line: that is in the shell's history, and in the list of processes.
async fn value() -> anyhow::Result<SecretString> {
    let value = if std::io::stdin().is_terminal() {
        ask::hidden_or("stopped; nothing was set", "Value: ").await?
    } else {
        whole(text::stdin()?).into()
    };
    match value.expose_secret().trim() {
        "" => Err(usage("give the value on standard input")),
        _ => Ok(value),
    }
}

/// A single line without its end, which `echo` and editors add. Several lines are a file, such as a key, whose end may matter.
fn whole(mut text: String) -> String {
    let end = text.len() - text.trim_end_matches(['\r', '\n']).len();
    if end > 0 && !text[..text.len() - end].contains('\n') {
        text.truncate(text.len() - end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_single_line_is_left_out() {
        for (given, kept) in
            [("one\n", "one"), ("one\r\n", "one"), (" one ", " one "), ("one\ntwo\n", "one\ntwo\n"), ("\n", "")]
        {
            assert_eq!(whole(given.to_owned()), kept);
        }
    }
}
