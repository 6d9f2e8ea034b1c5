//! How each forge signs, and which headers it sends.

use super::Delivery;
use crate::forge::Dialect;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a secret of GitLab starts with that signs what is sent.
const SIGNS: &str = "whsec_";

/// The headers of a delivery, signed at `now`, in seconds since 1970.
pub(super) fn headers(dialect: Dialect, delivery: &Delivery, now: u64) -> Vec<(&'static str, String)> {
    let Delivery { id, event, kind, secret, body, hook, .. } = delivery;
    let hex_signature = hex::encode(hmac(secret.as_bytes(), &[body.as_bytes()]));
    match dialect {
        Dialect::GitHub => vec![
            ("user-agent", "GitHub-Hookshot/1a2b3c4".into()),
            ("x-github-delivery", id.clone()),
            ("x-github-event", event.clone()),
            ("x-github-hook-id", hook.to_string()),
            ("x-github-hook-installation-target-type", "repository".into()),
            ("x-hub-signature-256", format!("sha256={hex_signature}")),
        ],
        // Gitea and Forgejo send GitHub's and Gogs' headers as well, and they are right.
        Dialect::Gitea => {
            let mut headers = vec![("x-hub-signature-256", format!("sha256={hex_signature}"))];
            for (header, value) in [
                (["x-gitea-delivery", "x-gogs-delivery", "x-forgejo-delivery", "x-github-delivery"], id),
                (["x-gitea-event", "x-gogs-event", "x-forgejo-event", "x-github-event"], event),
                (["x-gitea-event-type", "x-gogs-event-type", "x-forgejo-event-type", "x-github-event-type"], kind),
            ] {
                headers.extend(header.map(|header| (header, value.clone())));
            }
            for header in ["x-gitea-signature", "x-gogs-signature", "x-forgejo-signature"] {
                headers.push((header, hex_signature.clone()));
            }
            headers
        }
        Dialect::GitLab => {
            let mut headers = vec![
                ("user-agent", "GitLab/19.1.0".into()),
                ("x-gitlab-event", event.clone()),
                ("x-gitlab-instance", "http://localhost".into()),
                ("x-gitlab-event-uuid", id.clone()),
                // New at each try, while the key stays.
                ("x-gitlab-webhook-uuid", uuid::Uuid::new_v4().to_string()),
                ("idempotency-key", id.clone()),
            ];
            match secret.strip_prefix(SIGNS).and_then(|key| STANDARD.decode(key).ok()) {
                Some(key) => {
                    let at = now.to_string();
                    let parts = [id.as_bytes(), b".", at.as_bytes(), b".", body.as_bytes()];
                    let signature = STANDARD.encode(hmac(&key, &parts));
                    headers.push(("webhook-id", id.clone()));
                    headers.push(("webhook-signature", format!("v1,{signature}")));
                    headers.push(("webhook-timestamp", at));
                }
                None => headers.push(("x-gitlab-token", secret.clone())),
            }
            headers
        }
    }
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(id: &str, secret: &str, body: &str) -> Delivery {
        Delivery {
            id: id.into(),
            hook: 1,
            url: String::new(),
            event: "push".into(),
            body: body.into(),
            answers: Vec::new(),
            kind: "push".into(),
            secret: secret.into(),
        }
    }

    fn header(dialect: Dialect, delivery: &Delivery, name: &str) -> Option<String> {
        headers(dialect, delivery, 1_614_265_330)
            .into_iter()
            .find(|(header, _)| *header == name)
            .map(|(_, value)| value)
    }

    /// The vectors that the forges themselves publish.
    #[test]
    fn signatures_are_those_of_the_forges() {
        let plain = delivery("1", "It's a Secret to Everybody", "Hello, World!");
        let hex = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(header(Dialect::GitHub, &plain, "x-hub-signature-256").unwrap(), format!("sha256={hex}"));
        assert_eq!(header(Dialect::Gitea, &plain, "x-gitea-signature").unwrap(), hex);
        assert_eq!(header(Dialect::GitLab, &plain, "x-gitlab-token").unwrap(), plain.secret);
        let (id, secret) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signed = delivery(id, secret, r#"{"test": 2432232314}"#);
        let signature = header(Dialect::GitLab, &signed, "webhook-signature").unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(header(Dialect::GitLab, &signed, "x-gitlab-token"), None);
    }
}
