//! `terarchitect up`: API and coordinator on this machine, for people who want to try.

mod keys;
mod process;
mod programs;

use crate::cli::{Common, UpOptions};
use crate::exit::{self, failed};
use crate::output::Output;
use crate::servers::{self, Server, Servers};
use crate::text;
use anyhow::Context;
use keys::Keys;
use process::Process;
use programs::find;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use terarchitect_client::Client;
use tokio::process::Command;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long the API may take to start; the first start makes a database.
const API_START: Duration = Duration::from_secs(120);
/// How long the coordinator may take to start.
const COORDINATOR_START: Duration = Duration::from_secs(60);
/// What the server is called in the list of servers.
const NAME: &str = "local";

/// Where everything is.
struct Place {
    dir: PathBuf,
    api: PathBuf,
    coordinator: PathBuf,
    keys: Keys,
}

pub(crate) async fn up(common: &Common, options: &UpOptions) -> anyhow::Result<u8> {
    let out = Output::new(common);
    let mut stop = Stop::new()?;
    let api = find("terarchitect-api").map_err(failed)?;
    let coordinator = find("terarchitect-coordinator").map_err(failed)?;
    let dir = directory(options)?;
    let keys = Keys::open(&dir, common.api_key.as_ref())?;
    let place = Place { dir, api, coordinator, keys };
    let mut running = Vec::new();
    let result = tokio::select! {
        result = run(&out, &place, options, &mut running) => result,
        () = stop.next() => Ok(()),
    };
    tokio::select! {
        () = end(&out, &mut running) => {}
        // A second signal means: now.
        () = stop.next() => {
            for process in &mut running {
                process.kill().await;
            }
        }
    }
    result.map(|()| exit::DONE)
}

/// Starts both, says so, and waits until one of them ends, which it should not.
async fn run(out: &Output, place: &Place, options: &UpOptions, running: &mut Vec<Process>) -> anyhow::Result<()> {
    out.note("Starting the API …");
    let api = start_api(place, options)?;
    running.push(api);
    let ready: Value = running[0].ready(&place.dir.join("api.ready"), API_START).await?;
    let url = ready["urls"][0].as_str().context("the API's ready file has no address")?.to_owned();
    let url = local_url(&url);
    remember(place, &url)?;
    let link = first_link(place, &url).await;
    let works = start_coordinator(out, place, &url, running).await?;
    announce(out, place, &url, link.as_deref(), works)?;
    let (name, status) = first_end(running).await;
    let tail = running.iter().find(|process| process.name == name).map(Process::log_tail).unwrap_or_default();
    Err(failed(format!("{name} ended ({status}); the end of its log:\n{}", text::block(&tail))))
}

fn start_api(place: &Place, options: &UpOptions) -> anyhow::Result<Process> {
    let mut command = Command::new(&place.api);
    let public = format!("http://localhost:{}", options.listen.port());
    command
        .env("TERARCHITECT_LISTEN", options.listen.to_string())
        .env("TERARCHITECT_DATA_DIR", place.dir.join("api"))
        .env("TERARCHITECT_READY_FILE", place.dir.join("api.ready"))
        .env("TERARCHITECT_API_KEY", place.keys.api.expose_secret())
        .env("TERARCHITECT_WORKER_API_KEY", place.keys.worker.expose_secret());
    if options.listen.port() != 0 && std::env::var_os("TERARCHITECT_PUBLIC_URL").is_none() {
        command.env("TERARCHITECT_PUBLIC_URL", public);
    }
    forget(&place.dir.join("api.ready"))?;
    Process::start("terarchitect-api", command, &place.dir)
}

/// Starts the coordinator if jobs can run here. If they can't, it says why, and the API runs alone.
async fn start_coordinator(out: &Output, place: &Place, url: &str, running: &mut Vec<Process>) -> anyhow::Result<bool> {
    out.note("Checking what agents need …");
    let doctor = coordinator_command(place, url).arg("doctor").kill_on_drop(true).output();
    let found = tokio::time::timeout(COORDINATOR_START, doctor).await;
    let found = found.context("terarchitect-coordinator doctor did not end in time")?;
    let found = found.context("could not run terarchitect-coordinator doctor")?;
    if !found.status.success() {
        let said = format!("{}{}", String::from_utf8_lossy(&found.stdout), String::from_utf8_lossy(&found.stderr));
        out.note("Agents can't run here yet, so no coordinator was started. What is missing:");
        for line in said.lines().filter(|line| line.starts_with("FAIL") || line.starts_with("terarchitect-")) {
            out.note(&format!("  {line}"));
        }
        out.note("Do what these lines say, then end this with Ctrl-C and start it again.");
        return Ok(false);
    }
    out.note("Starting the coordinator …");
    let ready = place.dir.join("coordinator.ready");
    forget(&ready)?;
    let mut command = coordinator_command(place, url);
    command.env("COORDINATOR_READY_FILE", &ready);
    running.push(Process::start("terarchitect-coordinator", command, &place.dir)?);
    let last = running.len() - 1;
    running[last].ready::<Value>(&ready, COORDINATOR_START).await?;
    Ok(true)
}

