//! The seam against small servers that speak each forge's dialect, and against the testbed's forge.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

mod finding;
mod gitea;
mod github;
mod gitlab;
mod history;
mod hosts;
mod local;
mod lost;
mod opening;
mod schema;
mod stub;
mod told;

use std::time::Duration;
use stub::Stub;
use terarchitect_forge::{Credential, Forge, Kind, Patience, Place, Repository, connect};

/// Short enough for a test that waits for the end of it.
const PATIENCE: Patience = Patience {
    failures: Duration::from_secs(2),
    limits: Duration::from_secs(2),
    settling: Duration::from_secs(1),
    request: Duration::from_secs(10),
};

/// `owner/name` at a stub, by a token that is for it.
fn forge(stub: &Stub, kind: Kind, api: &str, owner: &str) -> Box<dyn Forge> {
    let api = stub.url(api);
    let credential = Credential::of_api(&api, "the token", "sesame-token".into());
    let repository = Repository { host: None, owner: owner.into(), name: "r".into() };
    connect(Place { kind, api, repository }, &credential, PATIENCE).unwrap()
}
