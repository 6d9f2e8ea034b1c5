//! What is read from the forge along with an order: what was said before it in its thread, and the end of a failed
//! check's log. An order that the forge says nothing more about is not lost: it has its own text.

use super::ask::{AskForge, ForgePlace, NoAnswer};
use crate::db::forges::comments::Undecided;
use crate::domain::forges::conversation::{MOST_AUTHORS, Remark, ThreadComment, before, is_heard, kept, thread_of};
use crate::domain::forges::{Account, CommentKind, Permission, check_log};
use std::collections::HashMap;

/// How often the forge is asked before an order does without what it does not say.
const MOST_TRIES: i32 = 3;

/// What comes with an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Surroundings {
    /// What was said before.
    pub(super) conversation: Option<Vec<Remark>>,
    /// The end of a check's log.
    pub(super) log: Option<String>,
}

/// Why something is no order after all; a sentence.
pub(super) type Refused = String;

/// Reads what comes with an order.
pub(super) async fn read(
    forge: &dyn AskForge,
    place: &ForgePlace,
    bot: &Account,
    comment: &Undecided,
) -> Result<Result<Surroundings, Refused>, NoAnswer> {
    let read = match comment.kind {
        CommentKind::Line => conversation(forge, place, bot, comment).await,
        CommentKind::Check => log(forge, place, comment).await.map(Ok),
        CommentKind::General | CommentKind::Review | CommentKind::Conflict => return Ok(Ok(Surroundings::default())),
    };
    match read {
        Err(no) if comment.tries >= MOST_TRIES => {
            tracing::warn!(comment.id = %comment.id, why = no.sentence, "an order comes without what belongs to it at the forge");
            Ok(Ok(Surroundings::default()))
        }
        read => read,
    }
}

async fn conversation(
    forge: &dyn AskForge,
    place: &ForgePlace,
    bot: &Account,
    comment: &Undecided,
) -> Result<Result<Surroundings, Refused>, NoAnswer> {
    let threads = forge.threads(place, comment.number, &comment.forge_id).await?;
    let Some(thread) = thread_of(&threads, &comment.forge_id) else { return Ok(Ok(Surroundings::default())) };
    if thread.is_resolved == Some(true) {
        return Ok(Err("Its thread is resolved.".to_owned()));
    }
    let earlier = before(thread, &comment.forge_id);
    // The author of the order may give it.
    let mut may_write = HashMap::from([(comment.author_login.as_str(), true)]);
    let mut heard: Vec<&ThreadComment> = Vec::new();
    for said in earlier {
        let login = said.author.login.as_str();
        let is_heard = match (is_heard(&said.author, bot, &comment.review_bots), may_write.get(login)) {
            (Some(known), _) | (None, Some(&known)) => known,
            (None, None) if login.is_empty() || may_write.len() > MOST_AUTHORS => false,
            (None, None) => {
                let may = forge.permission(place, login).await? >= Permission::Write;
                may_write.insert(login, may);
                may
            }
        };
        if is_heard {
            heard.push(said);
        }
    }
    let remarks = kept(&heard);
    Ok(Ok(Surroundings { conversation: (!remarks.is_empty()).then_some(remarks), log: None }))
}

async fn log(forge: &dyn AskForge, place: &ForgePlace, comment: &Undecided) -> Result<Surroundings, NoAnswer> {
    let Some(sha) = comment.head_sha.as_deref() else { return Ok(Surroundings::default()) };
    let log = forge.check_log(place, sha, &comment.body, check_log::READ_BYTES).await?;
    Ok(Surroundings { conversation: None, log: log.as_deref().and_then(check_log::kept) })
}
