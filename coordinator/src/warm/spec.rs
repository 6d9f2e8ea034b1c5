//! Which container can be made ready for a job like this one, and what it is told once there is one.

use crate::engine::spec::{ContainerSpec, LABEL_PREFIX, WAITS, WARM_LABEL};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::collections::BTreeMap;
use terarchitect_outbound::PROXY_VARIABLES;
use uuid::Uuid;

/// The variables that differ between the jobs of a project. They are told with the job.
const OF_THE_JOB: &[&str] = &[
    "JOB_ID",
    "TICKET_ID",
    "PROJECT_ID",
    "REPO_URL",
    "JOB_KIND",
    "PR_NUMBER",
    "COMMENT_BODY",
    "GITHUB_COMMENT_ID",
    "TERARCHITECT_SECRETS_STDIN",
];

/// What containers that are ready for the same jobs have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    image: String,
    pub(super) cache_volume: String,
    /// The variables that each job of the project gets.
    env: Vec<(String, String)>,
    project: Option<String>,
}

impl Kind {
    /// The kind that a job's container is of. None for a job that can't be told over standard input: one without a container, one
    /// whose secrets are variables, and one with proxies that have a password, which a program needs from its start.
    #[must_use]
    pub fn of(spec: &ContainerSpec) -> Option<Self> {
        let told = secrets(spec)?;
        if spec.local_path.is_some() || told.keys().any(|name| PROXY_VARIABLES.contains(&name.as_str())) {
            return None;
        }
        let env = spec.env.iter().filter(|(name, _)| !OF_THE_JOB.contains(&name.as_str())).cloned().collect();
        let project = spec.labels.get(&format!("{LABEL_PREFIX}project-id")).cloned();
        Some(Self { image: spec.image.clone(), cache_volume: spec.cache_volume.clone(), env, project })
    }

    /// A container of this kind.
    #[must_use]
    pub fn container(&self, coordinator: Uuid) -> ContainerSpec {
        let mut env = self.env.clone();
        env.push(("TERARCHITECT_WARM".to_owned(), "1".to_owned()));
        let label = |name: &str, value: String| (format!("{LABEL_PREFIX}{name}"), value);
        let mut labels = BTreeMap::from([
            label("managed", "true".to_owned()),
            label("coordinator-id", coordinator.to_string()),
            label("spec-version", "1".to_owned()),
            (WARM_LABEL.to_owned(), "true".to_owned()),
        ]);
        labels.extend(self.project.clone().map(|project| label("project-id", project)));
        ContainerSpec {
            name: format!("{WAITS}{}", Uuid::now_v7()),
            image: self.image.clone(),
            env,
            // Kept open until there is a job.
            stdin: Some(String::new().into()),
            labels,
            cache_volume: self.cache_volume.clone(),
            local_path: None,
        }
    }
}

/// The line with all that the job's container would have got at its start.
#[must_use]
pub fn job_line(spec: &ContainerSpec) -> Option<SecretString> {
    let mut told = secrets(spec)?;
    let plain = spec.env.iter().filter(|(name, _)| OF_THE_JOB.contains(&name.as_str()));
    told.extend(plain.map(|(name, value)| (name.clone(), Value::from(value.as_str()))));
    Some(format!("{}\n", serde_json::json!({ "env": told })).into())
}

/// The variables that a job's container gets over standard input.
fn secrets(spec: &ContainerSpec) -> Option<serde_json::Map<String, Value>> {
    let line: Value = serde_json::from_str(spec.stdin.as_ref()?.expose_secret()).ok()?;
    line["env"].as_object().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::spec::{container_spec, tests::config, tests::job};
    use terarchitect_worker_api::{ExecutionMode, Job, JobKind};

    #[test]
    fn a_container_that_waits_has_no_secret_and_nothing_of_a_job() {
        let job = Job { job_token: Some("job-secret".into()), ..job() };
        let spec = container_spec(&job, &config(&[]), Uuid::nil());
        let warm = Kind::of(&spec).unwrap().container(Uuid::nil());
        let shown = format!("{:?} {:?} {}", warm.env, warm.labels, warm.name);
        assert!(!shown.contains("-secret") && !shown.contains(&job.job_id.to_string()), "{shown}");
        assert_eq!((&warm.image, &warm.cache_volume), (&spec.image, &spec.cache_volume));
        assert!(warm.name.starts_with(WAITS) && !spec.name.starts_with(WAITS));
        let line = job_line(&spec).unwrap();
        let line: Value = serde_json::from_str(line.expose_secret()).unwrap();
        assert_eq!(line["env"]["JOB_ID"], job.job_id.to_string());
        assert_eq!(line["env"]["TERARCHITECT_WORKER_API_KEY"], "job-secret");
    }

    #[test]
    fn container_and_line_together_say_what_a_cold_container_is_told() {
        let review = Job { kind: JobKind::Review, pr_number: Some(7), comment_body: Some("Why?".into()), ..job() };
        let spec = container_spec(&review, &config(&[]), Uuid::nil());
        let warm = Kind::of(&spec).unwrap().container(Uuid::nil());
        let line: Value = serde_json::from_str(job_line(&spec).unwrap().expose_secret()).unwrap();
        let mut told: BTreeMap<String, Value> = line["env"].as_object().unwrap().clone().into_iter().collect();
        told.extend(warm.env.into_iter().map(|(name, value)| (name, value.into())));
        told.remove("TERARCHITECT_WARM");
        let mut cold: BTreeMap<String, Value> = secrets(&spec).unwrap().into_iter().collect();
        cold.extend(spec.env.into_iter().map(|(name, value)| (name, value.into())));
        assert_eq!(told, cold);
    }

    #[test]
    fn jobs_that_need_another_container_are_of_another_kind_or_of_none() {
        let first = job();
        let kind = |job: &Job, args: &[&str]| Kind::of(&container_spec(job, &config(args), Uuid::nil()));
        let same = Job { project_id: first.project_id, repo_url: "http://elsewhere/o/r".into(), ..job() };
        assert_eq!(kind(&first, &[]), kind(&same, &[]));
        assert_ne!(kind(&first, &[]), kind(&job(), &[]), "another project");
        let other = Job { agent_image: Some("other".into()), ..same };
        assert_ne!(kind(&first, &[]), kind(&other, &[]), "another image");
        assert_eq!(kind(&first, &["--secrets", "env"]), None);
        assert_eq!(kind(&first, &["--https-proxy", "http://ann:pass-word@proxy:3128"]), None);
        let path = Some("/src".to_owned());
        let local = Job { execution_mode: Some(ExecutionMode::Local), project_path: path, ..job() };
        assert_eq!(kind(&local, &[]), None);
    }
}
