//! The program `terarchitect`: what people and scripts do with an API, from a shell.
//!
//! Each command is a file; it asks the API through `terarchitect-client` and prints what it said. Results go to standard
//! output, everything else to standard error.

mod app;
mod cli;
mod doctor;
mod exit;
mod fleet;
mod inbox;
mod jobs;
mod login;
mod orders;
mod output;
mod projects;
mod review;
mod schedules;
mod secrets;
mod servers;
mod state;
mod text;
mod ticket;
mod up;
mod watch;

use app::App;
use clap::{CommandFactory, Parser};
use cli::{Cli, Command};
use exit::Problem;
use std::io::Write;
use std::process::ExitCode;

// It waits for the network nearly all the time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version, or a wrong command line in a terminal: clap prints it.
        Err(error) if !error.use_stderr() || !cli::wants_json() => error.exit(),
        Err(error) => {
            output::problem(&Problem::of_command_line(&error));
            return ExitCode::from(exit::USAGE);
        }
    };
    let json = cli.common.json;
    let code = match Box::pin(execute(cli)).await {
        Ok(code) => code,
        Err(error) => {
            let code = exit::code_of(&error);
            match code {
                exit::CLOSED_OUTPUT => {}
                _ if json => output::problem(&Problem::new(&error)),
                _ => say(&error),
            }
            code
        }
    };
    ExitCode::from(code)
}

async fn execute(cli: Cli) -> anyhow::Result<u8> {
    let common = cli.common;
    match cli.command {
        Command::Completion { shell } => completion(shell),
        Command::Login(options) => login::login(&common, &options).await,
        Command::Logout { name } => login::logout(&common, name.as_deref()).await,
        Command::Up(options) => up::up(&common, &options).await,
        Command::Ticket(action) => ticket::execute(&App::new(common)?, action).await,
        Command::Projects { action } => projects::execute(&App::new(common)?, action).await,
        Command::Secrets { action } => secrets::execute(&App::new(common)?, action).await,
        Command::Inbox { action } => inbox::execute(&App::new(common)?, action).await,
        Command::Orders { action } => orders::execute(&App::new(common)?, action).await,
        Command::Schedules { action } => schedules::execute(&App::new(common)?, action).await,
        Command::Review { ticket } => review::show(&App::new(common)?, &ticket).await,
        Command::Jobs(options) => jobs::list(&App::new(common)?, &options).await,
        Command::Fleet { action } => fleet::execute(&App::new(common)?, action).await,
        Command::Doctor => doctor::check(&App::new(common)?).await,
    }
}

/// Prints the script in one piece, so that a reader who goes away is noticed and told nothing.
fn completion(shell: clap_complete::Shell) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "terarchitect", &mut script);
    let mut out = std::io::stdout().lock();
    out.write_all(&script)?;
    out.flush()?;
    Ok(exit::DONE)
}

/// Tells an error and what to do about it.
fn say(error: &anyhow::Error) {
    let text = terarchitect_outbound::chain(error.as_ref());
    let mut err = std::io::stderr().lock();
    // If this fails, there is no other place to report it.
    let _ = writeln!(err, "terarchitect: {}", text::block(&text));
    if let Some(advice) = exit::advice(error) {
        let _ = writeln!(err, "terarchitect: {advice}");
    }
}
