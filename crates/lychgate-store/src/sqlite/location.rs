//! Which database a URL names.

use std::path::PathBuf;

use super::OpenError;

/// Where a database lies.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// In memory, until it is closed.
    Memory,
    /// In a file.
    File(PathBuf),
}

impl Location {
    /// Reads `sqlite::memory:`, `sqlite:path` and `sqlite://path`.
    pub(super) fn parse(url: &str) -> Result<Self, OpenError> {
        let refused = |what| Err(OpenError::Url { url: without_password(url), what });
        let Some(place) = url.strip_prefix("sqlite:") else {
            return refused("this build knows no other database than SQLite");
        };
        let place = place.strip_prefix("//").unwrap_or(place);
        match place {
            ":memory:" => Ok(Self::Memory),
            "" => refused("it names no file"),
            // Options would switch off what this crate promises, such as syncing; as part of a name they would surprise.
            path if path.contains('?') => refused("options after a question mark are not taken"),
            path if path.starts_with("file:") || path.contains('\0') => refused("it is no path of a file"),
            path if path.ends_with('/') => refused("it names a folder and no file"),
            path => Ok(Self::File(path.into())),
        }
    }
}

/// Somebody may have meant a server, and such URLs carry a password.
fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        _ => url.into(),
    }
}
