//! Reads DATABASE_URL. No error repeats the address, which may hold a password.

use crate::config::ConfigError;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// The options for connections to the database at this address.
///
/// # Errors
/// When it is not such an address, or looks as if its password was not percent-encoded.
pub fn parse(url: &str) -> Result<PgConnectOptions, ConfigError> {
    let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| url.strip_prefix(scheme));
    let rest = rest.ok_or(ConfigError::DatabaseUrl)?;
    if is_cut_short(rest) {
        return Err(ConfigError::DatabaseUrlNotEncoded);
    }
    check_host(rest)?;
    let parsed = url::Url::parse(url).map_err(|_| ConfigError::DatabaseUrl)?;
    check_parameters(&parsed)?;
    let options: PgConnectOptions = url.parse().map_err(|_| ConfigError::DatabaseUrl)?;
    // The brackets belong to the URL, and no resolver knows them.
    let bare = options.get_host().strip_prefix('[').and_then(|host| host.strip_suffix(']')).map(str::to_owned);
    Ok(match bare {
        Some(host) => options.host(&host),
        None => options,
    })
}

/// Refuses what libpq reads and a URL has no place for: several hosts, and the folder of a socket as it is.
fn check_host(rest: &str) -> Result<(), ConfigError> {
    let authority = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
    let host = authority.rsplit('@').next().unwrap_or_default();
    if host.contains(',') {
        return Err(ConfigError::DatabaseUrlSeveralHosts);
    }
    let has_user = authority.contains('@');
    if has_user && host.is_empty() {
        return Err(ConfigError::DatabaseUrlSocket);
    }
    Ok(())
}

fn check_parameters(url: &url::Url) -> Result<(), ConfigError> {
    for (name, value) in url.query_pairs() {
        if matches!(&*name, "sslmode" | "ssl-mode") && value.parse::<PgSslMode>().is_err() {
            return Err(ConfigError::DatabaseUrlSslMode);
        }
        if matches!(&*name, "host" | "hostaddr") && value.contains(',') {
            return Err(ConfigError::DatabaseUrlSeveralHosts);
        }
    }
    Ok(())
}

/// Whether a special character ends the user and password too early: then an `@` follows after what counts as the host.
/// `rest` is what follows the scheme.
fn is_cut_short(rest: &str) -> bool {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (path, query) = rest[end..].split_once('?').unwrap_or((&rest[end..], ""));
    // A fragment means nothing in such an address, and values of parameters may contain an @.
    rest.contains('#')
        || path.contains('@')
        || query.split('@').next().is_some_and(|before| before.len() < query.len() && !before.contains('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_with_raw_special_characters_is_told_from_other_mistakes() {
        let encode = |url: &str| matches!(parse(url), Err(ConfigError::DatabaseUrlNotEncoded));
        for password in ["p@ss/w#rd", "w#rd", "a/b", "a?b", "a/b@c", "#", "p@s?s", "/"] {
            for after in ["host/db", "host:5432/db?sslmode=disable", "[::1]/db"] {
                assert!(encode(&format!("postgres://user:{password}@{after}")), "{password} {after}");
            }
        }
        for right in [
            "postgres://user:p%40ss%2Fw%23rd@host/db",
            "postgres://user:p@ss@host/db",
            "postgresql://user:a%3Fb@host:5432/db?application_name=a@b",
            "postgres://user@localhost/db?host=/run/postgresql",
            "postgres:///db",
        ] {
            assert!(parse(right).is_ok(), "{right}");
        }
        for (host, expected) in [("[::1]:5433", "::1"), ("127.0.0.1", "127.0.0.1"), ("db.example", "db.example")] {
            assert_eq!(parse(&format!("postgres://u:p@{host}/db")).unwrap().get_host(), expected);
        }
        for socket in ["postgres://u@%2Frun%2Fpostgresql/db", "postgres:///db?host=/run/postgresql&user=u"] {
            assert_eq!(parse(socket).unwrap().get_socket().unwrap().to_str(), Some("/run/postgresql"), "{socket}");
        }
        assert!(matches!(parse("postgres://u@/run/postgresql/db"), Err(ConfigError::DatabaseUrlSocket)));
        for several in ["postgres://u@a,b/db", "postgres://u@a:1,b:2/db", "postgres:///db?host=a,b"] {
            assert!(matches!(parse(several), Err(ConfigError::DatabaseUrlSeveralHosts)), "{several}");
        }
        for mode in ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] {
            assert!(parse(&format!("postgres://h/db?sslmode={mode}")).is_ok(), "{mode}");
        }
        assert!(matches!(parse("postgres://h/db?sslmode=on"), Err(ConfigError::DatabaseUrlSslMode)));
        for wrong in ["", "mysql://user:a@host/db", "host/db", "postgres://host:port/db"] {
            assert!(matches!(parse(wrong), Err(ConfigError::DatabaseUrl)), "{wrong}");
        }
    }
}
