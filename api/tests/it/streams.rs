//! Standard streams that can't be used.

use crate::program::{command, data_dir};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::test]
async fn a_log_whose_reader_has_ended_does_not_end_the_program() {
    let dir = data_dir();
    let mut program = command(dir.path()).env("LOG_FORMAT", "json").stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(program.stderr.take().unwrap()).lines();
    let address = loop {
        let entry: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap_or_default();
        if let Some(address) = entry["address"].as_str() {
            break address.to_owned();
        }
    };
    drop(lines);
    for _ in 0..3 {
        assert!(reqwest::get(format!("http://{address}/api/projects")).await.unwrap().status().is_success());
    }
    // Its end is logged as well.
    kill_process(Pid::from_raw(program.id().unwrap().try_into().unwrap()).unwrap(), Signal::TERM).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(60), program.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
}
