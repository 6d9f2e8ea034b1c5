//! Makes API tokens, and revokes them.

use crate::actions::ActionResult;
use crate::changes::{Change, Database};
use crate::db;
use crate::db::people::tokens::{self as stored, Token};
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::people::Role;
use crate::domain::people::rights::Rights;
use crate::domain::people::token::{TokenScope, Wanted, granted, holds};
use crate::domain::refusal::Refusal;
use crate::domain::text;
use crate::random_token::RandomToken;
use serde::Deserialize;
use serde_json::json;
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;
use uuid::Uuid;

/// A token to make.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewToken {
    /// What people call it.
    pub name: String,
    /// What it gives access to.
    pub scope: TokenScope,
    /// What it may do, with the scope `app`: viewer if absent.
    pub role: Option<Role>,
    /// The only project; absent: all that its owner sees.
    #[schema(value_type = Option<Uuid>)]
    pub project_id: Option<ProjectId>,
    /// For how long it holds, in seconds; absent: until it is revoked.
    pub expires_in_sec: Option<u64>,
}

/// Who makes a token.
#[derive(Debug)]
pub struct Maker<'a> {
    /// As it is recorded.
    pub actor: &'a Actor,
    /// What it may do.
    pub rights: &'a Rights,
    /// Whose the token will be.
    pub person: Option<Uuid>,
}

/// Makes a token; its secret is known here alone.
///
/// # Errors
/// When a field is not valid, or the token would be more than its maker.
pub async fn make_token(database: &Database, maker: Maker<'_>, new: NewToken) -> ActionResult<(Token, RandomToken)> {
    let mut change = database.change(maker.actor).await?;
    let made = add_token(&mut change, maker, new).await?;
    change.commit().await?;
    Ok(made)
}

/// The same as part of a change.
pub(super) async fn add_token(
    change: &mut Change,
    maker: Maker<'_>,
    new: NewToken,
) -> ActionResult<(Token, RandomToken)> {
    let name = text::title("name", &new.name)?;
    let wanted = Wanted { scope: new.scope, role: new.role, project: new.project_id };
    let (role, holds) = (granted(maker.rights, wanted)?, holds(new.expires_in_sec)?);
    let (secret, created_by) = (RandomToken::for_api(), maker.actor.to_string());
    let token = stored::NewToken {
        name: &name,
        scope: new.scope,
        role,
        project: new.project_id,
        person: maker.person,
        created_by: &created_by,
        holds,
        prefix: &secret.shown(),
    };
    let made = stored::insert(change, &secret.hash(), &token).await?;
    let data = json!({
        "token_id": made.id, "name": name, "scope": new.scope, "role": role, "in_project": new.project_id,
    });
    change.record(NewEvent::new(EventKind::TokenCreated).with(data));
    Ok((made, secret))
}

/// Revokes a token: any, or one of this person.
///
/// # Errors
/// When there is no such token.
pub async fn revoke(database: &Database, actor: &Actor, id: Uuid, only_of: Option<Uuid>) -> ActionResult<()> {
    let mut change = database.change(actor).await?;
    let name = db::people::tokens::delete(&mut change, id, only_of).await?;
    let name = name.ok_or_else(|| Refusal::not_found("token", id))?;
    change.record(NewEvent::new(EventKind::TokenRevoked).with(json!({"token_id": id, "name": name})));
    Ok(change.commit().await?)
}
