//! Accounts and the project itself at GitLab.

use super::super::model::{Permission, Refusal};
use super::super::reply::Reply;
use super::super::server::Context;
use super::shapes::{Shapes, level, time};
use serde_json::{Value, json};

/// A project by its number or its path.
pub(super) fn find(context: &mut Context<'_>, id: &str) -> Option<usize> {
    if let Ok(id) = id.parse::<u64>() {
        return context.state.repos.iter().position(|repo| repo.id == id);
    }
    let (owner, name) = id.rsplit_once('/')?;
    context.state.repo_at(owner, name)
}

pub(super) fn own(context: &Context<'_>) -> Reply {
    let mut user = Shapes::new(context.state, &context.links).account(context.who);
    user["bot"] = context.state.who(context.who).bot.into();
    user["email"] = format!("{}@localhost", context.state.who(context.who).login).into();
    Reply::json(200, &user)
}

pub(super) fn users(context: &Context<'_>) -> Reply {
    let (name, shapes) = (context.call.asks("username"), Shapes::new(context.state, &context.links));
    let found = context.state.accounts.iter().filter(|account| account.login.eq_ignore_ascii_case(name));
    super::listed(context, &found.map(|account| shapes.account(account.id)).collect::<Vec<_>>())
}

pub(super) fn member(context: &Context<'_>, user: u64) -> Result<Reply, Refusal> {
    let account = context.state.accounts.iter().find(|account| account.id == user);
    let account = account.filter(|account| account.permission > Permission::None).ok_or(Refusal::NotFound)?;
    let mut shape = Shapes::new(context.state, &context.links).account(user);
    shape["access_level"] = level(account.permission).into();
    shape["expires_at"] = Value::Null;
    Ok(Reply::json(200, &shape))
}

pub(super) fn show(context: &Context<'_>, at: usize) -> Reply {
    let repo = &context.state.repos[at];
    let page = Shapes::new(context.state, &context.links).page(at);
    let access = json!({"access_level": level(context.state.who(context.who).permission), "notification_level": 3});
    let name = format!("{}/{}", repo.owner, repo.name);
    Reply::json(
        200,
        &json!({
            "id": repo.id, "name": repo.name, "path": repo.name, "path_with_namespace": name, "name_with_namespace": name,
            "default_branch": context.state.bare(at).default_branch(), "visibility": "private", "archived": false,
            "http_url_to_repo": format!("{page}.git"), "web_url": page, "created_at": time(repo.created_at),
            "last_activity_at": time(repo.created_at), "empty_repo": repo.branches.is_empty(),
            "merge_method": if repo.rules.fast_forward { "ff" } else { "merge" }, "squash_option": "default_off",
            "permissions": {"project_access": access, "group_access": null},
        }),
    )
}
