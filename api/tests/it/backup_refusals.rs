//! What `backup` and `restore` refuse, and that what they refuse or do not finish changes nothing.

use crate::backup::{
    KEY, backup_of_a_filled_database, connect, content, empty_database, program, succeeded, with_header,
};
use crate::support::TestApp;
use serde_json::json;
use sqlx::Connection;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};
use terarchitect_testbed::postgres::TestPostgres;
use tokio::io::AsyncWriteExt;

#[track_caller]
fn refused(output: &Output, says: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(says), "{text}");
}

async fn restore(database: &str, dir: &Path, file: &Path, more: &[&str]) -> Output {
    let mut command = program(database, dir);
    command.env("TERARCHITECT_SECRET_KEY", KEY).arg("restore").arg(file).args(more).output().await.unwrap()
}

#[tokio::test]
async fn a_file_that_is_not_whole_is_refused_before_anything_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup");
    let database = backup_of_a_filled_database(&file, dir.path()).await;
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let whole = std::fs::read(&file).unwrap();
    let before = content(&mut connect(&database).await, i64::MAX).await;
    let broken = dir.path().join("broken");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let longer = [whole.as_slice(), b"x"].concat();
    let future = [b"terarchitect-backup 9\n", &whole[22..]].concat();
    let newer = with_header(&whole, |header| header["schema"][0]["version"] = json!(9999));
    let newer = with_header(&newer, |header| header["schema"].as_array_mut().unwrap().rotate_left(1));
    for (bytes, says) in [
        (&whole[..whole.len() - 1], "is incomplete or damaged"),
        (&whole[..whole.len() / 2], "is incomplete or damaged"),
        (&whole[..10], "this is not a backup"),
        (&[][..], "is incomplete or damaged"),
        (&flipped, "is incomplete or damaged"),
        (&longer, "is incomplete or damaged"),
        (b"drop table students;\n", "this is not a backup"),
        (&future, "has a newer format"),
        (&newer, "the backup has the schema 9999"),
    ] {
        std::fs::write(&broken, bytes).unwrap();
        refused(&restore(&database, dir.path(), &broken, &["--replace"]).await, says);
    }
    assert_eq!(before, content(&mut connect(&database).await, i64::MAX).await);
    // The whole one is accepted, also through a pipe.
    refused(&restore(&database, dir.path(), &file, &[]).await, "the database holds data; nothing was changed");
    let mut command = program(&database, dir.path());
    command.env("TERARCHITECT_SECRET_KEY", KEY).args(["restore", "--replace", "-"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&whole).await.unwrap();
    succeeded(&child.wait_with_output().await.unwrap());
    assert_eq!(before, content(&mut connect(&database).await, 0).await);
    TestPostgres::shared().drop_database(&database).unwrap();
}

#[tokio::test]
async fn a_file_is_replaced_only_on_request_and_a_full_disk_leaves_none() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup");
    let database = backup_of_a_filled_database(&file, dir.path()).await;
    let backup = async |more: &[&str]| program(&database, dir.path()).arg("backup").args(more).output().await.unwrap();
    let name = file.to_str().unwrap();
    refused(&backup(&[name]).await, "exists; add --force");
    succeeded(&backup(&["--force", name]).await);
    refused(&backup(&["--force", "/dev/null"]).await, "is not a regular file");
    let piped = backup(&["-"]).await;
    succeeded(&piped);
    assert!(piped.stdout.starts_with(b"terarchitect-backup 1\n"));

    let other = tempfile::tempdir().unwrap();
    let mut limited = tokio::process::Command::new("sh");
    limited.args([
        "-c",
        "ulimit -f 1; trap '' XFSZ; exec \"$0\" backup \"$1\"",
        env!("CARGO_BIN_EXE_terarchitect-api"),
    ]);
    limited.arg(other.path().join("b")).env("DATABASE_URL", TestPostgres::shared().url(&database));
    refused(
        &limited.env("TERARCHITECT_DATA_DIR", dir.path()).output().await.unwrap(),
        "there is no room for the backup",
    );
    assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 0);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = program(&database, dir.path());
    let child = command.args(["backup", "-"]).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let full = child.wait_with_output().await.unwrap();
    refused(&full, "there is no room for the backup");
    TestPostgres::shared().drop_database(&database).unwrap();
}

