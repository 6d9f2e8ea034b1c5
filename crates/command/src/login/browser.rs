//! Signing in from a browser: shows an address and a code, and waits until a person has decided there.

use super::{Signed, name_of_this_machine};
use crate::exit;
use crate::output::Output;
use crate::text;
use secrecy::ExposeSecret;
use serde_json::json;
use std::time::Duration;
use terarchitect_client::{Client, ClientError, DeviceLogin};
use tokio::time::{Instant, sleep};

/// The shortest time between two questions, whatever the API says.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest: someone is waiting.
const LONGEST: Duration = Duration::from_secs(60);

/// Signs in from a browser, wherever that runs.
pub(super) async fn sign_in(out: &Output, client: &Client) -> anyhow::Result<Signed> {
    tokio::select! {
        signed = wait_for_a_person(out, client) => signed,
        signal = tokio::signal::ctrl_c() => {
            signal?;
            if out.live && !out.json {
                // Below the ^C of the terminal.
                out.note("");
            }
            Err(exit::interrupted("stopped; you are not signed in, and the code is of no use any more"))
        }
    }
}

async fn wait_for_a_person(out: &Output, client: &Client) -> anyhow::Result<Signed> {
    let login = client.begin_login(&name_of_this_machine()).await?;
    show(out, &login);
    let mut interval = Duration::from_secs(login.interval).clamp(SHORTEST, LONGEST);
    let end = Instant::now() + Duration::from_secs(login.expires_in);
    loop {
        if Instant::now() + interval > end {
            return Err(expired());
        }
        sleep(interval).await;
        let answer = match client.collect_login(&login.device_code).await {
            Ok(answer) => answer,
            // A page is open and a person may be typing, so this goes on for as long as the code holds.
            Err(error) if may_pass(&error) => {
                interval = (interval * 2).min(LONGEST);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        match answer.state.as_str() {
            "approved" => match answer.token.filter(|token| !token.expose_secret().is_empty()) {
                Some(token) => {
                    return Ok(Signed { token: Some(token), token_id: answer.token_id, email: answer.email });
                }
                None => {
                    return Err(exit::failed("the API let you in but sent no token; run `terarchitect login` again"));
                }
            },
            "denied" => {
                let sentence = "this sign-in was denied in the browser";
                return Err(exit::not_let_in("denied", sentence));
            }
            "expired" => return Err(expired()),
            // What is still open, in words of today and of a newer API.
            _ => {
                let given = answer.interval.map(Duration::from_secs);
                interval = given.unwrap_or(interval).clamp(SHORTEST, LONGEST);
            }
        }
    }
}

fn expired() -> anyhow::Error {
    exit::not_let_in("expired", "the code was not approved in time; run `terarchitect login` again for a new one")
}

/// Whether the same question may get an answer later.
fn may_pass(error: &ClientError) -> bool {
    error.is_unreachable() || error.status().is_some_and(|status| status.is_server_error() || status.as_u16() == 429)
}

fn show(out: &Output, login: &DeviceLogin) {
    let whole = login.verification_uri_complete.as_deref().unwrap_or(&login.verification_uri);
    let (page, code) = (text::line(whole), text::line(&login.user_code));
    if out.json {
        out.remark(&json!({
            "note": format!("Open {page} and approve the code {code}."),
            "verification_uri": login.verification_uri,
            "verification_uri_complete": login.verification_uri_complete,
            "user_code": login.user_code,
            "expires_in": login.expires_in,
        }));
        return;
    }
    let minutes = i64::try_from(login.expires_in.div_ceil(60)).unwrap_or(i64::MAX);
    out.note(&format!(
        "Open this address in any browser, and approve the code if it is the same there:\n\n    {page}\n\n    {code}\n\n\
         Waiting for up to {}. Ctrl-C stops. Other ways to sign in: --token, --email.",
        text::plural(minutes, "minute")
    ));
}
