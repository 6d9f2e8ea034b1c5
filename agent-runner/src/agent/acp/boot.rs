//! Starts an agent's process, and agrees with it on what both can do.

use super::asking::Granted;
use super::peer::{Message, Peer};
use super::{Acp, Recipe};
use crate::agent::directories::Directories;
use crate::agent::environment::{Variables, environment, secret_variables};
use crate::agent::process::{AgentProcess, Launch};
use crate::agent::{AgentError, AgentKind, AgentOptions, users};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use terarchitect_outbound::Proxies;

/// The version of the protocol that is spoken.
const PROTOCOL: u64 = 1;

/// `is_first` is false for one that takes the place of another: its files are the agent's by now, and nothing is written there.
pub(super) async fn start(
    kind: AgentKind,
    recipe: &'static Recipe,
    options: AgentOptions,
    is_first: bool,
) -> Result<Acp, AgentError> {
    let directories = Directories::new(&options);
    directories.create(&options.state_dir, options.run_as.as_ref())?;
    let own = directories.config.join(kind.as_str());
    if is_first {
        prepare(&own, recipe, &options).map_err(|error| AgentError::Startup {
            message: format!("could not prepare {}: {error}", own.display()),
            stderr_tail: String::new(),
        })?;
    }
    let marker = uuid::Uuid::new_v4().to_string();
    let mut secrets = Proxies::of_environment().secrets();
    secrets.extend(options.provider.api_key.clone());
    secrets.extend(options.secrets.iter().map(|(_, value)| value.clone()));
    let unnamed = options.program.as_os_str().is_empty();
    let launch = Launch {
        program: if unnamed { PathBuf::from(recipe.program) } else { options.program.clone() },
        args: recipe.args.iter().map(|&argument| argument.to_owned()).collect(),
        env: variables(recipe, &options, &directories, &own, &marker),
        // The workspace may still be empty, and is named when the conversation begins.
        directory: options.state_dir.clone(),
        run_as: options.run_as.clone(),
        marker,
        secrets,
    };
    let program = launch.program.display().to_string();
    let (process, stdin, stdout) = AgentProcess::spawn_talking(launch).map_err(|source| AgentError::Missing {
        program,
        advice: recipe.missing,
        source,
    })?;
    let mut peer = Peer::new(stdin, stdout);
    let limit = options.startup_timeout;
    let hello = tokio::time::timeout(limit, initialize(&mut peer, options.may_ask)).await;
    let version = match hello {
        Ok(Some(answer)) => agreed(recipe, answer)?,
        Ok(None) => {
            let (exit, stderr_tail) = process.signs().died().await;
            let message = format!("{} ended with {exit} before it was ready", recipe.name);
            return Err(AgentError::Startup { message, stderr_tail });
        }
        Err(_) => {
            let message = format!("{} was not ready within {} seconds", recipe.name, limit.as_secs());
            let stderr_tail = process.signs().tail();
            process.stop().await;
            return Err(AgentError::Startup { message, stderr_tail });
        }
    };
    tracing::info!(agent.version = version, "the agent is ready: {}", recipe.name);
    let (session, granted) = (None, Granted::default());
    Ok(Acp { kind, recipe, options, process, peer, version, own, session, granted, is_ended: false })
}

/// Its own directory, with its files.
fn prepare(own: &Path, recipe: &Recipe, options: &AgentOptions) -> std::io::Result<()> {
    std::fs::create_dir_all(own)?;
    for (name, text) in recipe.files {
        let path = own.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text)?;
    }
    options.run_as.as_ref().map_or(Ok(()), |user| users::hand_over(own, user))
}

fn variables(
    recipe: &Recipe,
    options: &AgentOptions,
    directories: &Directories,
    own: &Path,
    marker: &str,
) -> Variables {
    // First, so that none can take the place of what the agent needs.
    let mut env = secret_variables(&options.secrets);
    env.extend(environment(directories, marker, |name| std::env::var_os(name)));
    let model = (recipe.env)(own, options);
    env.extend(model.into_iter().map(|(name, value)| (name.into(), value.into())));
    env.extend(options.extra_env.iter().map(|(name, value)| (name.into(), value.into())));
    env
}

/// Its answer; none when it ends first.
async fn initialize(peer: &mut Peer, may_ask: bool) -> Option<Result<Value, String>> {
    let id = peer
        .request("initialize", &json!({ "protocolVersion": PROTOCOL, "clientCapabilities": capabilities(may_ask) }));
    loop {
        match peer.next().await? {
            Message::Answer { id: of, result } if of == id => return Some(result.map_err(|refusal| refusal.message)),
            Message::Request { id, method, .. } => peer.refuse(&id, &method),
            Message::Answer { .. } | Message::Notification { .. } => {}
        }
    }
}

/// What this side can do. With notices and `sessionFailure`, agents report what else they would write into their answers.
fn capabilities(may_ask: bool) -> Value {
    let mut capabilities = json!({
        "session": { "notices": {}, "compaction": {} },
        "_meta": { "jetbrains": { "air": { "version": 1, "capabilities": ["sessionFailure"] } } },
    });
    if may_ask {
        capabilities["elicitation"] = json!({ "form": {} });
    }
    capabilities
}

fn agreed(recipe: &Recipe, answer: Result<Value, String>) -> Result<String, AgentError> {
    let attempted = format!("starting {}", recipe.name);
    let answer = answer.map_err(|message| AgentError::Protocol { attempted: attempted.clone(), message })?;
    let version = answer["protocolVersion"].as_u64();
    if version != Some(PROTOCOL) {
        let spoken = version.map_or_else(|| "an unknown version".to_owned(), |version| format!("version {version}"));
        let message = format!("it speaks {spoken} of the Agent Client Protocol, not version {PROTOCOL}");
        return Err(AgentError::Protocol { attempted, message });
    }
    let info = &answer["agentInfo"];
    let words = [&info["name"], &info["version"]].into_iter().filter_map(Value::as_str);
    let words = words.collect::<Vec<_>>().join(" ");
    Ok(if words.is_empty() { recipe.program.to_owned() } else { words })
}
