//! TLS in front of another server, as `forge.invalid`, with a certificate of an authority that no client trusts by default.
//! The files beside this one are for tests alone; the authority's key was thrown away.

use anyhow::Context;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The certificate of the authority, to be trusted in a test.
pub const CA: &str = include_str!("ca.pem");
/// The name in the server's certificate. No name server knows it.
pub const NAME: &str = "forge.invalid";

/// A running server; dropping it stops it.
#[derive(Debug)]
pub struct Tls {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Tls {
    /// Starts on a free port of loopback and passes on to `target` what it decrypts.
    ///
    /// # Errors
    /// When it can't listen.
    pub async fn start(target: SocketAddr) -> anyhow::Result<Self> {
        let certificate = CertificateDer::from_pem_slice(include_bytes!("forge.pem")).context("the certificate")?;
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("forge.key")).context("the certificate's key")?;
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.context("could not listen on loopback")?;
        let address = listener.local_addr().context("could not read the server's address")?;
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(acceptor.clone(), stream, target));
            }
        });
        Ok(Self { address, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream, target: SocketAddr) -> anyhow::Result<()> {
    let mut client = acceptor.accept(stream).await?;
    let mut server = TcpStream::connect(target).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
