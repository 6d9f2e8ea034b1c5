//! Accounts, and the repository itself.

use super::super::model::{Permission, Refusal};
use super::super::reply::Reply;
use super::super::server::Context;
use super::shapes::Shapes;
use serde_json::json;

pub(super) fn own(context: &Context<'_>) -> Reply {
    let shapes = Shapes::new(context.state, &context.links);
    let mut user = shapes.account(context.who);
    let own = json!({
        "name": null, "company": null, "blog": null, "location": null, "email": null, "hireable": null, "bio": null,
        "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    });
    super::shapes::extend(&mut user, own);
    Reply::json(200, &user)
}

pub(super) fn repository(context: &Context<'_>, at: usize) -> Reply {
    let mut whole = Shapes::new(context.state, &context.links).repository(at);
    let may = context.state.who(context.who).permission;
    let permissions = json!({
        "admin": may >= Permission::Admin, "maintain": may >= Permission::Admin, "push": may >= Permission::Write,
        "triage": may >= Permission::Write, "pull": may >= Permission::Read,
    });
    super::shapes::extend(&mut whole, json!({"permissions": permissions, "subscribers_count": 0, "network_count": 0}));
    Reply::json(200, &whole)
}

pub(super) fn permission(context: &Context<'_>, login: &str) -> Result<Reply, Refusal> {
    let account = context.state.accounts.iter().find(|account| account.login.eq_ignore_ascii_case(login));
    let Some(account) = account.filter(|account| !account.bot) else {
        return Ok(super::refuse(404, &format!("{login} is not a user")));
    };
    let name = match account.permission {
        Permission::None => "none",
        Permission::Read => "read",
        Permission::Write => "write",
        Permission::Admin => "admin",
    };
    let mut user = Shapes::new(context.state, &context.links).account(account.id);
    super::shapes::extend(
        &mut user,
        json!({"role_name": name, "permissions": {
            "admin": name == "admin", "maintain": false, "push": account.permission >= Permission::Write, "triage": false,
            "pull": account.permission >= Permission::Read,
        }}),
    );
    Ok(Reply::json(200, &json!({"permission": name, "role_name": name, "user": user})))
}
