//! `terarchitect doctor`: everything between here and a finished pull request, in the order in which it is needed.

use crate::app::App;
use crate::exit;
use crate::fleet;
use crate::projects;
use crate::text;
use serde_json::json;
use terarchitect_client::{Check, ClientError, Readiness};

/// Checks, in order.
struct Report<'a> {
    app: &'a App,
    checks: Vec<Check>,
}

pub(crate) async fn check(app: &App) -> anyhow::Result<u8> {
    let mut report = Report { app, checks: Vec::new() };
    let code = report.run().await?;
    let ready = code == exit::DONE;
    if app.out.json {
        app.out.document(&json!({"ready": ready, "checks": report.checks}))?;
    } else {
        app.out.line(if ready {
            "ready: tickets can become pull requests"
        } else {
            "not ready: do what stands below the lines with FAIL, then run this again"
        })?;
    }
    Ok(code)
}

impl Report<'_> {
    fn say(&mut self, check: &str, ok: Option<bool>, sentence: String, fix: Option<&str>) -> anyhow::Result<()> {
        let check =
            Check { check: check.to_owned(), ok, sentence, fix: fix.filter(|_| ok != Some(true)).map(str::to_owned) };
        if !self.app.out.json {
            projects::say(self.app, &check)?;
        }
        self.checks.push(check);
        Ok(())
    }

    /// What could not be checked: it does not count as a failure, unless the API is gone.
    fn unknown(&mut self, check: &str, error: &ClientError) -> anyhow::Result<()> {
        let ok = if error.is_not_supported() || error.status().is_some_and(|status| status.as_u16() == 403) {
            None
        } else {
            Some(false)
        };
        self.say(check, ok, format!("could not be checked: {}", error.chain()), None)
    }

    async fn run(&mut self) -> anyhow::Result<u8> {
        if !self.address().await? {
            return Ok(exit::NOT_REACHABLE);
        }
        self.database().await?;
        if !self.key().await? {
            return Ok(exit::NOT_ALLOWED);
        }
        self.settings().await?;
        self.models().await?;
        self.coordinators().await?;
        self.project().await?;
        let bad = self.checks.iter().any(|check| check.ok == Some(false));
        Ok(if bad { exit::FAILED } else { exit::DONE })
    }

    async fn address(&mut self) -> anyhow::Result<bool> {
        let url = self.app.client.base().clone();
        match self.app.client.health().await {
            Ok(()) => self.say("address", Some(true), format!("an API responds at {url}"), None)?,
            Err(error) => {
                let fix = "start the API (`terarchitect up` starts one here), or name its address with --server or TERARCHITECT_API_URL";
                self.say("address", Some(false), error.chain(), Some(fix))?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn database(&mut self) -> anyhow::Result<()> {
        match self.app.client.ready().await {
            Ok(()) => self.say("database", Some(true), "it responds".to_owned(), None),
            Err(error) => {
                let fix = "look at the API's log, and at its DATABASE_URL";
                self.say("database", Some(false), error.chain(), Some(fix))
            }
        }
    }

    async fn key(&mut self) -> anyhow::Result<bool> {
        let session = self.app.client.session().await;
        let own = env!("CARGO_PKG_VERSION");
        match &session {
            Ok(session) => {
                let version = session.version.as_deref().unwrap_or("unknown");
                let same = version == own;
                let sentence = format!("the API is {}, this command is {own}", text::line(version));
                self.say("version", same.then_some(true), sentence, Some("use the same version of both"))?;
            }
            Err(_) => {
                self.say("version", None, format!("this command is {own}; the API is older, or does not say"), None)?;
            }
        }
        let fix = "sign in with `terarchitect login`, or set TERARCHITECT_API_KEY";
        match self.app.client.projects().await {
            Ok(_) => {
                let role = session.ok().and_then(|session| session.role).filter(|role| !role.is_empty());
                let role = role.map(|role| format!(", as {}", text::line(&role))).unwrap_or_default();
                self.say("key", Some(true), format!("the API accepts it{role}"), None)?;
                Ok(true)
            }
            Err(error) => {
                self.say("key", Some(false), error.chain(), Some(fix))?;
                Ok(false)
            }
        }
    }

    async fn settings(&mut self) -> anyhow::Result<()> {
        let Readiness { missing_required, warnings, .. } = match self.app.client.readiness().await {
            Ok(readiness) => readiness,
            Err(error) => return self.unknown("settings", &error),
        };
        for missing in &missing_required {
            let fix = format!("set {} on the page, under Settings", missing.key);
            let sentence = format!("{} is missing: {}", missing.key, missing.reason);
            self.say("settings", Some(false), sentence, Some(&fix))?;
        }
        for warning in &warnings {
            let text = warning.as_str().or_else(|| warning["reason"].as_str());
            let text = text.map_or_else(|| warning.to_string(), str::to_owned);
            self.say("settings", None, text, None)?;
        }
        if missing_required.is_empty() {
            self.say("settings", Some(true), "nothing is missing".to_owned(), None)?;
        }
        Ok(())
    }

    async fn models(&mut self) -> anyhow::Result<()> {
        let has_director = match self.app.client.settings().await {
            Ok(settings) => ["AGENT_LLM_URL", "AGENT_MODEL", "AGENT_API_KEY"]
                .iter()
                .any(|key| settings[*key] == true || settings[*key].as_str().is_some_and(|value| !value.is_empty())),
            // Its test will say what is wrong.
            Err(_) => true,
        };
        for (what, name) in [("agent_model", "agent's model"), ("director", "Director's model"), ("forge", "forge")] {
            // The settings have said that there is none, which is no fault.
            if what == "director" && !has_director {
                continue;
            }
            match self.app.client.test_setting(what).await {
                Ok(result) => {
                    let detail = result.detail.filter(|detail| !detail.is_empty() && !result.sentence.contains(detail));
                    let detail = detail.map(|detail| format!(" ({})", text::short(&detail, 200))).unwrap_or_default();
                    let fix = "change it on the page, under Settings, and test it there";
                    self.say(name, Some(result.ok), format!("{}{detail}", result.sentence), Some(fix))?;
                }
                Err(error) => {
                    self.unknown(name, &error)?;
                    // The others would say the same.
                    if error.is_not_supported() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    async fn coordinators(&mut self) -> anyhow::Result<()> {
        let all = match fleet::read(self.app).await {
            Ok(all) => all,
            Err(error) => return self.say("coordinators", Some(false), format!("{error:#}"), None),
        };
        if all.stopped {
            let fix = "`terarchitect fleet resume` lets everything go on";
            self.say("coordinators", Some(false), "everything was stopped".to_owned(), Some(fix))?;
        }
        let there = |one: &&terarchitect_client::Coordinator| !fleet::is_lost(one) && one.directive != "drain";
        let working = i64::try_from(all.coordinators.iter().filter(there).count()).unwrap_or(i64::MAX);
        let slots: i64 = all.coordinators.iter().filter(there).filter_map(|one| one.slots).sum();
        if working == 0 {
            let fix = "start terarchitect-coordinator on a machine with Docker; `terarchitect-coordinator doctor` checks that machine";
            self.say("coordinators", Some(false), "none is there that would claim a job".to_owned(), Some(fix))?;
        } else {
            let sentence =
                format!("{} with {} in total", text::plural(working, "coordinator"), text::plural(slots, "slot"));
            self.say("coordinators", Some(true), sentence, None)?;
        }
        for one in all.coordinators.iter().filter(there) {
            let name = fleet::name(one);
            if let Some(free) = one.disk_free_bytes {
                self.say("disk", None, format!("{name} has {} free", text::gib(free)), None)?;
            }
            for finding in one.findings.iter().filter(|finding| !finding.ok) {
                let check = format!("{name}, {}", finding.check);
                self.say(&check, Some(false), finding.sentence.clone(), finding.fix.as_deref())?;
            }
        }
        Ok(())
    }

    async fn project(&mut self) -> anyhow::Result<()> {
        let project = match self.app.project(None).await {
            Ok(project) => project,
            // Which one is meant can't be told; the system is not to blame.
            Err(error) if exit::code_of(&error) == exit::USAGE => {
                return self.say("project", None, format!("not checked: {error:#}"), None);
            }
            Err(error) => return self.say("project", Some(false), format!("{error:#}"), None),
        };
        let name = text::line(&project.name);
        if project.paused {
            let fix = "let it go on, on the page, under Projects";
            self.say(&name, Some(false), "the project is paused".to_owned(), Some(fix))?;
        }
        match self.app.client.check_project(project.id).await {
            Ok(checks) => {
                for check in checks.checks {
                    self.say(&format!("{name}, {}", check.check), check.ok, check.sentence, check.fix.as_deref())?;
                }
                Ok(())
            }
            Err(error) => self.unknown(&name, &error),
        }
    }
}
