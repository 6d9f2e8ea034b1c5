//! A gateway to language models on loopback: the only thing that knows a model's key.
//!
//! Agent and Director call it with a placeholder, which is worth nothing anywhere else and dies with the attempt. It passes
//! calls of models on to the configured address, and to nothing else; streams their responses through; counts what they
//! used, and refuses them once a budget is used up; and decides about retries, so that no agent asks a failing server for ever. What a failure means for the attempt is
//! decided elsewhere.

mod door;
mod doors;
mod failure;
mod serve;
mod tokens;
mod upstream;
mod wire;

pub use door::{Spent, Trouble, Upstream};
pub use failure::ModelFailure;
pub use tokens::Tokens;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::any;
use axum::serve::ListenerExt;
use door::Door;
use doors::Doors;
use secrecy::SecretString;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use terarchitect_outbound::is_loopback;
use terarchitect_worker_api::{BudgetLeft, BudgetLimit};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

/// How long a connection to a model's server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest request: a long conversation with pictures.
const REQUEST_BYTES: usize = 64 * 1024 * 1024;

/// Why there is no gateway.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// No port of loopback can be listened on.
    #[error("could not listen on 127.0.0.1 for calls of models")]
    Listen(#[source] std::io::Error),
    /// The HTTP client could not be set up, for example because no CA certificates can be read.
    #[error("could not set up the HTTP client")]
    Setup(#[source] reqwest::Error),
}

/// A gateway that runs. Dropping it ends it, and all calls that pass through it.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    doors: Arc<Doors>,
    serving: JoinHandle<()>,
}

/// Where a gateway will be, before it is known which models it leads to.
#[derive(Debug)]
pub struct Place {
    listener: TcpListener,
    address: SocketAddr,
    /// The name of the one model whose entrance is fixed already, and the placeholder for it.
    fixed: (&'static str, SecretString),
}

impl Place {
    /// Takes a free port of loopback. A call that comes before the gateway waits for it.
    ///
    /// # Errors
    /// There is no port.
    pub async fn take(model: &'static str) -> Result<Self, GatewayError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(GatewayError::Listen)?;
        let address = listener.local_addr().map_err(GatewayError::Listen)?;
        Ok(Self { listener, address, fixed: (model, door::placeholder()) })
    }

    /// How a program will get to the model whose entrance is fixed.
    #[must_use]
    pub fn entrance(&self) -> Option<Entrance> {
        Entrance::at(self.address, self.fixed.0, &self.fixed.1)
    }
}

/// What a program needs to ask a model through the gateway.
#[derive(Clone, Debug)]
pub struct Entrance {
    /// The base address of the model's API.
    pub base: Url,
    /// The key that is valid there, and nowhere else.
    pub placeholder: SecretString,
}

impl Entrance {
    fn at(address: SocketAddr, model: &str, placeholder: &SecretString) -> Option<Self> {
        let base = format!("http://{address}/{model}").parse().ok()?;
        Some(Self { base, placeholder: placeholder.clone() })
    }
}

impl Gateway {
    /// Starts on a free port of loopback.
    ///
    /// # Errors
    /// There is no port, or no HTTP client.
    pub async fn start(upstreams: impl IntoIterator<Item = Upstream>) -> Result<Self, GatewayError> {
        Self::start_at(Place::take("").await?, upstreams)
    }

    /// Starts where a place was taken.
    ///
    /// # Errors
    /// There is no HTTP client.
    pub fn start_at(place: Place, upstreams: impl IntoIterator<Item = Upstream>) -> Result<Self, GatewayError> {
        let Place { listener, address, fixed: (model, placeholder) } = place;
        let doors = upstreams.into_iter().map(|of| {
            let http = client(&of.base)?;
            let placeholder = if of.name == model { placeholder.clone() } else { door::placeholder() };
            Ok(Arc::new(Door::new(of, http, placeholder)))
        });
        let doors = Arc::new(Doors::new(doors.collect::<Result<Vec<_>, _>>().map_err(GatewayError::Setup)?));
        let router = Router::new()
            .fallback(any(serve::pass))
            .layer(DefaultBodyLimit::max(REQUEST_BYTES))
            .with_state(doors.clone());
        // Without this, each part of an answer waits up to 40 ms for the one before it to be acknowledged.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "could not send the parts of answers at once");
            }
        });
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the gateway to models ended; calls of models fail from now on");
            }
        });
        Ok(Self { address, doors, serving })
    }

    /// How a program gets to the model of this name; none where there is no such model.
    #[must_use]
    pub fn entrance(&self, name: &str) -> Option<Entrance> {
        let door = self.door(name)?;
        Entrance::at(self.address, door.of.name, door.placeholder())
    }

    /// What the calls of this model came to so far.
    #[must_use]
    pub fn spent(&self, name: &str) -> Spent {
        self.door(name).map(|door| door.spent()).unwrap_or_default()
    }

    /// Why this model's last call failed; none if it did not.
    #[must_use]
    pub fn trouble(&self, name: &str) -> Option<Trouble> {
        self.door(name)?.trouble()
    }

    /// Limits what all models together may use from now on, with what they have used already. `model` says which model is behind a
    /// name. Calls that are under way go on.
    pub fn limit(&self, left: BudgetLeft, model: impl Fn(&str) -> Option<String>) {
        self.doors.limit(left, model);
    }

    /// The limit that is reached, if one is: calls are refused from then on.
    #[must_use]
    pub fn reached(&self) -> Option<BudgetLimit> {
        self.doors.reached()
    }

    fn door(&self, name: &str) -> Option<&Arc<Door>> {
        self.doors.find(name)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.serving.abort();
        for door in self.doors.all() {
            door.closed.cancel();
        }
    }
}

/// A key goes to the model's own address alone, and follows no redirect to another host.
fn client(base: &Url) -> reqwest::Result<reqwest::Client> {
    let http = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).redirect(crate::probe::same_server());
    if is_loopback(base) { http.no_proxy().build() } else { http.build() }
}
