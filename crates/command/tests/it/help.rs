//! What the command says of itself, and what it says to a wrong command line.

use crate::program::Person;

#[tokio::test]
async fn the_help_leads_with_the_main_job_and_lists_the_exit_codes() {
    let help = Person::new().with("COLUMNS", "110").run(&["--help"]).await.with_code(0);
    insta::assert_snapshot!(help.out);
}

#[tokio::test]
async fn every_command_explains_itself() {
    let person = Person::new();
    for command in [
        "ticket",
        "projects",
        "secrets",
        "inbox",
        "orders",
        "schedules",
        "review",
        "jobs",
        "fleet",
        "doctor",
        "login",
        "logout",
        "up",
        "completion",
    ] {
        let help = person.run(&[command, "--help"]).await.with_code(0);
        assert!(help.out.contains("Usage: terarchitect"), "{command}: {}", help.out);
    }
}

#[tokio::test]
async fn a_wrong_command_line_is_2() {
    let person = Person::new();
    for wrong in [
        &["tickt"][..],
        &["ticket", "new"],
        &["ticket", "new", "--watch", "Title"],
        &["jobs", "--status", "lost"],
        &["fleet", "limit", "host", "many"],
        &["inbox", "snooze", "x", "--for", "soon"],
        &["projects", "new", "Without a repository"],
        &["orders", "create"],
        &["orders", "list", "-n", "0"],
        &["schedules", "run"],
        &["--server", "nowhere", "projects"],
        &["--server", "ftp://host", "projects"],
        &["fleet", "stop-everything"],
    ] {
        let done = person.run(wrong).await.with_code(2);
        assert!(done.out.is_empty() && !done.err.is_empty(), "{wrong:?}: {done:?}");
    }
}

#[tokio::test]
async fn the_completion_of_each_shell_knows_the_commands() {
    let person = Person::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = person.run(&["completion", shell]).await.with_code(0);
        assert!(done.out.contains("retry") && done.out.contains("stop-everything"), "{shell}");
    }
}
