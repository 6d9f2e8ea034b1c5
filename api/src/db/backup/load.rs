//! Writing all tables, in one transaction.

use super::{
    Applied, Sequence, Table, applied, exists, functions_of, is_known, is_passing, known_version, list, quoted, run,
    set_formats, tables_of,
};
use crate::db::forges::credentials::{SealedUnder, list_sealed};
use crate::db::system::settings::{self, StoredSetting};
use crate::db::{self, MIGRATIONS};
use sqlx::migrate::{Migrate, MigrateError};
use sqlx::postgres::{PgConnectOptions, PgCopyIn, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, Transaction};

/// What a restore's connection calls itself. What it changes besides loading rows is recorded as made by hand.
const APPLICATION_NAME: &str = "terarchitect-restore";

/// By how much the attempts of live jobs rise: more than coordinators can have claimed since the backup, so that none of
/// their later reports fits.
const ATTEMPTS_SKIPPED: i32 = 1000;

/// Tables that always have their one row.
const WITH_ONE_ROW: &[&str] = &["event_retention", "queue_state"];

/// What a database holds before a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing of ours, or our tables without rows.
    Empty,
    /// Rows of ours.
    Data,
    /// Tables of ours that a newer program has migrated, to this version.
    Newer(i64),
    /// A table of another program that has a name of ours.
    Foreign(String),
}

/// A database that a backup is loaded into. It holds the migrations' lock: an API that starts waits for its end.
#[derive(Debug)]
pub struct Target {
    pool: PgPool,
    tx: Transaction<'static, Postgres>,
}

