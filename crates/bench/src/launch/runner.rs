//! What a ticket and a turn cost that is neither model nor agent: the queue, the container, git, the forge, logs and reports.
//!
//! The model answers at once, and the agent is a command that appends a line to a file. Tickets of one turn and of many turns alternate:
//! what more turns take is what the turns cost, the rest is the ticket's. Beside each a person's own commands do the least of the same.

use super::system::{DIRECTOR, System};
use super::{Effort, docker};
use crate::report::{Figure, Reach, median};
use anyhow::{Context, ensure};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use terarchitect_testbed::chat::Script;

/// The agent: what it does in a turn takes a few milliseconds. What it says tells the Director's conversations apart.
const AGENT: &str = "date +%s.%N | tee -a turns.txt";
/// Turns of a long ticket.
const TURNS: u32 = 11;
/// In the title of a long ticket.
const LONG: &str = "Many turns";

pub(super) async fn run(programs: &Path, image: &str, effort: Effort) -> anyhow::Result<()> {
    let rounds = effort.tickets;
    let mut system = System::start(programs, image, script()?).await?;
    let project = system.project("hello").await?;
    let with_agent = [("WORKER_MODE", "command"), ("AGENT_COMMAND", AGENT)];
    let coordinator = system.coordinator(&project, &with_agent).await?;
    let url = system.forge.git_url("demo", "hello").replacen("://", &format!("://x:{}@", system.forge.token()), 1);
    let host = system.folder.path().join("by-hand");
    git(system.folder.path(), &["clone", "-q", &url, "by-hand"])?;
    let (mut short, mut long, mut by_hand, mut pushes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // The first of each warms up.
    for round in 0..=rounds {
        by_hand.push(ticket_by_hand(image, &url, round)?);
        short.push(
            system.whole_ticket(&project, &format!("One turn, {round}")).await.with_context(|| coordinator.log())?,
        );
        pushes.push(turn_by_hand(&host, round)?);
        let before = turns(&system);
        long.push(system.whole_ticket(&project, &format!("{LONG}, {round}")).await.with_context(|| coordinator.log())?);
        let taken = turns(&system) - before;
        ensure!(taken == TURNS as usize, "a ticket of {TURNS} turns had {taken}");
    }
    let [short, long, by_hand, pushes] = [short, long, by_hand, pushes].map(|took| 1e3 * median(&took[1..]));
    let turn = (long - short) / f64::from(TURNS - 1);
    let ticket = short - turn;
    Figure {
        what: "a ticket without its turns, neither model nor agent, against docker run, git clone and git push by hand"
            .to_owned(),
        value: ticket / by_hand,
        unit: "×",
        reach: Reach::Nothing,
        detail: format!("{ticket:.0} ms against {by_hand:.0} ms; medians of {rounds}"),
    }
    .print();
    Figure {
        what: "a turn, neither model nor agent, against git commit and git push by hand".to_owned(),
        value: turn / pushes,
        unit: "×",
        reach: Reach::Nothing,
        detail: format!(
            "{turn:.0} ms against {pushes:.0} ms; medians of {rounds}, of tickets with one turn and with {TURNS}"
        ),
    }
    .print();
    coordinator.end()
}

/// How many turns the Director was asked about so far.
fn turns(system: &System) -> usize {
    system.chat.requests().iter().filter(|request| request.last("user").contains("Phase: turn-review")).count()
}

/// A Director that is content after one turn, or after many.
fn script() -> anyhow::Result<Script> {
    let says = |text: serde_json::Value| json!({"text": text.to_string()});
    let goes_on = says(json!({"complete": false, "summary": "A line more.", "instructions": "Append another line."}));
    let rules = json!({"rules": [
        {"when": {"model": DIRECTOR, "contains": "Phase: plan-review"}, "reply": says(json!({"approved": true, "feedback": ""}))},
        {"when": {"model": DIRECTOR, "contains": "Phase: turn-review", "any_contains": LONG}, "times": TURNS - 1, "reply": goes_on},
        {"when": {"model": DIRECTOR, "contains": "Phase: turn-review"},
            "reply": says(json!({"complete": true, "summary": "The lines are there.", "instructions": ""}))},
        {"when": {"contains": "Reply with the word ready"}, "reply": {"text": "ready"}},
    ]});
    Script::parse(&rules.to_string())
}

/// Seconds for the least that a ticket needs, in a container of the same image: a clone, a commit, a push.
fn ticket_by_hand(image: &str, url: &str, round: u32) -> anyhow::Result<f64> {
    let work = format!(
        "git clone -q {url} /tmp/w && cd /tmp/w && {AGENT} && git add -A && git -c user.name=n -c user.email=n@localhost commit -qm one \
         && git push -q origin HEAD:by-hand-{round}"
    );
    let begin = Instant::now();
    docker(&[
        "run",
        "--rm",
        "--add-host",
        "host.docker.internal:host-gateway",
        "--entrypoint",
        "sh",
        image,
        "-c",
        &work,
    ])?;
    Ok(begin.elapsed().as_secs_f64())
}

/// Seconds for the least that a turn needs: a commit and a push.
fn turn_by_hand(checkout: &Path, round: u32) -> anyhow::Result<f64> {
    std::fs::write(checkout.join("turns.txt"), round.to_string()).context("could not write a file")?;
    let branch = format!("HEAD:turn-by-hand-{round}");
    let begin = Instant::now();
    git(checkout, &["add", "-A"])?;
    git(checkout, &["-c", "user.name=n", "-c", "user.email=n@localhost", "commit", "-qm", "one"])?;
    git(checkout, &["push", "-q", "origin", &branch])?;
    Ok(begin.elapsed().as_secs_f64())
}

fn git(directory: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let done = Command::new("git").current_dir(directory).args(arguments).output().context("could not run git")?;
    ensure!(done.status.success(), "git {}: {}", arguments[0], String::from_utf8_lossy(&done.stderr));
    Ok(())
}
