//! Which container a job gets: a function of the job and the configuration, and of the time for its deadline.

use crate::attempt::Attempt;
use crate::cli::SecretsBy;
use crate::config::{Config, HOST_NAME};
use crate::deadline::Deadline;
use crate::engine::spec::{ContainerSpec, EXTRA_CA_CERTS, LABEL_PREFIX};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use terarchitect_outbound::{has_credentials, is_secret_name, reachable_as};
use terarchitect_worker_api::{ExecutionMode, Job, JobKind};
use uuid::Uuid;

/// The container of a job.
#[must_use]
pub fn container_spec(job: &Job, config: &Config, coordinator: Uuid) -> ContainerSpec {
    let attempt = Attempt::of(job);
    let key = job.job_token.clone().or_else(|| config.worker_key.as_ref().map(|key| key.expose_secret().to_owned()));
    let local = job.execution_mode == Some(ExecutionMode::Local);
    // In a container, localhost would be the container itself.
    let address = |url: &str| if local { url.to_owned() } else { reachable_as(url, HOST_NAME) };
    let mut env: BTreeMap<String, String> = job.agent_env.clone();
    env.extend(config.container.env.iter().cloned());
    env.values_mut().for_each(|value| *value = address(value));
    env.extend(config.container.proxies.variables((!local).then_some(HOST_NAME)));
    env.insert("JOB_ID".into(), job.job_id.to_string());
    env.insert("TICKET_ID".into(), job.ticket_id.to_string());
    env.insert("PROJECT_ID".into(), job.project_id.to_string());
    let repo = match &job.project_path {
        // The checkout itself is the repository: the branch is pushed into it, and its files are not touched.
        Some(path) if local && job.repo_url.is_empty() => format!("file://{path}"),
        _ => address(&job.repo_url),
    };
    if local {
        env.insert("TERARCHITECT_API_URL".into(), config.api_url.clone());
    } else {
        env.insert("TERARCHITECT_API_URL".into(), config.container_api_url.clone());
        env.insert("TERARCHITECT_HOST_ALIAS".into(), HOST_NAME.to_owned());
    }
    env.insert("REPO_URL".into(), repo);
    env.insert("JOB_KIND".into(), job.kind.as_str().to_owned());
    if !local && config.container.extra_ca_certs.is_some() {
        for name in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
            env.insert(name.into(), EXTRA_CA_CERTS.to_owned());
        }
    }
    if let Some(key) = key {
        env.insert("TERARCHITECT_WORKER_API_KEY".into(), key);
    }
    if job.kind == JobKind::Review {
        env.extend(job.pr_number.map(|number| ("PR_NUMBER".to_owned(), number.to_string())));
        env.extend(job.comment_body.clone().map(|body| ("COMMENT_BODY".to_owned(), body)));
        env.extend(job.github_comment_id.map(|id| ("GITHUB_COMMENT_ID".to_owned(), id.to_string())));
    }
    let (env, stdin) = split_secrets(env, config.container.secrets);
    ContainerSpec {
        name: attempt.container_name(),
        image: job.agent_image.clone().unwrap_or_else(|| config.image.clone()),
        env,
        stdin,
        labels: labels(job, coordinator),
        cache_volume: format!("terarchitect-cache-{}", job.project_id),
        local_path: local.then(|| PathBuf::from(job.project_path.clone().unwrap_or_default())),
    }
}

fn labels(job: &Job, coordinator: Uuid) -> BTreeMap<String, String> {
    let attempt = Attempt::of(job);
    let mut labels = vec![
        ("managed", "true".to_owned()),
        ("coordinator-id", coordinator.to_string()),
        ("job-id", attempt.job_id.to_string()),
        ("attempt", attempt.attempt.to_string()),
        ("ticket-id", job.ticket_id.to_string()),
        ("project-id", job.project_id.to_string()),
        ("kind", job.kind.as_str().to_owned()),
        ("spec-version", "1".to_owned()),
    ];
    // Empty where there is none: an image that was made of a container (docker commit) has that container's labels.
    let timeout = job.job_timeout_sec;
    let deadline = timeout.map(|timeout| Deadline::after(Duration::from_secs(timeout)).to_string());
    labels.push(("timeout-sec", timeout.map(|timeout| timeout.to_string()).unwrap_or_default()));
    labels.push(("deadline", deadline.unwrap_or_default()));
    labels.into_iter().map(|(name, value)| (format!("{LABEL_PREFIX}{name}"), value)).collect()
}

