//! A connection that one task keeps for its one statement.

use sqlx::{Connection, Executor, PgConnection, PgPool};

/// Plans once, and walks indexes in order with nested loops, whatever the statistics say: these statements touch a few
/// rows each, and a plan that reads a whole table or gathers dead index entries would be a mistake each time.
///
/// The server's timeout is shorter than the client's: a statement that the client has given up must not claim later.
pub const ONE_GOOD_PLAN: &str = "set statement_timeout = '15s'; set plan_cache_mode = force_generic_plan; set enable_seqscan = off; \
    set enable_bitmapscan = off; set enable_hashjoin = off; set enable_mergejoin = off";

/// A connection outside of the pool, opened when it is needed, and again after it broke. Taking one from the pool costs
/// a round trip each time; and these statements, which have one good plan, would be planned again each time.
#[derive(Debug)]
pub(super) struct OwnConnection {
    pool: PgPool,
    connection: Option<PgConnection>,
}

impl OwnConnection {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool, connection: None }
    }

    /// The connection; a new one if there is none.
    pub(super) async fn get(&mut self) -> sqlx::Result<&mut PgConnection> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let mut connection = self.pool.acquire().await?.detach();
                connection.execute(ONE_GOOD_PLAN).await?;
                connection
            }
        };
        Ok(self.connection.insert(connection))
    }

    /// Gives the connection up: it may be broken, or in the middle of something.
    pub(super) fn forget(&mut self) {
        self.connection = None;
    }

    /// Ends the connection in order.
    pub(super) async fn close(self) {
        if let Some(connection) = self.connection {
            // The process ends; a server that has stopped has closed the connection already.
            let _ = connection.close().await;
        }
    }
}
