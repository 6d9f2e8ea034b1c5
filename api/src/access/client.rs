//! Where a request comes from, for people who look at their sessions, and to slow down failed sign-ins.

use crate::actions::people::Client;
use crate::state::App;
use axum::extract::{ConnectInfo, FromRequestParts};
use http::HeaderMap;
use http::header::USER_AGENT;
use http::request::Parts;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

/// Where a request comes from.
#[derive(Clone, Debug)]
pub struct ComesFrom(pub Client);

impl FromRequestParts<App> for ComesFrom {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
        let address = peer.map(|peer| behind_proxy(peer, &parts.headers, app.config.is_public()));
        let user_agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        let user_agent = user_agent.map(|text| text.chars().take(300).collect());
        Ok(Self(Client { address: address.map(|address| address.to_string()), user_agent }))
    }
}

/// The client's address where a proxy of this machine or network says it. Only what the last proxy added is believed,
/// since clients can send the header as well.
fn behind_proxy(peer: IpAddr, headers: &HeaderMap, is_public: bool) -> IpAddr {
    let is_near = match peer {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local(),
    };
    let last = headers.get_all("x-forwarded-for").iter().next_back().and_then(|value| value.to_str().ok());
    let named = last.and_then(|line| line.rsplit(',').next()).and_then(|text| text.trim().parse::<IpAddr>().ok());
    named.filter(|_| is_near && is_public).map_or(peer, |ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_proxy_of_a_public_api_is_believed() {
        let headers: HeaderMap = [("x-forwarded-for", "198.51.100.9, 203.0.113.7")]
            .into_iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let near: IpAddr = "10.0.0.2".parse().unwrap();
        let far: IpAddr = "198.51.100.1".parse().unwrap();
        assert_eq!(behind_proxy(near, &headers, true).to_string(), "203.0.113.7");
        assert_eq!(behind_proxy(near, &headers, false), near);
        assert_eq!(behind_proxy(far, &headers, true), far);
        assert_eq!(behind_proxy(near, &HeaderMap::new(), true), near);
    }
}
