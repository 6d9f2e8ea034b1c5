//! Connections to the database: how they are opened, which of them are still good, and what a pooler in between must do.
//!
//! Nothing is asked of the server at a connection's start that a pooler such as PgBouncer refuses by default: settings are
//! made on the open connection.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgExecutor, PgPool, Row};
use std::time::Duration;
use tokio::time::Instant;

/// What the API's connections call themselves: changes over any other connection are made by hand, and recorded in the
/// event log by triggers (`…_by_hand` in the migrations).
pub const APPLICATION_NAME: &str = "terarchitect-api";

/// How long to wait for a connection, so that a caller gets a response.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(5);
/// How long a server that refuses connections, or is starting, is tried at first.
const FIRST_LIMIT: Duration = Duration::from_secs(5);
/// The pause between two such tries.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// How often two connections are compared. Other clients of a pooler may take a connection in between.
const COMPARISONS: usize = 5;
/// What a session of the API has, whatever was set for the role, the database or the server. The statements here are short;
/// compiling one of them costs more than it ever saves. Locks keep transactions apart, so those never have to fail because
/// others were faster, as they would with a stricter isolation.
const SETTINGS: &str = "set jit = off; set default_transaction_isolation = 'read committed'; \
    set default_transaction_deferrable = off; set standard_conforming_strings = on; set transform_null_equals = off";
/// The SQLSTATE of a server that is starting, or stopping.
const CANNOT_CONNECT_NOW: &str = "57P03";

/// Opens the pool.
///
/// # Errors
/// When the database does not respond, or refuses the connection.
pub async fn connect(options: PgConnectOptions, max_connections: u32) -> sqlx::Result<PgPool> {
    let options = named(options);
    // The pool would only say that it timed out.
    first_connection(&options).await?.close().await?;
    let pool = PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_LIMIT)
        .after_connect(|connection, _| Box::pin(async { connection.execute(SETTINGS).await.map(drop) }))
        // In place of the pool's own check, which costs the same round trip and does not notice a read-only server.
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(async { Ok(accepts_changes(connection).await.unwrap_or(false)) }))
        .connect_lazy_with(options);
    Ok(pool)
}

/// What every connection asks for at its start.
fn named(options: PgConnectOptions) -> PgConnectOptions {
    options.application_name(APPLICATION_NAME).extra_float_digits(None)
}

async fn first_connection(options: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    let until = Instant::now() + FIRST_LIMIT;
    loop {
        let silent = || std::io::Error::new(std::io::ErrorKind::TimedOut, "the database did not respond in time");
        let error = match tokio::time::timeout_at(until, options.connect()).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => error,
            Err(_) => silent().into(),
        };
        if !may_be_starting(&error) || Instant::now() + FIRST_PAUSE > until {
            return Err(error);
        }
        tokio::time::sleep(FIRST_PAUSE).await;
    }
}

fn may_be_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => {
            matches!(error.kind(), std::io::ErrorKind::ConnectionRefused | std::io::ErrorKind::NotFound)
        }
        sqlx::Error::Database(error) => error.code().as_deref() == Some(CANNOT_CONNECT_NOW),
        _ => false,
    }
}

/// Whether the server accepts changes over this connection. After a failover, connections to the earlier primary may live
/// on although it has become read-only; and a session that began while a database was read-only stays so.
///
/// # Errors
/// When the connection is broken.
pub async fn accepts_changes(connection: impl PgExecutor<'_>) -> sqlx::Result<bool> {
    let row = sqlx::raw_sql("show transaction_read_only").fetch_one(connection).await?;
    Ok(row.try_get::<&str, _>(0)? == "off")
}

/// Whether each connection with these options is a session of its own with the server. Behind a pooler that shares
/// sessions it is not, and locks, notifications and settings of one connection would be another's.
///
/// Nothing is prepared for this, since that is the first to fail there.
///
/// # Errors
/// When the database is not available.
pub async fn are_sessions(options: PgConnectOptions) -> sqlx::Result<bool> {
    let options = named(options);
    let (mut one, mut two) = (first_connection(&options).await?, first_connection(&options).await?);
    let mut sessions = true;
    for _ in 0..COMPARISONS {
        sessions = sessions && are_two_sessions(&mut one, &mut two).await?;
    }
    // What was learnt is known, however these end.
    let _ = (one.close().await, two.close().await);
    Ok(sessions)
}

async fn are_two_sessions(one: &mut PgConnection, two: &mut PgConnection) -> sqlx::Result<bool> {
    let before = backend(one).await?;
    // In a transaction the second connection holds a backend, often the one that the first had just now.
    match two.execute("begin").await {
        Ok(_) => {}
        // A pooler in statement mode.
        Err(sqlx::Error::Database(_)) => return Ok(false),
        Err(error) => return Err(error),
    }
    let (held, after) = (backend(two).await?, backend(one).await?);
    two.execute("rollback").await?;
    Ok(before == after && held != before)
}

/// The server process that runs this connection's statements.
async fn backend(connection: &mut PgConnection) -> sqlx::Result<i32> {
    sqlx::raw_sql("select pg_backend_pid()").fetch_one(connection).await?.try_get_unchecked(0)
}

/// Whether there is a table or a view of this name.
pub async fn exists(conn: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("select to_regclass($1) is not null").bind(name).fetch_one(conn).await
}
