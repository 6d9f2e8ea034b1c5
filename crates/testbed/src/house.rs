//! The floors of a crate: each uses those below it and none above, and floors that stand side by side know nothing of
//! each other, so that there are no circles. Reads the source text; a test of each crate lists its floors.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// A crate's floors. A *room* is a file or folder directly in `src`.
#[derive(Clone, Copy, Debug)]
pub struct House {
    /// The crate's folder: `env!("CARGO_MANIFEST_DIR")`.
    pub folder: &'static str,
    /// The rooms of each floor, from the top.
    pub floors: &'static [&'static [&'static str]],
    /// What a room's code may not contain, because another room does it: a room and pieces of text.
    pub reaches_around: &'static [(&'static str, &'static [&'static str])],
}

/// A source file without its comments and tests.
#[derive(Debug)]
struct File {
    room: String,
    path: PathBuf,
    /// How deep its module lies below the crate's root.
    depth: usize,
    code: String,
}

impl House {
    /// A sentence for each use of a room on the same or a higher floor, for each room that is on no floor, and for each
    /// name on a floor that no room has.
    ///
    /// # Errors
    /// When the source can't be read.
    pub fn arrows_that_point_up(&self) -> io::Result<Vec<String>> {
        let floors = self.floors.iter().enumerate();
        let height: BTreeMap<&str, usize> =
            floors.flat_map(|(at, rooms)| rooms.iter().map(move |room| (*room, at))).collect();
        let files = self.files()?;
        let mut wrong = no_rooms(height.keys(), &files);
        for file in files {
            let path = file.path.display();
            let Some(own) = height.get(file.room.as_str()) else {
                wrong.push(format!("{path} is on no floor"));
                continue;
            };
            for used in file.uses().iter().filter(|used| **used != file.room) {
                match height.get(used.as_str()) {
                    Some(other) if other > own => {}
                    Some(_) => wrong.push(format!("{path} uses {used}, which is not below it")),
                    None => wrong.push(format!("{path} uses {used}, which is on no floor")),
                }
            }
        }
        Ok(wrong)
    }

    /// A sentence for each file that does what another room is there for, and for each rule whose room does not exist:
    /// it could never fail.
    ///
    /// # Errors
    /// When the source can't be read.
    pub fn files_that_reach_around(&self) -> io::Result<Vec<String>> {
        let files = self.files()?;
        let mut wrong = no_rooms(self.reaches_around.iter().map(|(room, _)| room), &files);
        for file in files {
            // `crate::http` is a room; `http::` is the library.
            let code = file.code.replace("crate::http::", "");
            let forbidden =
                self.reaches_around.iter().filter(|(room, _)| *room == file.room).flat_map(|(_, texts)| *texts);
            wrong.extend(
                forbidden.filter(|text| code.contains(**text)).map(|text| format!("{}: {text}", file.path.display())),
            );
        }
        Ok(wrong)
    }

    fn files(&self) -> io::Result<Vec<File>> {
        let source = Path::new(self.folder).join("src");
        let mut paths = Vec::new();
        source_files(&source, &mut paths)?;
        let mut files = Vec::with_capacity(paths.len());
        let mut tests = BTreeSet::new();
        for path in paths {
            let text = std::fs::read_to_string(&path)?;
            let folder = match path.file_stem().and_then(|stem| stem.to_str()) {
                Some("mod" | "lib" | "main") | None => path.parent().map(Path::to_owned).unwrap_or_default(),
                Some(_) => path.with_extension(""),
            };
            let (code, test_modules) = without_tests(&text);
            tests.extend(test_modules.into_iter().map(|module| folder.join(module)));
            let relative = path.strip_prefix(&source).unwrap_or(&path).with_extension("");
            let names: Vec<_> = relative.iter().map(|name| name.to_string_lossy().into_owned()).collect();
            let is_folder = names.last().is_some_and(|name| name == "mod");
            let room = names.first().cloned().unwrap_or_default();
            files.push(File { room, depth: names.len() - usize::from(is_folder), path, code });
        }
        files.retain(|file| !tests.iter().any(|module| file.path.with_extension("").starts_with(module)));
        Ok(files)
    }
}

impl File {
    /// The rooms that this file names, by a path from the crate's root or by enough `super`.
    fn uses(&self) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        for part in self.code.split(|c: char| !(c.is_ascii_alphanumeric() || "_:{".contains(c))) {
            let mut names = part.split("::").peekable();
            names.next_if_eq(&"self");
            let from_root = match names.peek() {
                Some(&"crate") => names.next().is_some(),
                Some(&"super") => {
                    let mut supers = 0;
                    while names.next_if_eq(&"super").is_some() {
                        supers += 1;
                    }
                    supers >= self.depth
                }
                _ => false,
            };
            match names.next() {
                // Nothing follows where the text goes on with a star.
                Some("") if from_root => {
                    used.insert("all rooms at once: name the one that is meant".to_owned());
                }
                Some(name) if from_root && name.starts_with('{') => {
                    used.insert("several rooms in one use: write one for each".to_owned());
                }
                Some(name) if from_root && name.starts_with(|c: char| c.is_ascii_lowercase()) => {
                    used.insert(name.trim_end_matches(['{', ':']).to_owned());
                }
                _ => {}
            }
        }
        used
    }
}