impl Target {
    /// Connects, begins the transaction, and takes the lock, which stays with the connection.
    ///
    /// # Errors
    /// When the database is not available.
    pub async fn connect(connect: PgConnectOptions) -> Result<Self, MigrateError> {
        let connect = connect.application_name(APPLICATION_NAME);
        let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).connect_with(connect).await?;
        let mut tx = pool.begin().await?;
        set_formats(&mut tx).await?;
        tx.lock().await?;
        Ok(Self { pool, tx })
    }

    /// How many connections APIs have to the database.
    ///
    /// # Errors
    /// When the database is not available.
    pub async fn connections_of_apis(&mut self) -> sqlx::Result<i64> {
        sqlx::query_scalar(
            "select count(*) from pg_stat_activity where datname = current_database() and application_name = $1",
        )
        .bind(db::APPLICATION_NAME)
        .fetch_one(&mut *self.tx)
        .await
    }

    /// What makes the database unsuitable.
    ///
    /// # Errors
    /// When the database is not available.
    pub async fn what_is_wrong(&mut self) -> sqlx::Result<Option<String>> {
        db::suitability::what_is_wrong(&mut self.tx).await
    }

    /// What the database holds.
    ///
    /// # Errors
    /// When the database is not available.
    pub async fn found(&mut self) -> sqlx::Result<Found> {
        let applied = applied(&mut self.tx).await?;
        if let Some(newest) = applied.last().filter(|newest| newest.version > known_version()) {
            return Ok(Found::Newer(newest.version));
        }
        if !applied.iter().all(is_known) {
            return Ok(Found::Foreign("_sqlx_migrations".to_owned()));
        }
        for table in tables_of(known_version()) {
            if !exists(&mut self.tx, &quoted(&table)).await? {
                continue;
            }
            if applied.is_empty() {
                return Ok(Found::Foreign(table));
            }
            let any: bool =
                sqlx::query_scalar(AssertSqlSafe(format!("select exists (select from {})", quoted(&table))))
                    .fetch_one(&mut *self.tx)
                    .await?;
            // Those tables always have their one row, and an API that was only started has made a link.
            if any && !WITH_ONE_ROW.contains(&table.as_str()) && !is_passing(&table) {
                return Ok(Found::Data);
            }
        }
        Ok(Found::Empty)
    }

    /// Creates the tables as they were when the backup was written, without rows.
    ///
    /// # Errors
    /// When the database refuses it.
    pub async fn prepare(&mut self, version: i64) -> Result<(), MigrateError> {
        let conn = &mut *self.tx;
        // Lock: taken at once, so that what still uses the tables ends before anything is changed, or is waited for.
        for table in tables_of(known_version()).iter().rev() {
            run(conn, format!("drop table if exists {} cascade", quoted(table))).await?;
        }
        drop_functions(conn).await?;
        run(conn, "drop table if exists _sqlx_migrations").await?;
        migrate(conn, Some(version)).await?;
        for table in tables_of(version) {
            run(conn, format!("alter table {} disable trigger user", quoted(&table))).await?;
        }
        run(conn, format!("truncate {}", list(&tables_of(version)))).await?;
        Ok(())
    }

    /// Begins to load a table's rows, in Postgres's text form.
    ///
    /// # Errors
    /// When the database refuses it.
    pub async fn load(&mut self, table: &Table) -> sqlx::Result<PgCopyIn<&mut PgConnection>> {
        let statement = format!("copy {} ({}) from stdin", quoted(&table.name), list(&table.columns));
        self.tx.copy_in_raw(&statement).await
    }

    /// After all rows: numbers go on where they were, triggers work again, and newer migrations are applied. Returns the
    /// settings, and what else is sealed, so that the caller can check that it can open them.
    ///
    /// # Errors
    /// When the database refuses it.
    pub async fn complete(
        &mut self,
        schema: &[Applied],
        sequences: &[Sequence],
    ) -> Result<(Vec<StoredSetting>, Vec<SealedUnder>), MigrateError> {
        let conn = &mut *self.tx;
        for sequence in sequences {
            sqlx::query("select setval(pg_get_serial_sequence($1, $2), $3, $4)")
                .bind(quoted(&sequence.table))
                .bind(&sequence.column)
                .bind(sequence.last)
                .bind(sequence.used)
                .execute(&mut *conn)
                .await?;
        }
        for table in tables_of(schema.last().map_or(0, |newest| newest.version)) {
            run(conn, format!("alter table {} enable trigger user", quoted(&table))).await?;
        }
        migrate(conn, None).await?;
        Ok((settings::list(conn).await?, list_sealed(conn).await?))
    }

    /// Makes jobs that ran due again, and ends every attempt that a coordinator may hold. Returns how many ran.
    ///
    /// # Errors
    /// When the database refuses it.
    pub async fn fence_jobs(&mut self) -> sqlx::Result<i64> {
        let conn = &mut *self.tx;
        let ran = sqlx::query_scalar("select count(*) from agent_jobs where status = 'running'");
        let ran = ran.fetch_one(&mut *conn).await?;
        // Those whose stop was requested stay running without a lease: the API ends them as it ends every lost lease.
        let plain = "status = 'running' and cancel_requested_at is null and not requeue_requested";
        run(
            conn,
            format!(
                "insert into agent_job_attempts (job_id, attempt, worker_id, claimed_at, outcome, reason, detail)
                 select id, attempt, worker_id, claimed_at, 'released', 'restored',
                     'The database was restored from a backup that was written while this attempt ran.'
                 from agent_jobs where {plain} on conflict do nothing;
                 update agent_jobs set status = 'pending', due = runs_on = 'container', run_at = least(run_at, now()), worker_id = null,
                     request_id = null, claimed_at = null, lease_expires_at = null where {plain};
                 update agent_jobs set attempt = attempt + {ATTEMPTS_SKIPPED}, request_id = null,
                     lease_expires_at = case when status = 'running' then now() end
                 where status in ('pending', 'running')"
            ),
        )
        .await?;
        Ok(ran)
    }

    /// Makes the event log valid in this cluster, and lets readers of the log before the restore start again.
    ///
    /// # Errors
    /// When the database refuses it.
    pub async fn renew_events(&mut self) -> sqlx::Result<()> {
        db::live::events::adopt_restored(&mut self.tx).await?;
        run(&mut self.tx, "update event_retention set deleted_tx = pg_current_xact_id()").await
    }

    /// Makes all of it valid, and collects statistics for the planner.
    ///
    /// # Errors
    /// When the database refuses it.
    pub async fn commit(self) -> sqlx::Result<()> {
        self.tx.commit().await?;
        let mut conn = self.pool.acquire().await?;
        run(&mut conn, format!("analyze {}", list(&tables_of(known_version())))).await?;
        drop(conn);
        self.pool.close().await;
        Ok(())
    }
}

/// Under the API's name, since the triggers record changes of other programs as made by hand.
async fn migrate(conn: &mut PgConnection, version: Option<i64>) -> Result<(), MigrateError> {
    run(conn, format!("set local application_name = '{}'", db::APPLICATION_NAME)).await?;
    MIGRATIONS.run_direct(version, conn, false).await?;
    run(conn, format!("set local application_name = '{APPLICATION_NAME}'")).await?;
    Ok(())
}

async fn drop_functions(conn: &mut PgConnection) -> sqlx::Result<()> {
    let signatures: Vec<String> = sqlx::query_scalar(
        "select oid::regprocedure::text from pg_proc
         where pronamespace = current_schema()::regnamespace and proname = any ($1)",
    )
    .bind(functions_of(known_version()))
    .fetch_all(&mut *conn)
    .await?;
    for signature in signatures {
        run(conn, format!("drop function if exists {signature} cascade")).await?;
    }
    Ok(())
}
