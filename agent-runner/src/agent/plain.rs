//! Any program as an [`Agent`]: a command line that gets a prompt and works in the workspace. Each turn is a process of its own, what it
//! prints is the turn's text. It keeps no conversation: the branch is its memory, and what it said last is told it once more.

use super::directories::Directories;
use super::environment::{environment, secret_variables};
use super::process::{AgentProcess, Launch};
use super::turns::line;
use super::{Agent, AgentError, AgentEvent, AgentOptions, ModelFailure, Provider, TurnOutput};
use crate::prompts::shortened;
use async_trait::async_trait;
use secrecy::ExposeSecret;
use std::time::Instant;
use terarchitect_outbound::{Proxies, chain};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::ChildStdout;
use tokio_util::sync::CancellationToken;

/// How much of the end of its output is a turn's text, in bytes.
const TEXT_BYTES: usize = 64 * 1024;

/// How much of what it said last is told it once more, in characters.
const TOLD_CHARS: usize = 8_000;

/// The longest prompt that is given as an argument, in bytes: the system takes none above 128 KiB.
const ARGUMENT_BYTES: usize = 120 * 1024;

/// A command line. Between its turns there is no process.
pub(super) struct Plain {
    options: AgentOptions,
    directories: Directories,
    /// What it said at the end of its last turn.
    said: Option<String>,
}

impl Plain {
    /// Prepares its directories.
    ///
    /// # Errors
    /// They can't be created, or there is no command line.
    pub(super) fn new(options: AgentOptions) -> Result<Self, AgentError> {
        if options.command_line.trim().is_empty() {
            let message = "AGENT_COMMAND is not set; set it to the command line of the agent".to_owned();
            return Err(AgentError::Startup { message, stderr_tail: String::new() });
        }
        let directories = Directories::new(&options);
        directories.create(&options.state_dir, options.run_as.as_ref())?;
        Ok(Self { options, directories, said: None })
    }

    fn launch(&self, prompt: &str) -> Result<Launch, AgentError> {
        let command = &self.options.command_line;
        let mut args = vec!["-c".to_owned(), command.clone(), "agent".to_owned()];
        if command.contains("$1") || command.contains("${1") || command.contains("$@") {
            if prompt.len() > ARGUMENT_BYTES {
                let message =
                    "the prompt is too long for an argument; let AGENT_COMMAND read its standard input".to_owned();
                return Err(AgentError::Startup { message, stderr_tail: String::new() });
            }
            args.push(prompt.to_owned());
        }
        let marker = uuid::Uuid::new_v4().to_string();
        let mut secrets = Proxies::of_environment().secrets();
        secrets.extend(self.options.provider.api_key.clone());
        secrets.extend(self.options.secrets.iter().map(|(_, value)| value.clone()));
        let mut env = secret_variables(&self.options.secrets);
        env.extend(environment(&self.directories, &marker, |name| std::env::var_os(name)));
        let model = model_variables(&self.options.provider);
        env.extend(model.into_iter().map(|(name, value)| (name.into(), value.into())));
        env.extend(self.options.extra_env.iter().map(|(name, value)| (name.into(), value.into())));
        Ok(Launch {
            program: "/bin/sh".into(),
            args,
            env,
            directory: self.options.directory.clone(),
            run_as: self.options.run_as.clone(),
            marker,
            secrets,
        })
    }

    /// What it is asked: that it remembers nothing, and what it said last, come first.
    fn prompt_of(&self, prompt: &str) -> String {
        match &self.said {
            None => prompt.to_owned(),
            Some(said) => format!(
                "You have worked on this before, and remember nothing of it. What you did is in this folder and its git history. At \
                 the end of your last turn you said:\n\n{}\n\nNow do this:\n\n{prompt}",
                shortened(said, TOLD_CHARS)
            ),
        }
    }
}

