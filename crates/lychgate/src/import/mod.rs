//! Reading the configuration of another server, and writing ours for it.
//!
//! A file becomes a [`Picture`]: its values under one set of names, whichever version it is of. What
//! takes values from it writes sections of ours, and notes for people. What nobody takes is named in the end.
//!
//! **Invariants:** every key of the file ends as carried over, as without a counterpart, or as unknown, and all but the
//! first are named. No value of a secret is written or printed. What cannot be said here opens nothing that was closed.

mod api;
mod client;
mod duration;
mod keys;
mod keys_v5;
mod namespaces;
mod node;
mod ours;
mod picture;
mod proxies;
mod read;
mod regex;
mod report;
mod server;
#[cfg(test)]
mod tests;
mod tokens;
mod yaml;

use std::path::Path;

use self::ours::Ours;
use self::picture::Picture;
use self::report::Report;
pub use self::report::{Group, in_words};

/// What a file comes to.
pub struct Imported {
    /// Our configuration, as TOML with comments.
    pub text: String,
    /// What people have to know, by the key that it is about.
    pub notes: Vec<Note>,
    /// The keys whose meaning is in `text`.
    pub carried: Vec<String>,
}

/// Something to know about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What is to be done about it.
    pub group: Group,
    /// The key as the file has it.
    pub key: String,
    /// What it meant, and what to do.
    pub text: String,
}

/// Why there is nothing.
#[derive(Debug)]
pub enum Stopped {
    /// The file cannot be read, or is none of these.
    Usage(String),
    /// Values are of another kind than their keys have.
    Faults(Vec<String>),
}

/// Reads a configuration of Centrifugo, version 5 or 6.
///
/// # Errors
///
/// [`Stopped`].
pub fn centrifugo(path: &Path) -> Result<Imported, Stopped> {
    let picture = Picture::of(read::file(path)?);
    take(picture.map_err(|text| Stopped::Usage(format!("{}: {text}", path.display())))?, path)
}

/// Takes what it can from a picture.
fn take(picture: Picture, path: &Path) -> Result<Imported, Stopped> {
    let mut report = Report::new(&picture, path);
    let mut ours = Ours::default();
    server::write(&picture, &mut report, &mut ours);
    client::limits(&picture, &mut report, &mut ours);
    api::write(&picture, &mut report, &mut ours);
    let tokens = tokens::write(&picture, &mut report, &mut ours);
    let mut proxies = proxies::Proxies::new(&picture);
    let endpoint = client::endpoint(&picture, &mut report, &mut proxies);
    let namespaces = namespaces::write(&picture, &mut report, &mut proxies, &tokens, &endpoint);
    proxies.write(&mut report, &mut ours);
    ours.extend(endpoint.sections);
    ours.extend(namespaces);
    picture.fault_or(|| {
        let (notes, carried) = report.close();
        Imported { text: ours.write(path, picture.version(), &notes), notes, carried }
    })
}