fn coordinator_command(place: &Place, url: &str) -> Command {
    let mut command = Command::new(&place.coordinator);
    command
        .env("TERARCHITECT_API_URL", url)
        .env("TERARCHITECT_WORKER_API_KEY", place.keys.worker.expose_secret())
        .env("COORDINATOR_STATE_DIR", place.dir.join("coordinator"))
        .env_remove("TERARCHITECT_API_KEY");
    if std::env::var_os("DRAIN_MODE").is_none() {
        // Its containers go on, and the next start takes them over: an agent's work is not thrown away.
        command.env("DRAIN_MODE", "detach");
    }
    command
}

/// The address under which this machine reaches an API that listens everywhere.
fn local_url(url: &str) -> String {
    url.replace("//0.0.0.0:", "//localhost:").replace("//[::]:", "//localhost:").replace("//127.0.0.1:", "//localhost:")
}

/// Signs the command in.
fn remember(place: &Place, url: &str) -> anyhow::Result<()> {
    let path = servers::path()?;
    let mut known = Servers::load(&path)?;
    known.servers.insert(NAME.to_owned(), Server::new(url.to_owned(), Some(&place.keys.api), None));
    known.default.get_or_insert_with(|| NAME.to_owned());
    known.save(&path)
}

/// A link with which the first admin is made, if there is none yet. An API without a page has no such links.
async fn first_link(place: &Place, url: &str) -> Option<String> {
    let client = Client::new(url, Some(place.keys.api.clone())).ok()?;
    let session = client.session().await.ok()?;
    if !session.needs_first_admin {
        return None;
    }
    client.invite_admin().await.ok().map(|link| link.expose_secret().to_owned())
}

fn announce(out: &Output, place: &Place, url: &str, link: Option<&str>, works: bool) -> anyhow::Result<()> {
    let logs = place.dir.join("logs");
    if out.json {
        let keys = place.dir.join("keys.env");
        return out.json_line(&json!({"url": url, "link": link, "coordinator": works, "logs": logs, "keys": keys}));
    }
    out.note("");
    out.line(&format!("The page:      {url}"))?;
    if let Some(link) = link {
        out.line(&format!("Your account:  {}", text::line(link)))?;
    }
    out.line(&format!("Logs:          {}", logs.display()))?;
    out.line("The command is signed in: terarchitect doctor says what is still missing.")?;
    out.line("Ctrl-C stops everything.")
}

/// The first process that ends, and how.
async fn first_end(running: &mut [Process]) -> (&'static str, String) {
    let waits = running.iter_mut().map(|process| Box::pin(process.ended()));
    let mut waits: Vec<_> = waits.collect();
    std::future::poll_fn(move |context| {
        for wait in &mut waits {
            if let std::task::Poll::Ready(ended) = wait.as_mut().poll(context) {
                return std::task::Poll::Ready(ended);
            }
        }
        std::task::Poll::Pending
    })
    .await
}

/// Ends them in the reverse order of their start, so that the coordinator can still report.
async fn end(out: &Output, running: &mut [Process]) {
    for process in running.iter_mut().rev() {
        out.note(&format!("Stopping {} …", process.name));
        process.end().await;
    }
}

fn forget(file: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("could not remove {}", file.display()))
        }
        _ => Ok(()),
    }
}

fn directory(options: &UpOptions) -> anyhow::Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let dir = match &options.dir {
        Some(dir) => std::path::absolute(dir)?,
        None if rustix::process::geteuid().is_root() => PathBuf::from("/var/lib/terarchitect-up"),
        None => set("XDG_DATA_HOME")
            .or_else(|| set("HOME").map(|home| home.join(".local/share")))
            .map(|dir| dir.join("terarchitect-up"))
            .context("there is no home directory to keep data in; give a directory with --dir")?,
    };
    std::fs::create_dir_all(dir.join("logs")).with_context(|| format!("could not make {}", dir.display()))?;
    Ok(dir)
}

/// Ctrl-C, or a request to end.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Stop {
    fn new() -> anyhow::Result<Self> {
        let on = |kind| signal(kind).context("could not wait for signals");
        Ok(Self {
            interrupt: on(SignalKind::interrupt())?,
            terminate: on(SignalKind::terminate())?,
            hang_up: on(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
