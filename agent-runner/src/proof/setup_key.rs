//! Under which key the result of setup commands is kept. Pure, but for what it asks about this machine.

use super::Terms;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Files that say exactly what package managers install.
pub const LOCK_FILES: &[&str] = &[
    "Cargo.lock",
    "Gemfile.lock",
    "Pipfile.lock",
    "bun.lock",
    "bun.lockb",
    "composer.lock",
    "go.sum",
    "gradle.lockfile",
    "mix.lock",
    "npm-shrinkwrap.json",
    "package-lock.json",
    "packages.lock.json",
    "pdm.lock",
    "pnpm-lock.yaml",
    "poetry.lock",
    "pubspec.lock",
    "uv.lock",
    "yarn.lock",
];

/// No more programs of one directory are looked at.
const MAX_PROGRAMS: usize = 20_000;

/// The key of what these commands make of these files on this image. Another project, command, directory, file or image has another
/// key. `files` are paths with their content's ids.
#[must_use]
pub fn setup_key(project: &str, terms: &Terms, files: &[(String, String)], image: &str) -> String {
    let mut digest = Sha256::new();
    let mut add = |part: &str| {
        // With its length, so that no two lists of parts are the same text.
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part.as_bytes());
    };
    add("setup 1");
    add(project);
    add(image);
    for list in [&terms.setup, &terms.cached] {
        add(&list.len().to_string());
        list.iter().for_each(|entry| add(entry));
    }
    for (path, id) in files {
        add(path);
        add(id);
    }
    hex(&digest.finalize())
}

/// What tells this image from another: its system, and every program that a command may find, with its size and time.
#[must_use]
pub fn image() -> String {
    let mut digest = Sha256::new();
    digest.update(std::env::consts::ARCH);
    for file in ["/etc/os-release", "/var/lib/dpkg/status", "/lib/apk/db/installed"] {
        digest.update(std::fs::read(file).unwrap_or_default());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    for dir in std::env::split_paths(&path) {
        programs_of(&dir).iter().for_each(|program| digest.update(program));
    }
    hex(&digest.finalize())
}

/// A directory that can't be read has none.
fn programs_of(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().take(MAX_PROGRAMS);
    let programs = entries.filter_map(|entry| {
        let about = std::fs::metadata(entry.path()).ok()?;
        let time = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs();
        Some(format!("{}\n{}\n{time}\n", entry.path().display(), about.len()))
    });
    let mut programs: Vec<String> = programs.collect();
    programs.sort();
    programs
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use terarchitect_worker_api::ProofTerms;

    #[test]
    fn anything_that_setup_depends_on_makes_another_key() {
        let terms = |file: &str| Terms::of(&ProofTerms::default(), Some(file)).unwrap();
        let npm = terms("[setup]\ncommands = [\"npm ci\"]\ncache = [\"node_modules\"]\n");
        let lock = |id: &str| vec![("package-lock.json".to_owned(), id.to_owned())];
        let key = setup_key("p", &npm, &lock("1"), "image");
        assert_eq!(key, setup_key("p", &npm, &lock("1"), "image"));
        let more = terms("[setup]\ncommands = [\"npm ci\", \"x\"]\ncache = [\"node_modules\"]\n");
        let elsewhere = terms("[setup]\ncommands = [\"npm ci\"]\ncache = [\"lib\"]\n");
        let others = [
            setup_key("q", &npm, &lock("1"), "image"),
            setup_key("p", &npm, &lock("2"), "image"),
            setup_key("p", &npm, &lock("1"), "other image"),
            setup_key("p", &more, &lock("1"), "image"),
            setup_key("p", &elsewhere, &lock("1"), "image"),
        ];
        assert!(others.iter().all(|other| *other != key));
        assert_eq!(image(), image());
    }
}
