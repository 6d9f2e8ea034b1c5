//! What is set up so that this system learns what happens at a project's forge, here and there.

use super::{ReadForge, SeenHook, SeenRepository};
use crate::actions::ActionResult;
use crate::actions::forges::ask::ForgePlace;
use crate::actions::projects::check::{ProjectCheck, found};
use crate::changes::Database;
use crate::db;
use crate::db::forges::sweeps::SweepState;
use crate::domain::forges::{DeliveryState, Permission};
use crate::domain::refusal::Refusal;
use chrono::{DateTime, Utc};
use terarchitect_worker_api::ProjectId;
use url::Url;

/// What the rows here say.
struct Here {
    has_secret: bool,
    latest: Option<(DateTime<Utc>, DeliveryState)>,
    sweep: Option<SweepState>,
}

/// Checks it. `public` is the address under which this API is reached from elsewhere.
///
/// # Errors
/// When the project does not exist, or the database is not available.
pub async fn check_webhooks(
    database: &Database,
    forge: Option<&dyn ReadForge>,
    public: Option<&Url>,
    id: ProjectId,
) -> ActionResult<Vec<ProjectCheck>> {
    let project = db::projects::find(&mut *database.read().await?, id).await?;
    let project = project.ok_or_else(|| Refusal::not_found("project", id))?;
    let (Some(address), Some(forge)) = (project.github_url, forge) else {
        return Ok(vec![found("forge", false, "The project has no repository.").fix("Set the repository's address.")]);
    };
    let place = ForgePlace { project: id, address, kind: project.forge_kind };
    let there = match forge.webhooks(&place).await {
        Ok(there) => there,
        Err(no) => {
            let fix = "Add a credential for the repository's host, or set the project's forge_kind.";
            return Ok(vec![found("forge", false, no.sentence).fix(fix)]);
        }
    };
    let here = {
        let mut conn = database.read().await?;
        Here {
            has_secret: !db::forges::secrets::valid(&mut conn, there.forge, Some(id)).await?.is_empty(),
            latest: db::forges::deliveries::latest(&mut conn, id).await?,
            sweep: db::forges::sweeps::find(&mut conn, id).await?,
        }
    };
    Ok(findings(id, &there, &here, public))
}

