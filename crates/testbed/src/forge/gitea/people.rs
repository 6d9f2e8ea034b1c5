//! Accounts, and the repository itself.

use super::super::model::{Permission, Refusal};
use super::super::reply::Reply;
use super::super::server::Context;
use super::shapes::Shapes;
use super::{MISSING, refuse};
use serde_json::json;

pub(super) fn own(context: &Context<'_>) -> Reply {
    Reply::json(200, &Shapes::new(context.state, &context.links).account(context.who))
}

pub(super) fn repository(context: &Context<'_>, at: usize) -> Reply {
    Reply::json(200, &Shapes::new(context.state, &context.links).repository(at, context.who))
}

/// Those who may change settings learn what others may do, everyone else what they themselves may.
pub(super) fn permission(context: &Context<'_>, login: &str) -> Result<Reply, Refusal> {
    let own = context.state.who(context.who);
    if own.permission < Permission::Admin && !own.login.eq_ignore_ascii_case(login) {
        let words = "Only admins can query all permissions, repo admins can query all repo permissions, collaborators can \
                     query only their own";
        return Ok(refuse(context, 403, words));
    }
    let account = context.state.accounts.iter().find(|account| account.login.eq_ignore_ascii_case(login));
    let Some(account) = account else {
        return Ok(refuse(context, 404, &format!("{MISSING} user does not exist [uid: 0, name: {login}]")));
    };
    let name = match account.permission {
        Permission::None => "none",
        Permission::Read => "read",
        Permission::Write => "write",
        Permission::Admin => "admin",
    };
    let user = Shapes::new(context.state, &context.links).account(account.id);
    Ok(Reply::json(200, &json!({"permission": name, "role_name": name, "user": user})))
}

/// All accounts that may write. Permission to read is enough to list them.
pub(super) fn assignees(context: &Context<'_>) -> Reply {
    let shapes = Shapes::new(context.state, &context.links);
    let may = context.state.accounts.iter().filter(|account| account.permission >= Permission::Write);
    let all: Vec<_> = may.map(|account| shapes.account(account.id)).collect();
    Reply::json(200, &all.into())
}
