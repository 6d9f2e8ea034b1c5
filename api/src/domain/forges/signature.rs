//! Whether a webhook is genuine: its signature over the raw bytes, compared in constant time.
//!
//! The route says which forge sends; which headers are there never does, since Gitea also sends those of GitHub.

use super::credential::signing_key;
use super::{ForgeKind, SecretKind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How far the time of a signature may be off, in seconds, either way.
const MAX_SKEW_SEC: i64 = 300;

/// A secret that is valid at the moment.
#[derive(Clone, Debug)]
pub struct Secret {
    /// How it proves anything.
    pub kind: SecretKind,
    /// The secret.
    pub value: SecretString,
}

/// What a delivery's headers show of where it comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown<'a> {
    /// The signature: of GitHub `sha256=` and hexadecimal, of Gitea hexadecimal alone, of GitLab's signed form `v1,` and base64, maybe several.
    pub signature: Option<&'a str>,
    /// GitLab's older form: the secret itself.
    pub token: Option<&'a str>,
    /// GitLab's signed form: the delivery's id.
    pub id: Option<&'a str>,
    /// GitLab's signed form: when it was signed, in seconds since 1970.
    pub timestamp: Option<&'a str>,
}

/// Whether one of these secrets proves that the body comes from the forge. `now_sec` is the time in seconds since 1970.
#[must_use]
pub fn is_genuine(sender: ForgeKind, secrets: &[Secret], shown: &Shown<'_>, body: &[u8], now_sec: i64) -> bool {
    let signed = |given: Option<&str>, prefix: &str| {
        let given = given.and_then(|text| text.trim().strip_prefix(prefix)).and_then(|text| hex::decode(text).ok());
        given.is_some_and(|given| {
            any(secrets.iter().map(|secret| is_mac(secret.value.expose_secret().as_bytes(), &[body], &given)))
        })
    };
    match sender {
        ForgeKind::GitHub => signed(shown.signature, "sha256="),
        ForgeKind::Gitea => signed(shown.signature, ""),
        // Who can sign does not fall back to what anyone who saw one request could send.
        ForgeKind::GitLab if secrets.iter().any(|secret| secret.kind == SecretKind::Signing) => {
            is_signed_by_gitlab(secrets, shown, body, now_sec)
        }
        ForgeKind::GitLab => {
            let given = shown.token.unwrap_or_default().as_bytes();
            any(secrets.iter().map(|secret| secret.value.expose_secret().as_bytes().ct_eq(given).into()))
        }
    }
}

fn is_signed_by_gitlab(secrets: &[Secret], shown: &Shown<'_>, body: &[u8], now_sec: i64) -> bool {
    let (Some(signatures), Some(id), Some(timestamp)) = (shown.signature, shown.id, shown.timestamp) else {
        return false;
    };
    let Ok(signed_sec) = timestamp.trim().parse::<i64>() else { return false };
    if now_sec.checked_sub(signed_sec).is_none_or(|off| off.abs() > MAX_SKEW_SEC) {
        return false;
    }
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    let keys: Vec<_> = secrets
        .iter()
        .filter(|secret| secret.kind == SecretKind::Signing)
        .filter_map(|secret| signing_key(secret.value.expose_secret()))
        .collect();
    let given = signatures.split(' ').filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok());
    any(given.flat_map(|given| keys.iter().map(move |key| is_mac(key, &parts, &given)).collect::<Vec<_>>()))
}

/// Whether any is true, without ending at the first: how long it takes says nothing.
fn any(all: impl Iterator<Item = bool>) -> bool {
    all.fold(false, |any, one| any | one)
}

