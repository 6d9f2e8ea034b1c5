//! Checks the host at the start and every minute after that, with doctor's cheap checks, so that the API's fleet page shows
//! why a host can't run jobs, and no operator has to sign in there to find out.

use crate::cli::PullPolicy;
use crate::config::Config;
use crate::disk;
use crate::doctor::{self, Finding};
use crate::engine::ContainerEngine;
use crate::job::Shared;
use crate::readiness::image_hint;
use std::sync::Arc;
use std::time::Duration;
use terarchitect_outbound::chain;
use terarchitect_worker_api::HostFinding;
use tokio_util::sync::CancellationToken;

/// The pause between two rounds of checks.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long one round may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest text of a finding, in characters.
const MAX_CHARS: usize = 500;

/// Checks until `stop`.
pub(super) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            // An engine that does not respond is found by its own time limit, which is shorter.
            checked = tokio::time::timeout(PATIENCE, check(&shared)) => if checked.is_err() {
                tracing::warn!("the checks of this host took too long; they are repeated in a minute");
            },
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

async fn check(shared: &Shared) {
    let engine = shared.engine.as_ref();
    let version = engine.version().await;
    let mut found = Vec::new();
    let mut say = |check: &str, finding| found.push(host_finding(check, finding));
    match &version {
        Ok(version) => say("engine", Finding::Good(version.clone())),
        Err(error) => say("engine", Finding::Bad(chain(error))),
    }
    // The other checks of an engine that does not respond would only wait as long as this one did.
    if version.is_ok() {
        say("disk", doctor::check_disk(&shared.config, engine).await);
        say("image", check_image(&shared.config, engine).await);
    }
    say("clock", doctor::check_clock(&shared.config).await);
    for sentence in shared.config.container.relaxed() {
        say("limits", Finding::Warn(sentence));
    }
    let disk = match version.is_ok() {
        true => engine.root_dir().await.ok().flatten().and_then(|dir| disk::space_at(&dir)),
        false => None,
    };
    shared.host.edit(|host| {
        host.engine = version.ok().or(host.engine.take());
        host.disk = disk.or(host.disk);
        host.findings = Some(found);
    });
}

async fn check_image(config: &Config, engine: &dyn ContainerEngine) -> Finding {
    let image = &config.image;
    match engine.has_image(image).await {
        Ok(true) => Finding::Good(image.clone()),
        Ok(false) if config.pull_policy == PullPolicy::Never => {
            Finding::Bad(format!("{image} is not on this machine; {}", image_hint(image)))
        }
        Ok(false) => Finding::Warn(format!("{image} is not on this machine; it is pulled before the next job")),
        Err(error) => Finding::Bad(chain(&error)),
    }
}

/// What doctor found, as the API takes it. Its texts say what is wrong, a semicolon, and what to do.
fn host_finding(check: &str, finding: Finding) -> HostFinding {
    let (ok, text) = match finding {
        Finding::Good(text) | Finding::Warn(text) => (true, text),
        Finding::Bad(text) => (false, text),
    };
    let (sentence, fix) = match text.split_once("; ").filter(|_| !ok) {
        Some((sentence, fix)) => (sentence.to_owned(), Some(fix.to_owned())),
        None => (text, None),
    };
    HostFinding { check: check.to_owned(), ok, sentence: as_sentence(&sentence), fix: fix.map(|fix| as_sentence(&fix)) }
}

fn as_sentence(text: &str) -> String {
    let mut sentence: String = text.trim().chars().take(MAX_CHARS).collect();
    if !sentence.is_empty() && !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_divided_into_what_is_wrong_and_what_to_do() {
        let bad = host_finding("image", Finding::Bad("x is missing; pull it with docker pull x".to_owned()));
        assert!(!bad.ok);
        assert_eq!((bad.sentence.as_str(), bad.fix.as_deref()), ("x is missing.", Some("pull it with docker pull x.")));
        let warned = host_finding("clock", Finding::Warn("differs; set up NTP".to_owned()));
        assert_eq!((warned.ok, warned.sentence.as_str(), warned.fix), (true, "differs; set up NTP.", None));
    }
}
