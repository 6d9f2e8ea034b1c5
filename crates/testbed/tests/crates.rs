//! Which of the project's crates may use which. What only tests use does not count.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

use serde_json::Value;
use std::process::Command;

const OUTBOUND: &str = "terarchitect-outbound";
const WORKER_API: &str = "terarchitect-worker-api";
const FORGE: &str = "terarchitect-forge";
const CURSOR: &str = "terarchitect-cursor";
const CLIENT: &str = "terarchitect-client";
const API: &str = "terarchitect-api";
const COORDINATOR: &str = "terarchitect-coordinator";
const RUNNER: &str = "terarchitect-agent-runner";
const COMMAND: &str = "terarchitect";
const TESTBED: &str = "terarchitect-testbed";

/// Each crate with those that it may depend on, from the bottom.
const MAY_USE: &[(&str, &[&str])] = &[
    (OUTBOUND, &[]),
    (WORKER_API, &[OUTBOUND]),
    (FORGE, &[OUTBOUND]),
    (CURSOR, &[OUTBOUND]),
    (CLIENT, &[OUTBOUND]),
    (API, &[CURSOR, FORGE, OUTBOUND, WORKER_API]),
    (COORDINATOR, &[OUTBOUND, WORKER_API]),
    (RUNNER, &[CURSOR, FORGE, OUTBOUND, WORKER_API]),
    // It starts the programs, and calls them over HTTP alone.
    (COMMAND, &[CLIENT, OUTBOUND]),
    (TESTBED, &[]),
    // It measures the programs' own code.
    ("terarchitect-bench", &[RUNNER, OUTBOUND, TESTBED]),
    ("xtask", &[TESTBED]),
];

#[test]
fn programs_do_not_depend_on_each_other_and_libraries_not_on_programs() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert_eq!(packages.len(), MAY_USE.len(), "each crate has a line in MAY_USE");
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let may_use = MAY_USE.iter().find(|(of, _)| *of == name).map(|(_, may_use)| *may_use);
        let may_use = may_use.unwrap_or_else(|| panic!("{name} is not in MAY_USE"));
        let used = package["dependencies"].as_array().unwrap().iter();
        // Ours are those with a path; what only tests use has the kind `dev`.
        let used = used.filter(|used| !used["path"].is_null() && used["kind"] != "dev");
        for used in used.map(|used| used["name"].as_str().unwrap()) {
            assert!(may_use.contains(&used), "{name} depends on {used}");
        }
    }
}

#[test]
fn the_table_itself_has_no_circle_and_keeps_the_programs_apart() {
    for (at, (name, may_use)) in MAY_USE.iter().enumerate() {
        for used in *may_use {
            let is_below = MAY_USE[..at].iter().any(|(below, _)| below == used);
            assert!(is_below, "{name} may use {used}, which is not above it in the table");
            let apart = [API, COORDINATOR, RUNNER, COMMAND, TESTBED];
            assert!(!(apart.contains(name) && apart.contains(used)), "{name} may use {used}");
        }
    }
}
