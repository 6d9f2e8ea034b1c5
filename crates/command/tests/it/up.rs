//! `terarchitect up`: a whole system on this machine.

use crate::program::{Following, Person, finish, programs};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use tokio::process::Command;

/// A free port of this machine alone.
const ANY: &str = "127.0.0.1:0";

/// Where the programs are that it starts: beside a copy of the command.
struct Installed {
    folder: tempfile::TempDir,
}

impl Installed {
    fn new(names: &[&str]) -> Self {
        // Postgres's user has to get through, where the tests run as root.
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        for name in names {
            let (from, to) = (programs().join(name), folder.path().join(name));
            std::fs::hard_link(&from, &to).or_else(|_| std::fs::copy(&from, &to).map(drop)).unwrap();
        }
        Self { folder }
    }

    fn up(&self, person: &Person, listen: &str) -> Command {
        let data = self.folder.path().join("data");
        let arguments = ["--json", "up", "--listen", listen, "--dir", data.to_str().unwrap()];
        let template = person.command(&arguments);
        let mut command = Command::new(self.folder.path().join("terarchitect"));
        command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, value) in template.as_std().get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        // There is no engine: the coordinator has to say what is missing.
        command.env("DOCKER_HOST", format!("unix://{}/no.sock", data.display())).kill_on_drop(true);
        command
    }
}

#[tokio::test]
async fn a_missing_program_is_named_with_what_to_do() {
    let installed = Installed::new(&["terarchitect"]);
    let done = finish(installed.up(&Person::new(), ANY).spawn().unwrap()).await.with_code(1);
    assert!(done.err.contains("cargo build --release -p terarchitect-api"), "{}", done.err);
}

#[tokio::test]
async fn everything_starts_says_what_is_missing_and_stops_at_ctrl_c() {
    let installed = Installed::new(&["terarchitect", "terarchitect-api", "terarchitect-coordinator"]);
    let person = Person::new();
    let mut up = Following::start(installed.up(&person, ANY));
    let said = up.next().await.expect("it did not start");
    let url = said["url"].as_str().unwrap();
    assert!(url.starts_with("http://localhost:"), "{said}");
    assert_eq!(said["coordinator"], Value::Bool(false));
    // The command is signed in.
    person.run(&["projects", "new", "Hello", "--repo", "https://forge.example/o/r"]).await.with_code(0);
    person.run(&["--server", url, "projects"]).await.with_code(0);
    let pid = up.child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().await.unwrap().success());
    let done = finish(up.child).await.with_code(0);
    assert!(done.err.contains("FAIL  engine:"), "{}", done.err);
    person.run(&["projects"]).await.with_code(3);
    // What was made is there at the next start.
    let mut again = Following::start(installed.up(&person, ANY));
    again.next().await.expect("it did not start again");
    assert!(person.run(&["projects"]).await.with_code(0).out.contains("Hello"));
    let pid = again.child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    finish(again.child).await.with_code(0);
}

#[tokio::test]
async fn an_api_that_does_not_start_is_quoted() {
    let installed = Installed::new(&["terarchitect", "terarchitect-api", "terarchitect-coordinator"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let done = finish(installed.up(&Person::new(), &listen).spawn().unwrap()).await.with_code(1);
    assert!(done.err.contains("the end of its log") && done.err.contains(&listen), "{}", done.err);
}