/// How long a container with these labels may still run; none where it has no timeout. `since` is its start by the
/// engine's clock.
#[must_use]
pub fn time_left(labels: &BTreeMap<String, String>, since: Option<DateTime<Utc>>) -> Option<Duration> {
    let label = |name: &str| labels.get(&format!("{LABEL_PREFIX}{name}"));
    if let Some(left) = label("deadline").and_then(|label| Deadline::parse(label)).and_then(|deadline| deadline.left())
    {
        return Some(left);
    }
    // The coordinator's machine was restarted, but the engine on another machine was not: only the engine's clock is
    // left.
    let timeout: u64 = label("timeout-sec")?.parse().ok()?;
    let ran = (Utc::now() - since?).to_std().unwrap_or_default();
    Some(Duration::from_secs(timeout).saturating_sub(ran))
}

/// Secrets go over standard input as one JSON line, the rest as variables.
fn split_secrets(env: BTreeMap<String, String>, by: SecretsBy) -> (Vec<(String, String)>, Option<SecretString>) {
    if by == SecretsBy::Env {
        return (env.into_iter().collect(), None);
    }
    let (secrets, mut plain): (BTreeMap<_, _>, BTreeMap<_, _>) =
        env.into_iter().partition(|(name, value)| is_secret_name(name) || has_credentials(value));
    plain.insert("TERARCHITECT_SECRETS_STDIN".into(), "1".into());
    let line = format!("{}\n", serde_json::json!({"env": secrets}));
    (plain.into_iter().collect(), Some(line.into()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;
    use terarchitect_worker_api::{JobId, ProjectId, TicketId};

    pub(crate) fn config(args: &[&str]) -> Config {
        let base =
            ["c", "--api-url", "http://localhost:5010", "--state-dir", "/s", "--worker-api-key", "worker-secret"];
        let cli = Cli::parse_from(base.iter().chain(args));
        let variable = |name: &str| match name {
            "WORKER_API_KEY" => Some("model-secret".to_owned()),
            "CURSOR_API_KEY" => Some("key-of-cursor-secret".to_owned()),
            _ => None,
        };
        Config::parse(&cli.options, variable).unwrap()
    }

    pub(crate) fn job() -> Job {
        serde_json::from_value(serde_json::json!({
            "job_id": JobId::new(), "ticket_id": TicketId::new(), "project_id": ProjectId::new(), "kind": "ticket",
            "repo_url": "http://localhost:9/o/r", "attempt": 3,
        }))
        .unwrap()
    }

    #[test]
    fn secrets_are_on_standard_input_alone() {
        let job = Job { job_token: Some("job-secret".into()), ..job() };
        let spec = container_spec(&job, &config(&[]), Uuid::nil());
        assert!(!format!("{:?} {:?}", spec.env, spec.labels).contains("-secret"));
        let line = spec.stdin.as_ref().unwrap().expose_secret();
        assert!(spec.env.contains(&("JOB_ID".to_owned(), job.job_id.to_string())), "{:?}", spec.env);
        assert!(
            line.contains("job-secret")
                && line.contains("key-of-cursor-secret")
                && line.contains("model-secret")
                && line.ends_with('\n')
        );
        assert!(!line.contains("worker-secret"), "the job's own token is enough");
        let spec = container_spec(&job, &config(&["--secrets", "env"]), Uuid::nil());
        assert!(spec.stdin.is_none() && format!("{:?}", spec.env).contains("job-secret"));
    }

    #[test]
    fn an_address_with_a_password_is_a_secret_whatever_its_name() {
        let proxies = ["--https-proxy", "http://ann:pass-word@127.0.0.1:3128", "--http-proxy", "http://plain:3128"];
        let job = Job { repo_url: "https://ann:pass-word@git.example/o/r".into(), ..job() };
        let spec = container_spec(&job, &config(&proxies), Uuid::nil());
        let (env, line) = (format!("{:?}", spec.env), spec.stdin.unwrap());
        assert!(!env.contains("pass-word") && env.contains("http://plain:3128"), "{env}");
        for secret in ["http://ann:pass-word@host.docker.internal:3128", "https://ann:pass-word@git.example/o/r"] {
            assert!(line.expose_secret().contains(secret), "{secret}");
        }
    }

    #[test]
    fn a_review_is_told_what_was_said_and_where() {
        let review = Job {
            kind: JobKind::Review,
            pr_number: Some(7),
            comment_body: Some("Rename it.\n\nAnd test it.".into()),
            github_comment_id: Some(12),
            ..job()
        };
        let env = container_spec(&review, &config(&[]), Uuid::nil()).env;
        let env: BTreeMap<_, _> = env.into_iter().collect();
        let told = ["JOB_KIND", "PR_NUMBER", "COMMENT_BODY", "GITHUB_COMMENT_ID"].map(|name| env[name].as_str());
        assert_eq!(told, ["review", "7", "Rename it.\n\nAnd test it.", "12"]);
        let ticket = container_spec(&job(), &config(&[]), Uuid::nil()).env;
        assert!(ticket.into_iter().all(|(name, _)| name != "COMMENT_BODY"));
    }

    #[test]
    fn a_local_job_keeps_addresses_and_works_on_the_checkout() {
        let job = Job {
            execution_mode: Some(ExecutionMode::Local),
            project_path: Some("/src/demo".into()),
            repo_url: String::new(),
            ..job()
        };
        let spec = container_spec(&job, &config(&[]), Uuid::nil());
        let env: BTreeMap<_, _> = spec.env.into_iter().collect();
        assert_eq!(
            (env["REPO_URL"].as_str(), env["TERARCHITECT_API_URL"].as_str()),
            ("file:///src/demo", "http://localhost:5010")
        );
        assert_eq!(spec.local_path, Some(PathBuf::from("/src/demo")));
        assert!(!env.contains_key("TERARCHITECT_HOST_ALIAS"));
    }

    #[test]
    fn setting_the_clock_moves_no_timeout() {
        let job = Job { job_timeout_sec: Some(600), ..job() };
        let mut labels = container_spec(&job, &config(&[]), Uuid::nil()).labels;
        let ago = |seconds| Some(Utc::now() - chrono::TimeDelta::seconds(seconds));
        // The clock was set an hour forward, or back, while the container ran.
        for started in [3600, -3600] {
            let left = time_left(&labels, ago(started)).unwrap().as_secs();
            assert!((590..=600).contains(&left), "{left} s");
        }
        // After a restart of the machine only the engine's clock is left.
        labels.insert(format!("{LABEL_PREFIX}deadline"), "another/1".to_owned());
        let left = time_left(&labels, ago(100)).unwrap().as_secs();
        assert!((495..=500).contains(&left), "{left} s");
        assert_eq!(time_left(&BTreeMap::new(), ago(1)), None);
    }

    #[test]
    fn an_attempt_is_found_again_in_its_labels() {
        let job = job();
        let spec = container_spec(&job, &config(&[]), Uuid::nil());
        assert_eq!(Attempt::from_labels(&spec.labels), Some(Attempt::of(&job)));
        assert_eq!(spec.name, format!("terarchitect-{}-3", job.job_id));
        let repo = spec.env.iter().find(|(name, _)| name == "REPO_URL").unwrap();
        assert_eq!(repo.1, "http://host.docker.internal:9/o/r");
    }
}
