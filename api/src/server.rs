//! From options to a running service, and back: database, migrations, listeners, an orderly end.

use crate::access::AllowedOrigins;
use crate::actions::ActionError;
use crate::actions::cloud::Cloud;
use crate::actions::forges::credentials::check_sealed;
use crate::actions::people::links;
use crate::app::router;
use crate::background::Background;
use crate::config::{ServeOptions, non_empty, require_loopback};
use crate::database_address;
use crate::db;
use crate::domain::people::link::address;
use crate::domain::system::settings;
use crate::embedded_postgres::{Cluster, DataDirLock};
use crate::oidc::OidcConfig;
use crate::sealing::Sealer;
use crate::serving::{self, Patience, Seats};
use crate::state::{App, AppConfig};
use anyhow::Context;
use axum::Router;
use secrecy::ExposeSecret;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long requests that run may take to end after a signal.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);

/// Serves until a signal, and leaves nothing behind.
///
/// # Errors
/// When something that is needed is missing; the text says what to do.
pub async fn run(options: ServeOptions) -> anyhow::Result<()> {
    let stop = stop_on_signals().context("could not listen for signals")?;
    let addresses = options.addresses()?;
    let data_dir = options.data_dir()?;
    let public_url = options.public_url()?;
    let api_key = options.api_key();
    let cursor_secret = options.cursor.webhook_secret(api_key.as_ref())?;
    let cloud = options.cursor.client()?.zip(cursor_secret);
    let mut config = AppConfig {
        cursor_secrets: options.cursor.webhook_secrets(api_key.as_ref())?,
        cloud: cloud.map(|(cursor, secret)| Cloud::new(cursor, public_url.as_ref(), &secret, options.cursor.look())),
        api_key,
        worker_key: non_empty(options.worker_api_key.as_ref()),
        origins: AllowedOrigins::parse(&options.allowed_origins)?,
        forge_api: options.forge_api()?,
        oidc: OidcConfig::read(&options.oidc, public_url.as_ref())?,
        public_url,
        limits: options.limits(),
        ask_forge: None,
        read_forge: None,
        private_database: None,
    };
    prepare_data_dir(&data_dir)?;
    let sealer = Sealer::from_config(non_empty(options.secret_key.as_ref()).as_ref(), &data_dir)?;

    let url = non_empty(options.database_url.as_ref());
    let (cluster, connect) = match &url {
        Some(url) => (None, database_address::parse(url.expose_secret())?),
        None => {
            let lock = DataDirLock::acquire(&data_dir)?;
            let Some(cluster) = Cluster::start(&data_dir, lock, &stop).await? else { return Ok(()) };
            let connect = cluster.connect_options();
            config.private_database = Some(cluster.health());
            (Some(cluster), connect)
        }
    };
    // Whatever happens from here on, the private Postgres is stopped before this returns.
    let outcome = serve(connect, &options, &addresses, config, sealer, stop).await;
    if let Some(cluster) = cluster {
        cluster.stop().await?;
    }
    outcome
}

pub(crate) fn prepare_data_dir(dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| {
        format!(
            "could not create the data directory {}; set TERARCHITECT_DATA_DIR to a directory that you can write to",
            dir.display()
        )
    })
}

async fn serve(
    connect: PgConnectOptions,
    options: &ServeOptions,
    addresses: &[SocketAddr],
    config: AppConfig,
    sealer: Sealer,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let pool = tokio::select! {
        pool = open_database(connect, options.database_connections) => pool?,
        () = stop.cancelled() => return Ok(()),
    };
    let app = App::new(pool.clone(), sealer, config, stop.clone());
    check_stored_secrets(&app).await?;
    adopt_restored_events(&app).await?;
    require_keys_or_people(&app, addresses).await?;
    let listeners = bind(addresses).await?;
    if let Some(path) = &options.ready_file {
        write_ready_file(path, &listeners)?;
    }
    say_how_to_begin(&app, &listeners).await?;
    let background = Background::start(&app, &stop);
    let connections = serving::connections_for(serving::raise_limit(), options.database_connections);
    let seats = Seats::new(serving::Limits::of(connections));
    let served = serve_on(listeners, router(app), seats, stop.clone()).await;
    stop.cancel();
    background.finish().await;
    served?;
    pool.close().await;
    tracing::info!("stopped");
    Ok(())
}

async fn open_database(connect: PgConnectOptions, connections: u32) -> anyhow::Result<PgPool> {
    let failed = "could not connect to the database; check DATABASE_URL, or unset it to use a private Postgres";
    anyhow::ensure!(
        db::connections::are_sessions(connect.clone()).await.context(failed)?,
        "DATABASE_URL is the address of a connection pooler that shares sessions, but the API needs sessions of its own; \
         set pool_mode = session in the pooler, or use the address of Postgres itself"
    );
    let pool = db::connect(connect, connections).await.context(failed)?;
    let mut connection = pool.acquire().await.context(failed)?;
    if let Some(wrong) = db::suitability::what_is_wrong(&mut connection).await.context(failed)? {
        anyhow::bail!(wrong);
    }
    drop(connection);
    // sqlx takes an advisory lock of the database, so that of two replicas one migrates and the other waits.
    db::MIGRATIONS.run(&pool).await.context("could not apply the migrations to the database")?;
    Ok(pool)
}

