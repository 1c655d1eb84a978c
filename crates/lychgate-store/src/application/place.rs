//! Which database a URL names.

use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;

use super::OpenError;
use super::scan::Dialect;

/// Where the application's database is.
pub(super) enum Place {
    /// A file of SQLite's.
    Sqlite(PathBuf),
    /// A Postgres server.
    Postgres(Box<PgConnectOptions>),
}

/// What may follow the question mark of a Postgres URL.
const OPTIONS: [&str; 16] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
];

impl Place {
    pub(super) fn parse(url: &str) -> Result<Self, OpenError> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" => Err(refused("it names no file")),
                ":memory:" => Err(refused("a database in memory is nobody else's")),
                path if path.contains('?') => Err(refused("options after a question mark are not taken")),
                path if path.starts_with("file:") || path.contains('\0') => Err(refused("it is no path of a file")),
                path => Ok(Self::Sqlite(path.into())),
            };
        }
        let Some(rest) = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://")) else {
            return Err(refused("it begins with neither sqlite: nor postgres://"));
        };
        let after_authority = rest.find(['/', '?', '#']).map_or("", |at| &rest[at..]);
        // A password with one of these unescaped moves its own rest into the host or the path, and so into errors.
        if after_authority.contains(['@', '#']) {
            return Err(refused("the characters / ? # @ of a password are written %2F %3F %23 %40"));
        }
        if let Some((_, options)) = after_authority.split_once('?') {
            let names = options.split('&').map(|option| option.split('=').next().unwrap_or_default());
            // The library would log an unknown one with its value.
            if let Some(name) = names.into_iter().find(|name| !OPTIONS.contains(name)) {
                return Err(refused(&format!("there is no option {name:?}")));
            }
        }
        match url.parse::<PgConnectOptions>() {
            Ok(options) => Ok(Self::Postgres(Box::new(options))),
            Err(_) => Err(refused("it is no URL, or the value of an option is none of its kind")),
        }
    }

    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }
}

fn refused(what: &str) -> OpenError {
    OpenError::Url(what.to_owned())
}
