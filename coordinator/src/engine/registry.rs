//! The credentials for pulling an image: the configured ones, or those that `docker login` stored.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::path::PathBuf;

/// The registry's name for Docker Hub in `config.json`.
const HUB: &str = "https://index.docker.io/v1/";

/// The credentials for the image's registry, if there are any.
pub(super) fn credentials(image: &str, configured: Option<&(String, SecretString)>) -> Option<DockerCredentials> {
    if let Some((username, password)) = configured {
        return Some(DockerCredentials {
            username: Some(username.clone()),
            password: Some(password.expose_secret().to_owned()),
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
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => HUB,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
