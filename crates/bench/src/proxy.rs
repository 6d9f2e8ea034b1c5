//! A proxy in front of a Unix socket that can cut every connection between a request and its response.

use anyhow::Context;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// A running proxy; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    cuts: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Passes connections to the socket.
    pub(crate) async fn start(socket: PathBuf) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("could not listen for the proxy")?;
        let address = listener.local_addr().context("could not listen for the proxy")?;
        let cuts = Arc::new(AtomicU64::new(0));
        let cut = cuts.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (socket, cut) = (socket.clone(), cut.clone());
                tokio::spawn(async move {
                    // Either side may end the connection at any time, so an error here means nothing.
                    let _ = pass(client, socket, cut).await;
                });
            }
        });
        Ok(Self { address, cuts, task })
    }

    /// Drops the next response on each connection that is open now, and closes the connection: the request has been
    /// carried out, but its sender never learns that.
    pub(crate) fn cut(&self) {
        self.cuts.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut client: TcpStream, socket: PathBuf, cuts: Arc<AtomicU64>) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut server = UnixStream::connect(socket).await?;
    let born = cuts.load(Ordering::SeqCst);
    let (mut from_client, mut from_server) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => match read? {
                0 => return Ok(()),
                n => server.write_all(&from_client[..n]).await?,
            },
            read = server.read(&mut from_server) => match read? {
                0 => return Ok(()),
                _ if cuts.load(Ordering::SeqCst) != born => return Ok(()),
                n => client.write_all(&from_server[..n]).await?,
            },
        }
    }
}
