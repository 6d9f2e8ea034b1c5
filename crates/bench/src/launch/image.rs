//! How much the agent image adds to its base image and OpenCode.

use crate::report::{Figure, Reach};
use anyhow::Context;
use std::process::Command;

pub(super) fn run(agent: &str, base: &str) -> anyhow::Result<()> {
    let size = |image| number(&["image", "inspect", "--format", "{{.Size}}", image]);
    let opencode = number(&["run", "--rm", "--entrypoint", "stat", agent, "-c", "%s", "/usr/local/bin/opencode"])?;
    let (agent, base) = (size(agent)?, size(base)?);
    Figure {
        what: "image size over the base image and OpenCode's binary".to_owned(),
        value: (agent - base - opencode) / 1e6,
        unit: "MB",
        reach: Reach::AtMost(60.0),
        detail: format!("{:.0} MB − {:.0} MB − {:.0} MB", agent / 1e6, base / 1e6, opencode / 1e6),
    }
    .print();
    Ok(())
}

fn number(arguments: &[&str]) -> anyhow::Result<f64> {
    let output = Command::new("docker").args(arguments).output().context("could not run docker")?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().with_context(|| format!("docker {arguments:?} printed {text}"))
}
