//! The client against Cursor's cloud as the testbed has it, in both versions.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

mod calls;
mod launching;
mod notices;

use std::time::Duration;
use terarchitect_cursor::{Cursor, Launch, Notify, Patience, Version};
use terarchitect_testbed::cursor::Cloud;
use terarchitect_testbed::forge::{Answer, OnCall, Trouble};
use uuid::Uuid;

/// Both versions.
const VERSIONS: [Version; 2] = [Version::V0, Version::V1];
/// Short enough for a test that waits for the end of it.
const PATIENCE: Patience =
    Patience { failures: Duration::from_secs(3), limits: Duration::from_secs(2), request: Duration::from_secs(10) };

fn client(cloud: &Cloud, version: Version) -> Cursor {
    Cursor::new(cloud.api_url().parse().unwrap(), cloud.key().into(), version, PATIENCE).unwrap()
}

fn launch() -> Launch {
    let key = Uuid::new_v4();
    Launch {
        key,
        prompt: "Refactor the module of sign-ins.".into(),
        repository: "https://github.com/org/repo".into(),
        start: "main".into(),
        branch: format!("ticket-{}", key.simple()),
        on_start: false,
        model: None,
        open_pull: true,
        notify: Some(Notify { url: "http://127.0.0.1:9/hook".into(), secret: "s".repeat(32).into() }),
    }
}

/// A trouble of the next calls that are like this.
fn on(method: &'static str, ends: &'static str, times: u32, what: Trouble) -> OnCall {
    OnCall { method, ends, times, what }
}

fn answer(status: u16, headers: &'static [(&'static str, &'static str)], body: &'static str) -> Answer {
    Answer { status, times: 1, headers, body }
}