/// Refuses to run with a key that can't open what is stored: silently losing the worker key would open the API.
async fn check_stored_secrets(app: &App) -> anyhow::Result<()> {
    let mut conn = app.database.read().await.context("could not read the settings")?;
    for stored in db::system::settings::list(&mut conn).await.context("could not read the settings")? {
        if settings::is_secret(&stored.key) {
            app.open(&stored)?;
        }
    }
    drop(conn);
    check_sealed(&app.database, &app.sealer).await.map_err(|error| match error {
        ActionError::Secret(error) => error.into(),
        error => anyhow::Error::from(error).context("could not read the credentials"),
    })
}

/// Without keys and people the API is for its own machine, unless people open it elsewhere and sign in there.
async fn require_keys_or_people(app: &App, addresses: &[SocketAddr]) -> anyhow::Result<()> {
    let has_keys = app.config.api_key.is_some() || app.worker_key().await.is_ok_and(|key| key.is_some());
    if has_keys || app.config.is_public() || app.any_people().await.context("could not read the people")? {
        return Ok(());
    }
    require_loopback(addresses)?;
    tracing::warn!(
        "no key is set: accepting requests from this machine only; set TERARCHITECT_API_KEY and TERARCHITECT_WORKER_API_KEY to accept them from other machines"
    );
    Ok(())
}

/// While no one can sign in, each start says with which link the first admin is made; one of an earlier start is void.
async fn say_how_to_begin(app: &App, listeners: &[TcpListener]) -> anyhow::Result<()> {
    let made = links::make_first_admin_link(&app.database).await.context("could not create the first link")?;
    let Some(secret) = made else { return Ok(()) };
    let listening = listeners.first().and_then(|listener| listener.local_addr().ok());
    let base = match (&app.config.public_url, listening) {
        (Some(url), _) => url.to_string(),
        (None, Some(address)) if address.ip().is_unspecified() => format!("http://localhost:{}", address.port()),
        (None, Some(address)) => format!("http://{address}"),
        (None, None) => String::new(),
    };
    let link = address(&base, secret.text());
    tracing::info!("no one can sign in yet: open {link} within a day to become the first admin");
    Ok(())
}

/// After a restore into another cluster, positions in the event log must be made valid again.
async fn adopt_restored_events(app: &App) -> anyhow::Result<()> {
    let mut conn = app.database.read().await.context("could not read the event log")?;
    db::live::events::adopt_restored(&mut conn).await.context("could not prepare the event log")
}

async fn bind(addresses: &[SocketAddr]) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    let mut picked = 0;
    for &address in addresses {
        let mut address = address;
        if address.port() == 0 {
            address.set_port(picked);
        }
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("could not listen on {address}; is another program using the port? Set TERARCHITECT_LISTEN to another address")
        })?;
        let local = listener.local_addr().context("could not read the address of a listener")?;
        picked = local.port();
        tracing::info!(address = %local, "listening on http://{local}; read the API at http://{local}/docs");
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Written beside its place and renamed, so that a reader never sees half of it.
fn write_ready_file(path: &Path, listeners: &[TcpListener]) -> anyhow::Result<()> {
    let urls: Vec<String> =
        listeners.iter().filter_map(|listener| listener.local_addr().ok()).map(|a| format!("http://{a}")).collect();
    let text = serde_json::json!({"pid": std::process::id(), "urls": urls}).to_string();
    let draft = path.with_extension("new");
    let written = std::fs::write(&draft, text).and_then(|()| std::fs::rename(&draft, path));
    written.with_context(|| format!("could not write {}", path.display()))
}

/// Serves until `stop`, then takes no new connections and lets running requests end, for a while.
async fn serve_on(
    listeners: Vec<TcpListener>,
    router: Router,
    seats: Arc<Seats>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut servers = JoinSet::new();
    for listener in listeners {
        servers.spawn(serving::serve(listener, router.clone(), seats.clone(), Patience::default(), stop.clone()));
    }
    let drained = async {
        while let Some(ended) = servers.join_next().await {
            ended.context("a server task failed")?;
        }
        anyhow::Ok(())
    };
    let give_up = async {
        stop.cancelled().await;
        tracing::info!("stopping: waiting for running requests to finish");
        tokio::time::sleep(DRAIN_LIMIT).await;
    };
    tokio::select! {
        ended = drained => ended,
        () = give_up => {
            tracing::warn!(
                limit_sec = DRAIN_LIMIT.as_secs(),
                "some requests did not finish in time; closing their connections"
            );
            Ok(())
        }
    }
}

/// A token that TERM or INT cancels.
pub(crate) fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        token.cancel();
    });
    Ok(stop)
}