fn is_mac(key: &[u8], parts: &[&[u8]], given: &[u8]) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.verify_slice(given).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SIGNED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SENT_SEC: i64 = 1_614_265_330;

    fn secret(kind: SecretKind, value: &str) -> Secret {
        Secret { kind, value: value.to_owned().into() }
    }

    fn example() -> Secret {
        secret(SecretKind::Token, "It's a Secret to Everybody")
    }

    /// The example of GitHub's manual.
    #[test]
    fn github_signs_with_a_prefix_and_gitea_without() {
        let prefixed = format!("sha256={HELLO}");
        let check = |sender, signature: &str, body: &[u8]| {
            let shown = Shown { signature: Some(signature), ..Shown::default() };
            is_genuine(sender, &[secret(SecretKind::Token, "another secret, older"), example()], &shown, body, 0)
        };
        assert!(check(ForgeKind::GitHub, &prefixed, b"Hello, World!"));
        assert!(check(ForgeKind::Gitea, HELLO, b"Hello, World!"));
        for (sender, signature, body) in [
            (ForgeKind::GitHub, prefixed.as_str(), b"Hello, World?".as_slice()),
            (ForgeKind::GitHub, HELLO, b"Hello, World!"),
            (ForgeKind::GitHub, &prefixed[..20], b"Hello, World!"),
            (ForgeKind::GitHub, "sha256=", b"Hello, World!"),
            (ForgeKind::Gitea, &prefixed, b"Hello, World!"),
            (ForgeKind::Gitea, "", b"Hello, World!"),
        ] {
            assert!(!check(sender, signature, body), "{sender:?} {signature}");
        }
        let shown = Shown { signature: Some(&prefixed), ..Shown::default() };
        assert!(!is_genuine(ForgeKind::GitHub, &[], &shown, b"Hello, World!", 0));
        assert!(!is_genuine(ForgeKind::GitHub, &[example()], &Shown::default(), b"Hello, World!", 0));
    }

    fn signed<'a>() -> Shown<'a> {
        Shown {
            signature: Some(SIGNED),
            token: None,
            id: Some("msg_p5jXN8AQM9LWM0D4loKWxJek"),
            timestamp: Some("1614265330"),
        }
    }

    /// The example of the signed form's own specification.
    #[test]
    fn gitlabs_signed_form_has_a_time_that_may_be_five_minutes_off() {
        let secrets = [secret(SecretKind::Signing, SIGNING)];
        let check = |shown: &Shown<'_>, now| is_genuine(ForgeKind::GitLab, &secrets, shown, BODY, now);
        for now in [SENT_SEC, SENT_SEC - 300, SENT_SEC + 300] {
            assert!(check(&signed(), now), "{now}");
        }
        for now in [SENT_SEC - 301, SENT_SEC + 301, 0, i64::MIN, i64::MAX] {
            assert!(!check(&signed(), now), "{now}");
        }
        let several = format!("v2,x v1,bm8= {SIGNED}");
        assert!(check(&Shown { signature: Some(&several), ..signed() }, SENT_SEC));
        for changed in [
            Shown { id: Some("msg_other"), ..signed() },
            Shown { timestamp: Some("1614265331"), ..signed() },
            Shown { timestamp: Some("soon"), ..signed() },
            Shown { timestamp: None, ..signed() },
            Shown { signature: Some(&SIGNED[3..]), ..signed() },
        ] {
            assert!(!check(&changed, SENT_SEC), "{changed:?}");
        }
    }

    #[test]
    fn gitlab_does_not_fall_back_to_the_token_where_it_signs() {
        let token = Shown { token: Some("a plain secret token"), ..Shown::default() };
        let plain = [secret(SecretKind::Token, "a plain secret token")];
        assert!(is_genuine(ForgeKind::GitLab, &plain, &token, BODY, SENT_SEC));
        let other = Shown { token: Some("a plain secret toke"), ..Shown::default() };
        assert!(!is_genuine(ForgeKind::GitLab, &plain, &other, BODY, SENT_SEC));
        let both = [plain[0].clone(), secret(SecretKind::Signing, SIGNING)];
        assert!(!is_genuine(ForgeKind::GitLab, &both, &token, BODY, SENT_SEC));
        assert!(is_genuine(ForgeKind::GitLab, &both, &signed(), BODY, SENT_SEC));
    }
}