#[tokio::test]
async fn the_secret_key_is_apart_or_inside_under_a_passphrase() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("apart");
    let database = backup_of_a_filled_database(&file, dir.path()).await;
    let target = empty_database();
    let elsewhere = tempfile::tempdir().unwrap();
    let there = |file: &Path| {
        let mut command = program(&target, elsewhere.path());
        command.arg("restore").arg(file);
        command
    };
    refused(&there(&file).output().await.unwrap(), "which is not inside; nothing was changed");
    let other = there(&file).env("TERARCHITECT_SECRET_KEY", "02".repeat(32)).output().await.unwrap();
    refused(&other, "TERARCHITECT_SECRET_KEY is the key");

    let inside = dir.path().join("inside");
    let mut command = program(&database, dir.path());
    command.env("TERARCHITECT_SECRET_KEY", KEY).env("TERARCHITECT_BACKUP_PASSPHRASE", "offene Tür");
    succeeded(&command.args(["backup", "--with-key"]).arg(&inside).output().await.unwrap());
    refused(&there(&inside).output().await.unwrap(), "needs a passphrase");
    let wrong = there(&inside).env("TERARCHITECT_BACKUP_PASSPHRASE", "offene Tuer").output().await.unwrap();
    refused(&wrong, "the passphrase is not the one that the backup was written with; nothing was changed");
    let mut conn = connect(&target).await;
    let tables: i64 = sqlx::query_scalar("select count(*) from pg_class where relname = 'projects'")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(tables, 0);
    let words = dir.path().join("words");
    std::fs::write(&words, "offene Tür\n").unwrap();
    succeeded(&there(&inside).arg("--passphrase-file").arg(&words).output().await.unwrap());
    assert_eq!(std::fs::read_to_string(elsewhere.path().join("secret.key")).unwrap(), KEY);
    conn.close().await.unwrap();
    TestPostgres::shared().drop_database(&database).unwrap();
    TestPostgres::shared().drop_database(&target).unwrap();
}

#[tokio::test]
async fn a_database_in_use_or_of_another_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup");
    let database = backup_of_a_filled_database(&file, dir.path()).await;
    let app = TestApp::start().await;
    // By then it has a connection, which is what an API in use is recognised by.
    app.get("/ready").await.expect(200);
    refused(
        &restore(&app.database, dir.path(), &file, &["--replace"]).await,
        "a terarchitect-api runs on this database",
    );
    let foreign = empty_database();
    TestPostgres::shared().execute(&foreign, "create table projects (id int)").unwrap();
    refused(&restore(&foreign, dir.path(), &file, &["--replace"]).await, "that Terarchitect did not create");
    let nothing = program(&foreign, dir.path()).args(["backup", "-"]).output().await.unwrap();
    refused(&nothing, "there is nothing to back up");
    TestPostgres::shared().drop_database(&foreign).unwrap();
    TestPostgres::shared().drop_database(&database).unwrap();
}

/// Many hosted databases give no more than this.
#[tokio::test]
async fn the_owner_of_a_database_can_save_and_restore_it_without_being_superuser() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup");
    let database = backup_of_a_filled_database(&file, dir.path()).await;
    let before = content(&mut connect(&database).await, i64::MAX).await;
    let target = empty_database();
    let postgres = TestPostgres::shared();
    let role = format!("owner_{target}");
    postgres
        .execute("postgres", &format!("create role {role} login; alter database {target} owner to {role}"))
        .unwrap();
    let as_owner = |arguments: &[&str]| {
        let mut command = program(&target, dir.path());
        command.env("DATABASE_URL", postgres.url(&target).replace("postgres@", &format!("{role}@")));
        command.env("TERARCHITECT_SECRET_KEY", KEY).args(arguments);
        command
    };
    let name = file.to_str().unwrap();
    for arguments in [&["restore", name][..], &["backup", "--force", name], &["restore", "--replace", name]] {
        succeeded(&as_owner(arguments).output().await.unwrap());
        assert_eq!(before, content(&mut connect(&target).await, i64::MAX).await);
    }
    postgres.drop_database(&target).unwrap();
    postgres.execute("postgres", &format!("drop role {role}")).unwrap();
    postgres.drop_database(&database).unwrap();
}

#[tokio::test]
async fn a_restore_that_is_killed_leaves_the_old_data() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup");
    let database = backup_of_a_filled_database(&file, dir.path()).await;
    let mut conn = connect(&database).await;
    sqlx::query("update tickets set title = 'Later'").execute(&mut conn).await.unwrap();
    let before = content(&mut conn, i64::MAX).await;
    // A reader of the first table stands in the way when all others have been dropped.
    let mut reader = connect(&database).await;
    let mut transaction = reader.begin().await.unwrap();
    sqlx::query("select from projects").execute(&mut *transaction).await.unwrap();
    let mut command = program(&database, dir.path());
    command.env("TERARCHITECT_SECRET_KEY", KEY).args(["restore", "--replace"]).arg(&file);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let waiting = "select exists (select from pg_locks where not granted and relation = 'projects'::regclass)";
    while !sqlx::query_scalar::<_, bool>(waiting).fetch_one(&mut *transaction).await.unwrap() {
        assert!(child.try_wait().unwrap().is_none(), "the restore ended before it had to wait");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    child.kill().await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(before, content(&mut conn, i64::MAX).await);
    // And the next one works, once Postgres has noticed that the killed one is gone.
    succeeded(&restore(&database, dir.path(), &file, &["--replace"]).await);
    let title: String = sqlx::query_scalar("select title from tickets").fetch_one(&mut conn).await.unwrap();
    assert_eq!(title, "Kept as well");
    reader.close().await.unwrap();
    conn.close().await.unwrap();
    TestPostgres::shared().drop_database(&database).unwrap();
}