/// A sentence for each name that no room has.
fn no_rooms<'a>(names: impl Iterator<Item = &'a &'static str>, files: &[File]) -> Vec<String> {
    let unknown = names.filter(|name| !files.iter().any(|file| file.room == **name));
    unknown.map(|name| format!("there is no room {name}")).collect()
}

fn source_files(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            source_files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// The code without comments and without its test modules, and the names of its test modules in other files.
fn without_tests(text: &str) -> (String, Vec<String>) {
    let (mut code, mut modules) = (String::new(), Vec::new());
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            code.push_str(line);
            code.push('\n');
            continue;
        }
        let Some(opening) = lines.next() else { break };
        let Some(module) = opening.trim().split("mod ").nth(1) else { continue };
        match module.strip_suffix(';') {
            Some(name) => modules.push(name.to_owned()),
            // Formatted code closes a module where its first line begins.
            None => {
                let end = format!("{}}}", &opening[..opening.len() - opening.trim_start().len()]);
                lines.by_ref().find(|line| *line == end);
            }
        }
    }
    (code, modules)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(depth: usize, code: &str) -> File {
        File { room: "job".to_owned(), path: PathBuf::new(), depth, code: code.to_owned() }
    }

    fn used(depth: usize, code: &str) -> Vec<String> {
        file(depth, code).uses().into_iter().collect()
    }

    #[test]
    fn every_way_to_name_a_room_is_found() {
        assert_eq!(used(1, "use crate::db::jobs;\nfn f() { crate::http::g() }"), ["db", "http"]);
        assert_eq!(used(1, "use super::db;"), ["db"]);
        assert_eq!(used(2, "use super::super::db::{self, x};"), ["db"]);
        assert!(used(2, "use super::other; pub(super) fn f() {}").is_empty());
        assert_eq!(used(1, "use self::super::db;"), ["db"]);
        assert_eq!(used(3, "use crate::{db, http};").len(), 1);
        assert_eq!(used(3, "use crate::*;").len(), 1);
        assert!(used(2, "pub(crate) use super::*;").is_empty());
    }

    #[test]
    fn tests_and_comments_are_no_uses() {
        let text = "#[cfg(test)]\nmod tests;\n// crate::comment\nuse crate::db;\n\
            #[cfg(test)]\npub(crate) mod more {\n    fn f() {\n    }\n    use crate::http;\n}\nfn g() {}\n";
        let (code, modules) = without_tests(text);
        assert_eq!((code.as_str(), modules), ("use crate::db;\nfn g() {}\n", vec!["tests".to_owned()]));
    }

    /// The source of a crate with four rooms, of which `db` does more than it may.
    fn crate_folder() -> (tempfile::TempDir, &'static str) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("src/routes")).unwrap();
        std::fs::create_dir_all(folder.path().join("src/db/tests")).unwrap();
        let files = [
            ("lib.rs", "pub mod db;\nmod routes;\nmod queue;\n"),
            ("routes/mod.rs", "mod jobs;\n"),
            ("routes/jobs.rs", "use super::super::queue;\nuse super::Limits;\n"),
            ("queue.rs", "use super::db;\n#[cfg(test)]\nmod tests {\n    use super::super::routes;\n}\n"),
            ("db.rs", "pub(crate) fn read() -> axum::Router {}\n#[cfg(test)]\nmod tests;\n"),
            // A test's own modules are tests as well.
            ("db/tests.rs", "mod odd;\n"),
            ("db/tests/odd.rs", "use crate::routes;\nuse axum::Router;\n"),
        ];
        for (name, text) in files {
            std::fs::write(folder.path().join("src").join(name), text).unwrap();
        }
        let path = folder.path().to_str().unwrap().to_owned().leak();
        (folder, path)
    }

    #[test]
    fn arrows_up_and_sideways_are_found_and_so_are_names_that_no_room_has() {
        let (_kept, folder) = crate_folder();
        let wrong = |floors| House { folder, floors, reaches_around: &[] }.arrows_that_point_up().unwrap();
        let found = |floors, parts: &[&str]| {
            let wrong = wrong(floors);
            assert_eq!(wrong.len(), parts.len(), "{wrong:#?}");
            for part in parts {
                assert!(wrong.iter().any(|sentence| sentence.contains(part)), "{part}: {wrong:#?}");
            }
        };
        found(&[&["lib"], &["routes"], &["queue"], &["db"]], &[]);
        found(&[&["lib"], &["queue"], &["routes"], &["db"]], &["routes/jobs.rs uses queue, which is not below it"]);
        found(&[&["lib"], &["routes"], &["queue", "db"]], &["queue.rs uses db, which is not below it"]);
        found(
            &[&["lib"], &["routes"], &["queue"]],
            &["db.rs is on no floor", "queue.rs uses db, which is on no floor"],
        );
        found(&[&["lib", "page"], &["routes"], &["queue"], &["db"]], &["there is no room page"]);
    }

    #[test]
    fn what_a_room_may_not_do_is_found_and_so_are_rules_for_no_room() {
        let (_kept, folder) = crate_folder();
        let wrong = |reaches_around| House { folder, floors: &[], reaches_around }.files_that_reach_around().unwrap();
        assert!(wrong(&[("queue", &["axum"]), ("db", &["sqlx"])]).is_empty());
        let found = wrong(&[("db", &["axum"]), ("databases", &["axum"])]);
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(found[0] == "there is no room databases" && found[1].ends_with("db.rs: axum"), "{found:#?}");
    }
}
