//! Listening on one or several addresses, the same port on each, until it is stopped.

use anyhow::Context;
use axum::Router;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A running server; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _stop: DropGuard,
}

/// Serves on every address. Port 0 picks a free port, the same one for all.
pub(crate) async fn serve(addresses: &[SocketAddr], router: Router) -> anyhow::Result<Server> {
    let stop = CancellationToken::new();
    let mut first: Option<SocketAddr> = None;
    for &address in addresses {
        let mut address = address;
        if let Some(first) = first
            && address.port() == 0
        {
            address.set_port(first.port());
        }
        let listener = TcpListener::bind(address).await.with_context(|| format!("could not listen on {address}"))?;
        let local = listener.local_addr().context("a listener without an address")?;
        first.get_or_insert(local);
        let (router, stop) = (router.clone(), stop.clone().cancelled_owned());
        tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stop).await });
    }
    let address = first.context("no address to listen on")?;
    Ok(Server { address, _stop: stop.drop_guard() })
}

/// Loopback, any free port.
pub(crate) fn any_loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}
