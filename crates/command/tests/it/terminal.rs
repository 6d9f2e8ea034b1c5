//! What a person sees in a terminal: `script`, which every Debian has, makes one.

use crate::api::Api;
use crate::program::{Person, finish};
use std::process::Stdio;
use tokio::process::Command;

/// The command in a terminal of its own; both outputs come as one.
fn in_terminal(person: &Person, arguments: &str) -> Command {
    let whole = format!("stty cols 120; {} {arguments}", env!("CARGO_BIN_EXE_terarchitect"));
    let template = person.command(&[]);
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &whole, "/dev/null"]);
    command.env_clear().env("TERM", "xterm").env("SHELL", "/bin/sh").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    for (name, value) in template.as_std().get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
}

#[tokio::test]
async fn a_list_is_a_table_in_colours_unless_they_are_not_wanted() {
    let api = Api::start().await;
    let id = api.project("Hello").await;
    let done = finish(in_terminal(&api.person(), "projects").spawn().unwrap()).await.with_code(0);
    assert!(done.out.contains("Repository") && done.out.contains('─'), "{}", done.out);
    assert!(done.out.contains(&id[..13]) && !done.out.contains(&id), "{}", done.out);
    assert!(done.out.contains('\u{1b}'), "{:?}", done.out);
    let plain = api.person().with("NO_COLOR", "1");
    let done = finish(in_terminal(&plain, "projects").spawn().unwrap()).await.with_code(0);
    assert!(done.out.contains('─') && !done.out.contains('\u{1b}'), "{:?}", done.out);
}

#[tokio::test]
async fn a_watch_has_a_live_line_that_is_gone_at_the_end() {
    let api = Api::start().await;
    api.project("Hello").await;
    let person = api.person();
    let url = "https://forge.example/o/r/pull/1";
    // In a terminal there is no text to read.
    let watched = finish(in_terminal(&person, "ticket new --run --watch Greet").spawn().unwrap());
    let work = async {
        let job = api.claim().await;
        api.log(&job, "turn", "evil \u{1b}]0;owned\u{7} line").await;
        api.complete(&job, url).await;
    };
    let (done, ()) = tokio::join!(watched, work);
    let done = done.with_code(0);
    assert!(done.out.contains("evil \\e]0;owned\\u{7} line"), "{:?}", done.out);
    assert!(done.out.trim_end().ends_with(url), "{:?}", done.out);
}