/// The model as programs look for it, in each of the usual forms.
fn model_variables(model: &Provider) -> Vec<(&'static str, String)> {
    let key = model.api_key.as_ref().map_or_else(|| "none".to_owned(), |key| key.expose_secret().to_owned());
    let address = model.base_url.as_str().trim_end_matches('/').to_owned();
    let bare = address.strip_suffix("/v1").unwrap_or(&address).to_owned();
    vec![
        ("OPENAI_BASE_URL", address.clone()),
        ("OPENAI_API_BASE", address),
        ("OPENAI_API_KEY", key.clone()),
        ("OPENAI_MODEL", model.model.clone()),
        ("ANTHROPIC_BASE_URL", bare.clone()),
        ("ANTHROPIC_API_KEY", key.clone()),
        ("ANTHROPIC_MODEL", model.model.clone()),
        ("GOOGLE_GEMINI_BASE_URL", bare),
        ("GEMINI_API_KEY", key),
        ("GEMINI_MODEL", model.model.clone()),
        // Programs then neither ask nor watch, and print no colours.
        ("CI", "true".to_owned()),
        ("TERM", "dumb".to_owned()),
        ("NO_COLOR", "1".to_owned()),
    ]
}

#[async_trait]
impl Agent for Plain {
    fn name(&self) -> String {
        format!("the command {}", line(&self.options.command_line))
    }

    async fn prompt(&mut self, prompt: &str, cancel: &CancellationToken) -> Result<TurnOutput, AgentError> {
        let started = Instant::now();
        let prompt = self.prompt_of(prompt);
        let (mut process, mut stdin, stdout) =
            AgentProcess::spawn_talking(self.launch(&prompt)?).map_err(|error| AgentError::Startup {
                message: format!("could not run AGENT_COMMAND: {}", chain(&error)),
                stderr_tail: String::new(),
            })?;
        self.options.progress.event(AgentEvent::Accepted);
        let signs = process.signs().clone();
        let mut text = Vec::new();
        let worked = async {
            let written = async move {
                // One that takes its prompt as an argument need not read it here.
                let _ = stdin.write_all(prompt.as_bytes()).await;
                drop(stdin);
            };
            let read = self.read(stdout, &mut text);
            let ended = async {
                let status = signs.ended().await;
                // What it left running holds its output open.
                process.kill().await;
                status
            };
            tokio::join!(written, read, ended).2
        };
        let ended = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(AgentError::Cancelled),
            () = tokio::time::sleep(self.options.turn_timeout) => {
                Err(AgentError::Timeout { after: self.options.turn_timeout })
            }
            status = worked => Ok(status),
        };
        let tail = signs.tail();
        process.stop().await;
        let status = ended?;
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        if !status.is_some_and(|status| status.success()) {
            if let Some((kind, message)) = self.options.last_trouble.as_ref().and_then(|trouble| trouble()) {
                return Err(AgentError::Model { kind, message });
            }
            let exit = status.map_or_else(|| "an unknown status".to_owned(), |status| status.to_string());
            let said = [tail.trim(), last_lines(&text)].into_iter().find(|said| !said.is_empty());
            return Err(AgentError::Failed { exit, last_output: said.unwrap_or_default().to_owned() });
        }
        if !text.is_empty() {
            self.options.progress.event(AgentEvent::Said { text: text.clone() });
        }
        self.said = Some(text.clone());
        Ok(TurnOutput { text, duration: started.elapsed(), ..TurnOutput::default() })
    }

    async fn compact(&mut self, _cancel: &CancellationToken) -> Result<(), AgentError> {
        let message = "a command keeps no conversation".to_owned();
        Err(AgentError::Model { kind: ModelFailure::Compaction, message })
    }

    async fn remembered(&mut self) -> Result<Option<String>, AgentError> {
        Ok(self.said.clone())
    }

    async fn resume(&mut self, remembered: &str) -> Result<bool, AgentError> {
        self.said = Some(remembered.to_owned());
        Ok(true)
    }

    async fn shutdown(self: Box<Self>) {}
}

impl Plain {
    /// Reads its output to the end, of which it keeps the last part, and tells it meanwhile.
    async fn read(&self, mut stdout: ChildStdout, text: &mut Vec<u8>) {
        let mut piece = vec![0; 8 * 1024];
        while let Ok(read @ 1..) = stdout.read(&mut piece).await {
            let delta = String::from_utf8_lossy(&piece[..read]).into_owned();
            self.options.progress.event(AgentEvent::Text { delta });
            text.extend_from_slice(&piece[..read]);
            if text.len() > 2 * TEXT_BYTES {
                text.drain(..text.len() - TEXT_BYTES);
            }
        }
        text.drain(..text.len().saturating_sub(TEXT_BYTES));
    }
}

/// The end of an output, as a message has room for it.
fn last_lines(text: &str) -> &str {
    let start = text.char_indices().rev().nth(1_000).map_or(0, |(at, _)| at);
    &text[start..]
}
