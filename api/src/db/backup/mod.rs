//! What a backup reads and a restore writes: all tables that the migrations create, by `COPY`.
//!
//! The statements are put together at run time, since which tables and columns there are depends on the schema's version.

mod load;
mod snapshot;

pub use load::{Found, Target};
pub use snapshot::{NotReadable, Snapshot};

use crate::db::MIGRATIONS;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgConnection};

/// A migration that a database has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Its number.
    pub version: i64,
    /// What its text hashes to, as hexadecimal digits.
    pub checksum: String,
}

/// A table with the columns that are stored and not computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// The columns, in the order of the copied rows.
    pub columns: Vec<String>,
}

/// How far a column's numbers have been given out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// The last number.
    pub last: i64,
    /// Whether that number was given out.
    pub used: bool,
}

/// The newest schema that this program knows.
#[must_use]
pub fn known_version() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// The tables that the migrations up to this version create, in their order: a table comes after those it refers to.
#[must_use]
pub fn tables_of(version: i64) -> Vec<String> {
    created(version, &["create table "])
}

/// Whether a table's rows are not worth saving: open sessions, links, sign-ins of programs and failed sign-ins, which end by
/// themselves, and which a copy of the database should not bring back.
#[must_use]
pub fn is_passing(table: &str) -> bool {
    matches!(table, "sessions" | "links" | "device_logins" | "sign_in_failures")
}

fn functions_of(version: i64) -> Vec<String> {
    created(version, &["create function ", "create or replace function "])
}

fn created(version: i64, beginnings: &[&str]) -> Vec<String> {
    let mut names = Vec::new();
    for migration in MIGRATIONS.iter().filter(|migration| migration.version <= version) {
        for line in migration.sql.as_str().lines() {
            let rest = beginnings.iter().find_map(|beginning| line.strip_prefix(beginning));
            let name = rest.and_then(|rest| rest.split([' ', '(']).next());
            names.extend(name.filter(|name| !names.contains(&(*name).to_owned())).map(str::to_owned));
        }
    }
    names
}

/// Whether this program has the migration, with this text.
#[must_use]
pub fn is_known(applied: &Applied) -> bool {
    MIGRATIONS.iter().any(|known| known.version == applied.version && hexadecimal(&known.checksum) == applied.checksum)
}

/// The migrations that a database has; none if it has never had one.
///
/// # Errors
/// When the database is not available.
pub async fn applied(conn: &mut PgConnection) -> sqlx::Result<Vec<Applied>> {
    if !exists(conn, "_sqlx_migrations").await? {
        return Ok(Vec::new());
    }
    let rows: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("select version, checksum from _sqlx_migrations where success order by version")
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().map(|(version, checksum)| Applied { version, checksum: hexadecimal(&checksum) }).collect())
}

async fn exists(conn: &mut PgConnection, table: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("select to_regclass($1) is not null").bind(table).fetch_one(conn).await
}

/// One text form of every value, whatever the server or the user has configured.
async fn set_formats(conn: &mut PgConnection) -> sqlx::Result<()> {
    run(
        conn,
        "set datestyle = 'ISO, YMD'; set timezone = 'UTC'; set intervalstyle = 'postgres'; set client_encoding = 'UTF8';
         set bytea_output = 'hex'; set extra_float_digits = 3; set statement_timeout = 0; set lock_timeout = 0;
         set idle_in_transaction_session_timeout = 0",
    )
    .await
}

/// Statements without parameters.
async fn run(conn: &mut PgConnection, sql: impl Into<String>) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql.into())).execute(conn).await?;
    Ok(())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
