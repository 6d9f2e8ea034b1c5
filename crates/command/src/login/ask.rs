//! What a person types in a terminal. Ctrl-C leaves the terminal as it was.

use crate::exit;
use secrecy::SecretString;
use std::io::{BufRead, Write};
use tokio::sync::oneshot;

const NOT_SIGNED_IN: &str = "stopped; you are not signed in";

/// Asks for something that is shown while it is typed.
pub(super) async fn shown(what: &'static str) -> anyhow::Result<String> {
    asked(NOT_SIGNED_IN, move || {
        // Standard error is not locked while this waits: others have something to say after Ctrl-C.
        write!(std::io::stderr(), "{what}")?;
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    })
    .await
}

/// Asks for something that is not shown.
pub(super) async fn hidden(what: &'static str) -> anyhow::Result<SecretString> {
    hidden_or(NOT_SIGNED_IN, what).await
}

/// Asks for something that is not shown; after Ctrl-C says this.
pub(crate) async fn hidden_or(stopped: &'static str, what: &'static str) -> anyhow::Result<SecretString> {
    asked(stopped, move || Ok(rpassword::prompt_password(what)?.trim_end_matches(['\r', '\n']).to_owned().into())).await
}

/// Waits for an answer on a thread that nothing waits for: who presses Ctrl-C has not pressed Enter.
async fn asked<T: Send + 'static>(
    stopped: &'static str,
    ask: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let before = rustix::termios::tcgetattr(std::io::stdin()).ok();
    let (sender, answer) = oneshot::channel();
    std::thread::spawn(move || {
        // No one receives it after Ctrl-C.
        let _ = sender.send(ask());
    });
    tokio::select! {
        answer = answer => Ok(answer??),
        signal = tokio::signal::ctrl_c() => {
            signal?;
            if let Some(before) = before {
                // What is typed at a hidden question does not show; the shell should not go on like that.
                let _ = rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, &before);
            }
            // Below the ^C of the terminal.
            let _ = writeln!(std::io::stderr());
            Err(exit::interrupted(stopped))
        }
    }
}
