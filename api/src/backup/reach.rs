//! Getting to the database without serving: the configured one, or the private one, which is started if no API runs it.

use crate::changes::{Database, Hub};
use crate::config::{ServeOptions, non_empty};
use crate::database_address;
use crate::db;
use crate::embedded_postgres::{Cluster, ClusterError, DataDirLock};
use anyhow::{Context, ensure};
use secrecy::ExposeSecret;
use sqlx::postgres::PgConnectOptions;
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A database that can be connected to.
#[derive(Debug)]
pub(crate) struct Reached {
    /// How to connect.
    pub(crate) connect: PgConnectOptions,
    cluster: Option<Cluster>,
}

impl Reached {
    /// To read it: an API may run it.
    ///
    /// # Errors
    /// When there is no database.
    pub(crate) async fn to_read(
        options: &ServeOptions,
        data_dir: &Path,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        if let Some(reached) = Self::configured(options)? {
            return Ok(reached);
        }
        ensure!(
            Cluster::exists(data_dir),
            "there is nothing to read: there is no private database in {}; set TERARCHITECT_DATA_DIR or DATABASE_URL",
            data_dir.display()
        );
        match DataDirLock::acquire(data_dir) {
            Ok(lock) => Self::start(data_dir, lock, stop).await,
            Err(ClusterError::InUse { .. }) => {
                Ok(Self { connect: Cluster::connect_options_of(data_dir)?, cluster: None })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// To write it: no API may run it. A private database is created where there is none.
    ///
    /// # Errors
    /// When there is no database, or an API uses the data directory.
    pub(crate) async fn to_write(
        options: &ServeOptions,
        data_dir: &Path,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        match Self::configured(options)? {
            Some(reached) => Ok(reached),
            None => Self::start(data_dir, DataDirLock::acquire(data_dir)?, stop).await,
        }
    }

    fn configured(options: &ServeOptions) -> anyhow::Result<Option<Self>> {
        let Some(url) = non_empty(options.database_url.as_ref()) else { return Ok(None) };
        Ok(Some(Self { connect: database_address::parse(url.expose_secret())?, cluster: None }))
    }

    async fn start(data_dir: &Path, lock: DataDirLock, stop: &CancellationToken) -> anyhow::Result<Self> {
        let cluster = Cluster::start(data_dir, lock, stop).await?;
        let cluster = cluster.context("stopped before the private Postgres had started; nothing was changed")?;
        Ok(Self { connect: cluster.connect_options(), cluster: Some(cluster) })
    }

    /// A few connections to a database that this version has migrated.
    ///
    /// # Errors
    /// When it can't be reached, or is not of this version.
    pub(crate) async fn open(&self) -> anyhow::Result<Database> {
        let failed = "could not connect to the database";
        let pool = db::connect(self.connect.clone(), 2).await.context(failed)?;
        let mut conn = pool.acquire().await.context(failed)?;
        let newest = db::backup::applied(&mut conn).await.context(failed)?.last().map_or(0, |applied| applied.version);
        drop(conn);
        ensure!(
            newest == db::backup::known_version(),
            "the database has not been migrated to this version; start this terarchitect-api on it once, then try again"
        );
        Ok(Database::new(pool.clone(), Arc::new(Hub::new(pool)), Arc::default()))
    }

    /// Stops what was started.
    ///
    /// # Errors
    /// When the private Postgres had failed.
    pub(crate) async fn leave(self) -> anyhow::Result<()> {
        match self.cluster {
            Some(cluster) => Ok(cluster.stop().await?),
            None => Ok(()),
        }
    }
}
