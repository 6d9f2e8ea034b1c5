//! Roles and databases that are set up in another way than one expects. docs/attacks.md names the reports.

use crate::program::{command, data_dir};
use crate::support::TestApp;
use serde_json::json;
use terarchitect_api::db;
use terarchitect_testbed::postgres::TestPostgres;

/// A database of its own, and the address at which a role of its own uses it.
struct Prepared {
    database: String,
    url: String,
}

impl Prepared {
    /// `sql` may name the `{role}` and the `{database}`.
    fn new(create: &str, attributes: &str, sql: &str) -> Self {
        let postgres = TestPostgres::shared();
        let database = postgres.create_database(Some("template0")).unwrap();
        postgres.drop_database(&database).unwrap();
        let role = format!("{database}_role");
        let admin = |sql: &str| postgres.execute("postgres", sql).unwrap();
        admin(&format!("create database {database} template template0 {create}"));
        admin(&format!("create role {role} login {attributes}"));
        if !sql.is_empty() {
            admin(&sql.replace("{role}", &role).replace("{database}", &database));
        }
        let url = postgres.url(&database).replace("postgres://postgres@", &format!("postgres://{role}@"));
        Self { database, url }
    }

    /// What the program prints; it must end by itself, with one line and without a change.
    async fn refusal(&self, arguments: &[&str]) -> String {
        let dir = data_dir();
        let output = command(dir.path()).args(arguments).env("DATABASE_URL", &self.url).output().await.unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        let untouched = "do $$ begin if exists (select from pg_tables where schemaname = 'public') then
            raise exception 'a table was created'; end if; end $$";
        TestPostgres::shared().execute(&self.database, untouched).unwrap();
        text
    }

    fn drop(self) {
        let postgres = TestPostgres::shared();
        postgres.drop_database(&self.database).unwrap();
        postgres.execute("postgres", &format!("drop role {}_role", self.database)).unwrap();
    }
}

/// Under a stricter isolation, transactions fail because others were faster; the API relies on locks instead.
#[tokio::test]
async fn a_stricter_isolation_of_the_role_fails_no_request() {
    let set = "alter role {role} set default_transaction_isolation = 'serializable';
        alter role {role} set default_transaction_deferrable = on";
    let prepared = Prepared::new("", "superuser", set);
    let pool = db::connect(prepared.url.parse().unwrap(), 8).await.unwrap();
    db::MIGRATIONS.run(&pool).await.unwrap();
    let isolation: String = sqlx::query_scalar("show transaction_isolation").fetch_one(&pool).await.unwrap();
    assert_eq!(isolation, "read committed");
    let app = TestApp::on_database(pool, prepared.database.clone()).await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let rounds = (0..40).map(async |number| {
        let body = json!({"title": format!("t{number}"), "column_id": "in_progress"});
        app.post(&format!("{project}/tickets"), body).await.expect(201);
        app.claim(&project).await
    });
    let jobs = futures::future::join_all(rounds).await;
    assert_eq!(jobs.iter().flatten().count(), 40);
    drop(app);
    prepared.drop();
}

#[tokio::test]
async fn a_database_that_can_not_be_used_is_refused_with_what_to_do_before_anything_is_changed() {
    let latin = "encoding 'LATIN1' locale 'C'";
    let ascii = "encoding 'SQL_ASCII' locale 'C'";
    for (create, attributes, set, says) in [
        (latin, "superuser", "", "has the encoding LATIN1, which can't store every text; create another one with UTF8"),
        (ascii, "superuser", "", "has the encoding SQL_ASCII, which"),
        ("", "superuser", "alter role {role} set search_path = ''", "set search_path = public"),
        ("", "superuser", "alter role {role} set search_path = nowhere", "leads to no schema"),
        (
            "",
            "superuser",
            "alter role {role} set default_transaction_read_only = on",
            "reset default_transaction_read_only",
        ),
        ("", "", "", "grant create, usage on schema \"public\" to"),
    ] {
        let prepared = Prepared::new(create, attributes, set);
        let text = prepared.refusal(&["serve"]).await;
        assert!(text.contains(says), "{set}: {text}");
        prepared.drop();
    }
}

/// What the sentence says to do is enough.
#[tokio::test]
async fn the_grant_that_is_asked_for_suffices() {
    let prepared = Prepared::new("", "", "");
    let text = prepared.refusal(&["serve"]).await;
    let grant = text.split("run as the owner of the database: ").nth(1).unwrap();
    TestPostgres::shared().execute(&prepared.database, grant).unwrap();
    let pool = db::connect(prepared.url.parse().unwrap(), 4).await.unwrap();
    db::MIGRATIONS.run(&pool).await.unwrap();
    let app = TestApp::on_database(pool, prepared.database.clone()).await;
    app.project().await;
    drop(app);
    prepared.drop();
}
