//! Recorded runs, replayed: those of healthy agents are never found to be stuck, and the others are, in the way that the record names.
//!
//! A line of a record is something that happened. Tests with real agents write records into the directory that
//! `TERARCHITECT_RECORD_DIR` names (`opencode_support`); others are made by hand, for what takes an agent hours.

#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use terarchitect_agent_runner::stuck::{Calls, Found, Seen, Thresholds, Turn, Turns};

struct Record {
    name: String,
    /// How the agent is stuck in the end; none for a healthy one.
    stuck: Option<String>,
    lines: Vec<Value>,
}

fn records() -> Vec<Record> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let files: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path()).collect();
    files
        .into_iter()
        .filter(|file| file.extension().is_some_and(|end| end == "jsonl"))
        .map(|file| read(&file))
        .collect()
}

fn read(file: &Path) -> Record {
    let text = std::fs::read_to_string(file).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let about = lines.remove(0);
    assert_eq!(about["event"], "about", "{}", file.display());
    let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
    let stuck = about["stuck"].as_str().map(str::to_owned);
    assert_eq!(name.starts_with("healthy-"), stuck.is_none(), "{name}");
    Record { name, stuck, lines }
}

/// All that is found, with the line's number.
fn replay(record: &Record, limits: Thresholds) -> Vec<(usize, Found)> {
    let (mut calls, mut turns) = (Calls::new(limits), Turns::default());
    let mut see = |line: &Value| match line["event"].as_str().unwrap() {
        "turn" => {
            calls = Calls::new(limits);
            turns.see(&serde_json::from_value::<Turn>(line.clone()).unwrap(), &limits)
        }
        "silent" => {
            let seconds = u32::try_from(line["seconds"].as_u64().unwrap()).unwrap();
            (seconds >= limits.silent_sec).then(|| Found::silent(seconds))
        }
        _ => calls.see(&serde_json::from_value::<Seen>(line.clone()).unwrap()),
    };
    record.lines.iter().enumerate().filter_map(|(number, line)| Some((number + 2, see(line)?))).collect()
}

fn kind(found: &Found) -> String {
    serde_json::to_value(found.kind).unwrap().as_str().unwrap().to_owned()
}

#[test]
fn no_healthy_run_is_found_to_be_stuck() {
    let records = records();
    let healthy: Vec<&Record> = records.iter().filter(|record| record.stuck.is_none()).collect();
    assert!(healthy.len() >= 11, "{}", healthy.len());
    for record in healthy {
        assert_eq!(replay(record, Thresholds::default()), [], "{}", record.name);
    }
}

#[test]
fn each_stuck_run_is_found_to_be_stuck_in_its_way() {
    let records = records();
    let stuck: Vec<&Record> = records.iter().filter(|record| record.stuck.is_some()).collect();
    assert!(stuck.len() >= 6, "{}", stuck.len());
    for record in stuck {
        let found = replay(record, Thresholds::default());
        let kinds: Vec<String> = found.iter().map(|(_, found)| kind(found)).collect();
        assert_eq!(kinds.first(), record.stuck.as_ref(), "{}: {found:?}", record.name);
    }
}

#[test]
fn with_everything_set_to_0_nothing_is_found() {
    let off = Thresholds {
        same_calls: 0,
        same_rounds: 0,
        same_errors: 0,
        waiting_calls: 0,
        compactions: 0,
        silent_sec: u32::MAX,
        idle_turns: 0,
        talking_turns: 0,
        undoing_turns: 0,
    };
    for record in records() {
        assert_eq!(replay(&record, off), [], "{}", record.name);
    }
}
