//! Reading all tables as they are at one moment, while others go on changing them.

use super::{
    Applied, Sequence, Table, applied, is_known, is_passing, known_version, list, quoted, run, set_formats, tables_of,
};
use bytes::Bytes;
use futures::stream::BoxStream;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// What a backup's connection calls itself.
const APPLICATION_NAME: &str = "terarchitect-backup";

/// Why a database can't be saved.
#[derive(Debug, thiserror::Error)]
pub enum NotReadable {
    /// It holds none of our tables.
    #[error(
        "there is nothing to back up: the database holds no tables of Terarchitect; check DATABASE_URL or TERARCHITECT_DATA_DIR"
    )]
    Nothing,
    /// Another version of the program has migrated it.
    #[error(
        "the database has the schema {found}, and this program knows schemas up to {known}; run 'backup' with the terarchitect-api that serves the database"
    )]
    OtherProgram {
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The database failed.
    #[error("could not read the database")]
    Database(#[from] sqlx::Error),
}

/// All tables at one moment.
#[derive(Debug)]
pub struct Snapshot {
    conn: PgConnection,
    /// The migrations that the database has.
    pub schema: Vec<Applied>,
    /// The tables, those that others refer to first.
    pub tables: Vec<Table>,
    /// How far numbers have been given out; read after the moment of the snapshot, so that none is given out twice.
    pub sequences: Vec<Sequence>,
    /// The keys that the stored secrets were sealed with.
    pub key_ids: Vec<String>,
    /// Postgres's version.
    pub postgres: String,
}

impl Snapshot {
    /// Begins a snapshot. It only reads, and blocks nothing but migrations.
    ///
    /// # Errors
    /// When there is nothing to read, or the schema is another program's.
    pub async fn begin(connect: PgConnectOptions) -> Result<Self, NotReadable> {
        let mut conn = PgConnection::connect_with(&connect.application_name(APPLICATION_NAME)).await?;
        set_formats(&mut conn).await?;
        let schema = applied(&mut conn).await?;
        let newest = schema.last().ok_or(NotReadable::Nothing)?;
        if !schema.iter().all(is_known) {
            return Err(NotReadable::OtherProgram { found: newest.version, known: known_version() });
        }
        let names = tables_of(newest.version);
        run(&mut conn, "begin isolation level repeatable read, read only").await?;
        // Lock: no migration may change the tables meanwhile. The snapshot is taken by the first query after it.
        run(&mut conn, format!("lock table {} in access share mode", list(&names))).await?;
        let postgres = sqlx::query_scalar("select current_setting('server_version')").fetch_one(&mut conn).await?;
        let sealed: Vec<String> = ["settings", "credentials", "webhook_secrets", "project_secrets"]
            .into_iter()
            .filter(|table| names.iter().any(|name| name == table))
            .map(|table| format!("select key_id from {table} where key_id is not null"))
            .collect();
        let key_ids = sqlx::query_scalar(AssertSqlSafe(format!("{} order by key_id", sealed.join(" union "))))
            .fetch_all(&mut conn)
            .await?;
        let mut tables = Vec::new();
        for name in names {
            let columns = columns(&mut conn, &name).await?;
            tables.push(Table { name, columns });
        }
        let sequences = sequences(&mut conn, &tables).await?;
        Ok(Self { conn, schema, tables, sequences, key_ids, postgres })
    }

    /// The connection that sees the moment of the snapshot.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.conn
    }

    /// The rows of a table, in Postgres's text form.
    ///
    /// # Errors
    /// When the database is not available.
    pub async fn rows(&mut self, table: &Table) -> sqlx::Result<BoxStream<'_, sqlx::Result<Bytes>>> {
        let (name, columns) = (quoted(&table.name), list(&table.columns));
        let statement = if is_passing(&table.name) {
            format!("copy (select {columns} from {name} where false) to stdout")
        } else {
            format!("copy {name} ({columns}) to stdout")
        };
        self.conn.copy_out_raw(&statement).await
    }

    /// Ends it.
    ///
    /// # Errors
    /// When the database is not available any more.
    pub async fn end(mut self) -> sqlx::Result<()> {
        run(&mut self.conn, "rollback").await?;
        self.conn.close().await
    }
}

/// The columns that are stored: a generated one is computed again.
async fn columns(conn: &mut PgConnection, table: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select attname::text from pg_attribute
         where attrelid = to_regclass($1) and attnum > 0 and not attisdropped and attgenerated = '' order by attnum",
    )
    .bind(table)
    .fetch_all(conn)
    .await
}

async fn sequences(conn: &mut PgConnection, tables: &[Table]) -> sqlx::Result<Vec<Sequence>> {
    let mut found = Vec::new();
    for table in tables {
        for column in &table.columns {
            let name: Option<String> = sqlx::query_scalar("select pg_get_serial_sequence($1, $2)")
                .bind(quoted(&table.name))
                .bind(column)
                .fetch_one(&mut *conn)
                .await?;
            let Some(name) = name else { continue };
            let (last, used) = sqlx::query_as(AssertSqlSafe(format!("select last_value, is_called from {name}")))
                .fetch_one(&mut *conn)
                .await?;
            found.push(Sequence { table: table.name.clone(), column: column.clone(), last, used });
        }
    }
    Ok(found)
}
