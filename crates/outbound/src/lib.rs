//! What every HTTP client of Terarchitect needs, whichever service it calls: when to retry, which address to call and
//! through which proxy, how to keep secrets out of texts, and an error in one line.
//!
//! It makes no HTTP calls itself and knows none of the services.

mod address;
mod errors;
mod mask;
mod proxy;
mod retry;

pub use address::{
    InvalidUrl, api_base, endpoint, has_credentials, http_url, is_loopback, is_same_server, reachable_as,
};
pub use errors::chain;
pub use mask::{Mask, is_secret_name};
pub use proxy::{PROXY_VARIABLES, Proxies};
pub use retry::{Retriable, Retry, Waits, retry, retry_after};