fn findings(project: ProjectId, there: &SeenRepository, here: &Here, public: Option<&Url>) -> Vec<ProjectCheck> {
    let mut checks = vec![
        found(
            "forge",
            true,
            format!("The forge is of the kind {}, and this system is {} there.", there.forge.as_str(), there.me),
        ),
        permission(there),
    ];
    checks.push(if here.has_secret {
        found("secret", true, "A secret for its webhooks is set.")
    } else {
        let fix = format!("Make one: POST /api/webhook-secrets with {{\"sender\": \"{}\"}}.", there.forge.as_str());
        found("secret", false, "No secret for its webhooks is set, so every delivery is refused.").fix(fix)
    });
    checks.extend(webhook(project, there, public));
    checks.push(match here.latest {
        Some((at, DeliveryState::Failed)) => {
            found("delivery", false, format!("The latest delivery came at {}, and failed.", time(at)))
                .fix("GET /api/deliveries?state=failed has the reason.")
        }
        Some((at, _)) => found("delivery", true, format!("The latest delivery came at {}.", time(at))),
        None => found("delivery", None, "No delivery about this project has come yet.")
            .fix("Have the forge send a test, and look at its list of deliveries."),
    });
    checks.push(match &here.sweep {
        Some(SweepState { reason: Some(reason), .. }) => {
            found("sweep", false, format!("The forge was asked for changes, and gave no answer: {reason}"))
        }
        Some(SweepState { asked_at: Some(at), .. }) => {
            found("sweep", true, format!("The forge was last asked for changes at {}.", time(*at)))
        }
        _ => found("sweep", None, "The forge is asked for changes once a ticket has a pull request."),
    });
    checks
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn permission(there: &SeenRepository) -> ProjectCheck {
    if there.permission >= Permission::Write {
        return found("permission", true, format!("{} may write to the repository.", there.me));
    }
    found("permission", false, format!("{} may not write to the repository.", there.me))
        .fix("Give the account write access, or store the token of another one.")
}

fn webhook(project: ProjectId, there: &SeenRepository, public: Option<&Url>) -> Vec<ProjectCheck> {
    let hooks = match &there.hooks {
        Ok(hooks) => hooks,
        Err(sentence) => {
            let sentence = format!("The repository's webhooks can't be listed with this token. {sentence}");
            return vec![found("webhook", None, sentence).fix("Look at the repository's settings at the forge.")];
        }
    };
    let path = format!("/webhooks/{}", there.forge.as_str());
    let paths = [path.clone(), format!("{path}/{project}")];
    let is_ours = |hook: &&SeenHook| match (hook.url.parse::<Url>(), public) {
        (Ok(url), Some(public)) => {
            url.origin() == public.origin() && paths.iter().any(|path| url.path().ends_with(path))
        }
        // Without an address of our own, the path has to do.
        (Ok(url), None) => paths.iter().any(|path| url.path().ends_with(path)),
        (Err(_), _) => false,
    };
    let base = public.map_or("https://YOUR-API".to_owned(), |url| url.as_str().trim_end_matches('/').to_owned());
    let Some(hook) = hooks.iter().find(is_ours) else {
        let sentence = "The repository has no webhook that sends here; the sweep finds what happens, only later.";
        let fix = format!("Add one to {base}{path} at the forge (docs/forges.md).");
        return vec![found("webhook", false, sentence).fix(fix)];
    };
    let mut checks = vec![if hook.is_active {
        found("webhook", true, format!("A webhook sends to {}.", hook.url))
    } else {
        found("webhook", false, format!("The webhook to {} is switched off.", hook.url))
            .fix("Switch it on at the forge.")
    }];
    checks.push(if hook.missing.is_empty() {
        found("events", true, "It sends everything that this system understands.")
    } else {
        let sentence = format!("It does not send: {}.", hook.missing.join(", "));
        found("events", false, sentence).fix("Choose these events for the webhook at the forge.")
    });
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::forges::ForgeKind;
    use uuid::Uuid;

    fn there(hooks: Result<Vec<SeenHook>, String>) -> SeenRepository {
        SeenRepository { forge: ForgeKind::GitHub, me: "bot".to_owned(), permission: Permission::Write, hooks }
    }

    fn hook(url: &str, is_active: bool, missing: &[&'static str]) -> SeenHook {
        SeenHook { url: url.to_owned(), is_active, missing: missing.to_vec() }
    }

    /// `(check, ok)` of what is not as it should be.
    fn wrong(there: &SeenRepository, here: &Here, public: &str) -> Vec<(&'static str, Option<bool>)> {
        let public = public.parse().unwrap();
        let all = findings(ProjectId(Uuid::nil()), there, here, Some(&public));
        all.into_iter().filter(|check| check.ok != Some(true)).map(|check| (check.check, check.ok)).collect()
    }

    #[test]
    fn each_thing_that_is_missing_is_named() {
        let full = Here {
            has_secret: true,
            latest: Some((Utc::now(), DeliveryState::Done)),
            sweep: Some(SweepState { asked_at: Some(Utc::now()), reason: None }),
        };
        let good = there(Ok(vec![
            hook("https://elsewhere.example/webhooks/github", false, &["pushes"]),
            hook("https://tera.example/webhooks/github", true, &[]),
        ]));
        assert_eq!(wrong(&good, &full, "https://tera.example/"), []);
        assert_eq!(wrong(&good, &full, "https://other.example/"), [("webhook", Some(false))]);
        let own = there(Ok(vec![hook(&format!("https://tera.example/webhooks/github/{}", Uuid::nil()), true, &[])]));
        assert_eq!(wrong(&own, &full, "https://tera.example/"), []);
        let off = there(Ok(vec![hook("https://tera.example/webhooks/github", false, &["comments", "checks"])]));
        assert_eq!(wrong(&off, &full, "https://tera.example/"), [("webhook", Some(false)), ("events", Some(false))]);
        let bare = Here { has_secret: false, latest: None, sweep: None };
        let secret = there(Err("Only admins may.".to_owned()));
        assert_eq!(
            wrong(&SeenRepository { permission: Permission::Read, ..secret }, &bare, "https://tera.example/"),
            [
                ("permission", Some(false)),
                ("secret", Some(false)),
                ("webhook", None),
                ("delivery", None),
                ("sweep", None)
            ]
        );
        let failed = Here {
            latest: Some((Utc::now(), DeliveryState::Failed)),
            sweep: Some(SweepState { asked_at: Some(Utc::now()), reason: Some("It is down.".to_owned()) }),
            has_secret: true,
        };
        assert_eq!(wrong(&good, &failed, "https://tera.example/"), [("delivery", Some(false)), ("sweep", Some(false))]);
    }
}
