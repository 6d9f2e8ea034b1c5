//! Commits that could not be pushed come back with the next attempt, or cost nothing.

use super::updates::{Person, read};
use super::*;
use std::time::{Duration, SystemTime};

struct Shelved {
    forge: Forge,
    dir: TempDir,
}

impl Shelved {
    /// An attempt with one commit that it could not push.
    async fn new() -> Self {
        let shelved = Self { forge: forge().await, dir: tempfile::tempdir().unwrap() };
        let place = Place::new();
        let mut workspace = shelved.clone(&place, "secret").await;
        fs::write(place.work().join("README.md"), "# Kept\n").unwrap();
        workspace.commit("Kept").unwrap().unwrap();
        assert!(workspace.shelve(false).unwrap());
        shelved
    }

    async fn clone(&self, place: &Place, key: &str) -> Workspace {
        let shelf = Some(Shelf::new(self.dir.path().join("shelf"), Some(SecretString::from(key.to_owned()))));
        clone(CloneRequest { shelf, ..request(&self.forge, place, "hello", Some(self.forge.token())) }).await.unwrap()
    }

    fn files(&self) -> Vec<PathBuf> {
        fs::read_dir(self.dir.path().join("shelf")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

#[tokio::test]
async fn kept_commits_come_back_and_are_pushed() {
    let shelved = Shelved::new().await;
    let place = Place::new();
    let workspace = shelved.clone(&place, "secret").await;
    assert!(workspace.is_restored() && workspace.is_continued());
    assert_eq!(workspace.earlier_commits(9).unwrap(), ["Kept"]);
    assert_eq!(read(&place, "README.md"), "# Kept\n");
    let (workspace, pushed) = push(workspace).await;
    assert!(pushed.unwrap() && !workspace.is_restored() && shelved.files().is_empty());
    assert!(!workspace.shelve(false).unwrap(), "there is nothing left to keep");
    let log = shelved.forge.git("demo", "hello", &["log", "--format=%s", "ticket-1"]).unwrap();
    assert_eq!(log, "Kept\nInitial commit\n");
}

#[tokio::test]
async fn a_base_that_moved_on_is_merged_into_them() {
    let shelved = Shelved::new().await;
    let place = Place::new();
    let person = Person::new(&shelved.forge, &place);
    for number in 0..3 {
        person.change("main", "news", &format!("{number}\n"));
    }
    let workspace = shelved.clone(&place, "secret").await;
    assert_eq!((workspace.update(), workspace.is_restored()), (&Update::Merged, true));
    assert_eq!((read(&place, "README.md"), read(&place, "news")), ("# Kept\n".to_owned(), "2\n".to_owned()));
    assert!(push(workspace).await.1.unwrap());
}

#[tokio::test]
async fn what_is_damaged_forged_old_or_out_of_place_is_removed_and_costs_nothing() {
    type Harm = (&'static str, fn(&std::path::Path));
    let harms: &[Harm] = &[
        ("cut", |file| fs::write(file, &fs::read(file).unwrap()[..100]).unwrap()),
        ("empty", |file| fs::write(file, "").unwrap()),
        ("flipped", |file| {
            let mut bytes = fs::read(file).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(file, bytes).unwrap();
        }),
        ("old", |file| {
            let long_ago = SystemTime::now() - Duration::from_secs(8 * 24 * 60 * 60);
            fs::File::options().write(true).open(file).unwrap().set_modified(long_ago).unwrap();
        }),
        ("huge", |file| fs::File::options().write(true).open(file).unwrap().set_len(1 << 31).unwrap()),
        ("a pipe", |file| {
            fs::remove_file(file).unwrap();
            rustix::fs::mknodat(rustix::fs::CWD, file, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        }),
    ];
    for (name, harm) in harms {
        let shelved = Shelved::new().await;
        harm(&shelved.files()[0]);
        let place = Place::new();
        let workspace = shelved.clone(&place, "secret").await;
        assert!(!workspace.is_restored() && shelved.files().is_empty(), "{name}");
        assert_eq!(read(&place, "README.md"), "# Hello\n", "{name}");
    }
    let shelved = Shelved::new().await;
    assert!(!shelved.clone(&Place::new(), "another secret").await.is_restored(), "signed with another key");
}

#[tokio::test]
async fn a_branch_that_went_on_without_them_is_not_touched() {
    let shelved = Shelved::new().await;
    let place = Place::new();
    let person = Person::new(&shelved.forge, &place);
    person.git(&["checkout", "--quiet", "-b", "ticket-1"]);
    person.change("ticket-1", "README.md", "# By a person\n");
    let workspace = shelved.clone(&place, "secret").await;
    assert!(!workspace.is_restored() && shelved.files().is_empty());
    assert_eq!(read(&place, "README.md"), "# By a person\n");
}
