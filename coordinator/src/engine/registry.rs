//! The credentials for pulling an image: the configured ones, or those that `docker login` stored.

use crate::config::RegistryLogin;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::path::PathBuf;

/// The registry's name for Docker Hub in `config.json`.
const HUB: &str = "https://index.docker.io/v1/";

/// The credentials for the image's registry, if there are any. The configured ones are for the registry of AGENT_IMAGE
/// alone: a project may name an image of any other registry, which must not learn them.
pub(super) fn credentials(image: &str, configured: Option<&RegistryLogin>) -> Option<DockerCredentials> {
    if let Some(login) = configured.filter(|login| registry_of(&login.image) == registry_of(image)) {
        return Some(DockerCredentials {
            username: Some(login.username.clone()),
            password: Some(login.password.expose_secret().to_owned()),
            ..DockerCredentials::default()
        });
    }
    let home = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let folder = home.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker")))?;
    let text = std::fs::read_to_string(folder.join("config.json")).ok()?;
    from_login(image, &serde_json::from_str(&text).ok()?)
}

fn from_login(image: &str, config: &Value) -> Option<DockerCredentials> {
    let auth = config["auths"][registry_of(image)]["auth"].as_str()?;
    let decoded = String::from_utf8(STANDARD.decode(auth).ok()?).ok()?;
    let (username, password) = decoded.split_once(':')?;
    Some(DockerCredentials {
        username: Some(username.to_owned()),
        password: Some(password.to_owned()),
        ..DockerCredentials::default()
    })
}

/// The part before the first slash is a registry if it looks like a host name; all other images are on Docker Hub.
fn registry_of(image: &str) -> &str {
    match image.split_once('/') {
        Some(("docker.io" | "index.docker.io", _)) => HUB,
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => HUB,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretString;
    use serde_json::json;

    #[test]
    fn the_configured_login_is_for_its_own_registry_alone() {
        let login = |image: &str| RegistryLogin {
            image: image.to_owned(),
            username: "configured".to_owned(),
            password: SecretString::from("secret"),
        };
        let is_sent = |to: &str, of: &str| {
            credentials(to, Some(&login(of))).is_some_and(|sent| sent.username.as_deref() == Some("configured"))
        };
        assert!(is_sent("registry.example:5000/team/other:2", "registry.example:5000/team/agent@sha256:0"));
        assert!(is_sent("docker.io/team/agent", "terarchitect-agent"));
        assert!(!is_sent("other.example/team/agent", "registry.example:5000/team/agent"));
        assert!(!is_sent("registry.example/team/agent", "registry.example:5000/team/agent"));
        assert!(!is_sent("team/agent", "registry.example:5000/team/agent"));
    }

    #[test]
    fn what_docker_login_left_is_found_for_the_images_registry() {
        let auth = STANDARD.encode("me:se:cret");
        let config =
            json!({"auths": {"registry.example:5000": {"auth": auth}, HUB: {"auth": STANDARD.encode("hub:x")}}});
        let user = |image: &str| from_login(image, &config).and_then(|found| found.username.zip(found.password));
        assert_eq!(user("registry.example:5000/team/agent:1"), Some(("me".into(), "se:cret".into())));
        assert_eq!(user("terarchitect-agent"), Some(("hub".into(), "x".into())));
        assert_eq!(user("team/agent"), Some(("hub".into(), "x".into())));
        assert_eq!(user("other.example/agent"), None);
    }
}
