//! `terarchitect inbox approve` and `reject`.

use crate::app::App;
use crate::exit::{self, failed};
use crate::text;
use terarchitect_client::{Checkpoint, InboxItem};
use uuid::Uuid;

pub(super) async fn approve(app: &App, wanted: &str, answer: Option<String>) -> anyhow::Result<u8> {
    let (item, id) = waiting(app, wanted).await?;
    let answer = words(answer)?;
    let done = app.client.approve_checkpoint(id, answer.as_deref()).await?;
    tell(app, &done, &format!("'{}' goes on.", text::line(&item.title)))
}

pub(super) async fn reject(app: &App, wanted: &str, reason: Option<String>) -> anyhow::Result<u8> {
    let (item, id) = waiting(app, wanted).await?;
    let reason = words(reason)?;
    let done = app.client.reject_checkpoint(id, reason.as_deref()).await?;
    tell(app, &done, &format!("'{}' is rejected; its job fails.", text::line(&item.title)))
}

/// What waits under this name, if there is something to decide about it.
async fn waiting(app: &App, wanted: &str) -> anyhow::Result<(InboxItem, Uuid)> {
    let item = app.inbox_item(wanted).await?;
    match &item.checkpoint {
        Some(checkpoint) => {
            let id = checkpoint.id;
            Ok((item, id))
        }
        None => Err(failed(format!(
            "no agent waits for a decision about '{}'; see `terarchitect inbox show`",
            text::line(&item.title)
        ))),
    }
}

/// What a person says to it; a dash stands for standard input.
fn words(given: Option<String>) -> anyhow::Result<Option<String>> {
    let words = match given {
        Some(dash) if dash == "-" => Some(text::stdin()?),
        given => given,
    };
    Ok(words.filter(|words| !words.trim().is_empty()))
}

fn tell(app: &App, done: &Checkpoint, sentence: &str) -> anyhow::Result<u8> {
    if app.out.json {
        app.out.document(done)?;
    } else {
        app.out.note(sentence);
    }
    Ok(exit::DONE)
}
