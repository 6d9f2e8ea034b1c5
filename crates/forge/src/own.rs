//! Which text is our own: the one that bears the marker and that the token's account wrote. A stranger can copy a marker.

use crate::marker_in;
use crate::types::{Account, Comment};

/// Whether the account is the token's own. Tokens of Apps have none; their texts are those of a bot.
pub(crate) fn is_own(author: &Account, own: Option<&Account>) -> bool {
    own.map_or(author.bot, |own| !own.id.is_empty() && own.id == author.id)
}

/// The comment that bears the marker and is our own.
pub(crate) fn posted(comments: Vec<Comment>, marker: &str, own: Option<&Account>) -> Option<Comment> {
    comments.into_iter().find(|comment| marker_in(&comment.body) == Some(marker) && is_own(&comment.author, own))
}
