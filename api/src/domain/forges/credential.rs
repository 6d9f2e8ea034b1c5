//! What a credential and a webhook's secret must look like.

use super::{ForgeKind, SecretKind};
use crate::domain::refusal::Refusal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What GitLab's signing tokens begin with.
pub const SIGNING_PREFIX: &str = "whsec_";
/// The longest token, in bytes. Tokens of apps are long, and nothing is assumed about their letters.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// The shortest secret that a person may choose, in bytes.
const MIN_SECRET_BYTES: usize = 16;
const MAX_SECRET_BYTES: usize = 1024;

/// A host's name, with its port where that is not the usual one. Returns it in lower case.
///
/// # Errors
/// When it is an address, or no name of a host.
pub fn host(text: &str) -> Result<String, Refusal> {
    let text = text.trim().to_ascii_lowercase();
    let invalid = || {
        Refusal::invalid(
            "'host' must be the name of a forge's host without https:// and path, such as github.com or git.example:3000.",
        )
    };
    let url: url::Url = format!("https://{text}/").parse().map_err(|_| invalid())?;
    let with_port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let named = url.host_str().map(|name| format!("{name}{with_port}")).ok_or_else(invalid)?;
    let is_plain = url.path() == "/" && url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if is_plain && !text.contains(['/', '@', '#', '\\']) && !text.is_empty() { Ok(named) } else { Err(invalid()) }
}

/// A token. Returns it trimmed.
///
/// # Errors
/// When it is empty, too long, or can't be part of a header.
pub fn token(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    let usable = text.bytes().all(|byte| byte.is_ascii_graphic());
    if text.is_empty() || text.len() > MAX_TOKEN_BYTES || !usable {
        return Err(Refusal::invalid("'secret' must be a token: letters, digits and signs without spaces."));
    }
    Ok(text.to_owned())
}

/// The kind of a secret for this sender, and the secret itself where a person chose it.
///
/// # Errors
/// When the sender knows no such kind, or the secret is too short or not of its kind's form.
pub fn webhook_secret(
    sender: ForgeKind,
    kind: Option<SecretKind>,
    chosen: Option<&str>,
) -> Result<(SecretKind, Option<String>), Refusal> {
    let is_signing = chosen.is_some_and(|secret| secret.trim().starts_with(SIGNING_PREFIX));
    let kind = kind.unwrap_or(match sender {
        ForgeKind::GitLab if is_signing => SecretKind::Signing,
        _ => SecretKind::Token,
    });
    if kind == SecretKind::Signing && sender != ForgeKind::GitLab {
        return Err(Refusal::invalid("'kind' may be signing for gitlab alone; the other forges always sign."));
    }
    let Some(secret) = chosen.map(str::trim) else { return Ok((kind, None)) };
    if kind == SecretKind::Signing && signing_key(secret).is_none() {
        return Err(Refusal::invalid(
            "'secret' must be a signing token of GitLab: whsec_ and at least 16 bytes as base64.",
        ));
    }
    let usable = secret.chars().all(|c| !c.is_control());
    if !(MIN_SECRET_BYTES..=MAX_SECRET_BYTES).contains(&secret.len()) || !usable {
        return Err(Refusal::invalid(
            "'secret' must have 16 to 1024 characters; leave it out to have one made for you.",
        ));
    }
    Ok((kind, Some(secret.to_owned())))
}

/// The bytes that a signing token signs with.
#[must_use]
pub fn signing_key(secret: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(secret.strip_prefix(SIGNING_PREFIX)?).ok()?;
    (key.len() >= MIN_SECRET_BYTES).then_some(key)
}

/// A new secret of this kind, from these random bytes.
#[must_use]
pub fn made_of(kind: SecretKind, random: [u8; 32]) -> String {
    match kind {
        SecretKind::Token => hex::encode(random),
        SecretKind::Signing => format!("{SIGNING_PREFIX}{}", STANDARD.encode(random)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_and_never_an_address() {
        for (text, expected) in [
            ("GitHub.com", "github.com"),
            (" git.example:3000 ", "git.example:3000"),
            ("git.example:443", "git.example"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(host(text).unwrap(), expected);
        }
        for text in [
            "",
            "https://github.com",
            "github.com/o",
            "u@github.com",
            "a b",
            "github.com#x",
            "github.com\\@evil.example",
        ] {
            assert!(host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_secret_has_the_form_of_its_kind() {
        fn check(sender: ForgeKind, kind: Option<SecretKind>, chosen: Option<&str>) -> Result<SecretKind, Refusal> {
            webhook_secret(sender, kind, chosen).map(|(kind, _)| kind)
        }
        let signing = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        assert_eq!(check(ForgeKind::GitLab, None, Some(signing)).unwrap(), SecretKind::Signing);
        assert_eq!(check(ForgeKind::GitHub, None, Some("It's a Secret to Everybody")).unwrap(), SecretKind::Token);
        assert!(check(ForgeKind::GitHub, Some(SecretKind::Signing), None).is_err());
        assert!(check(ForgeKind::GitLab, Some(SecretKind::Signing), Some("whsec_short")).is_err());
        assert!(check(ForgeKind::Gitea, None, Some("short")).is_err());
        for kind in [SecretKind::Token, SecretKind::Signing] {
            let made = made_of(kind, [7; 32]);
            assert_eq!(check(ForgeKind::GitLab, Some(kind), Some(&made)).unwrap(), kind);
        }
    }
}
