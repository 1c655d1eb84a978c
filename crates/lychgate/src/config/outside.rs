//! What is outside and is asked or told: the application's database, the application itself, a language model, Redis.
//!
//! **Invariant:** an address may hold a password, so it is a secret: it is never printed and never stands in a fault.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::Raw;
use super::credentials::{judge, read_file};
use super::fault::{Faults, Place};
use super::section::section;
use super::shape::{Count, FilePath, Flag, Hidden, List, MIB, Optional, Report, Shape, Size, Time, VariableName};
use super::source::Sources;
use super::tree::Node;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

section! {
    /// A place outside. The address says what it is: `sqlite:` and `postgres://` are databases that queries are put to,
    /// `http://` and `https://` are the application, or a language model. Endpoints name it as their `source`.
    SourceSettings = "source.NAME" {
        /// The address. One that holds a password is better named by `url_env` or `url_file`.
        url: Option<SecretString> = Optional(Hidden), None;
        /// The environment variable that holds the address.
        url_env: Option<String> = Optional(VariableName), None;
        /// A file that holds the address.
        url_file: Option<PathBuf> = Optional(FilePath), None;
        /// The secret that calls to the application are signed with, at least 32 bytes. Prefer the two below.
        secret: Option<SecretString> = Optional(Hidden), None;
        /// The environment variable that holds it.
        secret_env: Option<String> = Optional(VariableName), None;
        /// A file that holds it.
        secret_file: Option<PathBuf> = Optional(FilePath), None;
        /// The token that a language model asks for as `Authorization: Bearer`. Prefer the two below.
        bearer: Option<SecretString> = Optional(Hidden), None;
        /// The environment variable that holds it.
        bearer_env: Option<String> = Optional(VariableName), None;
        /// A file that holds it.
        bearer_file: Option<PathBuf> = Optional(FilePath), None;
        /// How long an answer may take: of a query, of a call. A question without an answer in time is a no.
        timeout: Duration = Time { least: Duration::from_millis(50), most: seconds(60) }, seconds(2);
        /// How often a call to the application that was not answered is made again, within `timeout`. Each try has the same
        /// `webhook-id`. A call that met nobody is always worth another try; a question is, too, where the connection broke
        /// before its answer, or the answer was one of `retry_statuses`.
        retries: u32 = Count::of(0, 3), 0;
        /// Statuses by which the application says that it cannot answer now: 408, 425, 429, 500 to 599.
        retry_statuses: Vec<u16> = List(Status), vec![502, 503, 504];
        /// Whether calls that do something (publications and calls of clients, forwarded frames) are made again wherever
        /// questions are. The application has to know a `webhook-id` that it has seen.
        retry_acts: bool = Flag, false;
        /// How long an answer about rights is remembered. Zero asks each time.
        cache: Duration = Time { least: Duration::ZERO, most: seconds(3_600) }, Duration::ZERO;
        /// Connections to a database.
        connections_max: u32 = Count::of(1, 256), 4;
        /// How long a language model may take for its first words.
        first_byte_timeout: Duration = Time { least: seconds(1), most: seconds(600) }, seconds(30);
        /// How long a language model may fall silent in between.
        idle_timeout: Duration = Time { least: seconds(1), most: seconds(600) }, seconds(60);
        /// The longest piece of a text at once.
        piece_bytes_max: usize = Size { least: 1024, most: MIB }, 65_536;
    }
}

section! {
    /// Redis, for a copy of who is there. Without an address there is none.
    RedisSettings = "redis" {
        /// The address, such as `redis://127.0.0.1:6379/0`.
        url: Option<SecretString> = Optional(Hidden), None;
        /// The environment variable that holds the address.
        url_env: Option<String> = Optional(VariableName), None;
        /// A file that holds the address.
        url_file: Option<PathBuf> = Optional(FilePath), None;
    }
}

/// A status that may mean that the same call succeeds later.
struct Status;

impl Shape for Status {
    type Value = u16;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<u16> {
        let status = Count::<u16>::of(100, 599).read(node, report)?;
        let may_pass = matches!(status, 408 | 425 | 429 | 500..);
        let remedy = "Write 408, 425, 429, or one from 500 to 599";
        if may_pass {
            Some(status)
        } else {
            report.wrong(node, format!("{status} is the application's answer"), remedy)
        }
    }

    fn show(&self, value: &u16) -> Option<String> {
        Some(value.to_string())
    }

    fn describe(&self) -> String {
        "408, 425, 429, or one from 500 to 599".to_owned()
    }
}

/// A place outside with its secrets.
#[derive(Clone)]
pub struct Source {
    /// As written.
    pub settings: SourceSettings,
    /// Its address.
    pub url: SecretString,
    /// What calls are signed with.
    pub secret: Option<SecretString>,
    /// What a language model asks for.
    pub bearer: Option<SecretString>,
}

/// What a place outside is, by its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A database that queries are put to.
    Database,
    /// The application, or a language model.
    Http,
}

impl Source {
    /// What it is.
    pub fn kind(&self) -> SourceKind {
        if is_http(self.url.expose_secret()) { SourceKind::Http } else { SourceKind::Database }
    }
}

fn is_http(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

/// Finds the address and the secrets of every place outside.
pub(super) fn sources(raw: &Raw, from: &Sources, faults: &mut Faults) -> BTreeMap<String, Source> {
    let mut all = BTreeMap::new();
    for (name, settings) in &raw.sources {
        let section = format!("source.{name}");
        let finder = Finder { section: &section, raw, from };
        let url = finder.find(
            "url",
            settings.url.as_ref(),
            settings.url_env.as_deref(),
            settings.url_file.as_deref(),
            faults,
        );
        let secret = finder.find(
            "secret",
            settings.secret.as_ref(),
            settings.secret_env.as_deref(),
            settings.secret_file.as_deref(),
            faults,
        );
        let secret = secret.and_then(|(secret, place, key)| judge(secret.expose_secret(), place, &key, faults));
        let bearer = finder.find(
            "bearer",
            settings.bearer.as_ref(),
            settings.bearer_env.as_deref(),
            settings.bearer_file.as_deref(),
            faults,
        );
        let Some((url, place, key)) = url else {
            if !["url", "url_env", "url_file"].iter().any(|key| faults.concern(&format!("{section}.{key}"))) {
                let remedy = "Write url = \"postgres://…\", \"sqlite:…\" or \"https://…\", or name url_env or url_file";
                faults.add(raw.place(&section), format!("{section}.url"), "it is missing", remedy);
            }
            continue;
        };
        let text = url.expose_secret();
        let is_known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        if !is_known && !is_http(text) {
            // The address is not repeated: it may hold a password.
            let remedy = "Write an address that begins with sqlite:, postgres://, http:// or https://";
            faults.add(place, key, "this is no address of anything that can be asked", remedy);
            continue;
        }
        let bearer = bearer.map(|(bearer, ..)| bearer);
        all.insert(name.clone(), Source { settings: settings.clone(), url, secret, bearer });
    }
    all
}

/// Finds the address of Redis, if one is named.
pub(super) fn redis(raw: &Raw, from: &Sources, faults: &mut Faults) -> Option<SecretString> {
    let settings = &raw.redis;
    let finder = Finder { section: "redis", raw, from };
    let found =
        finder.find("url", settings.url.as_ref(), settings.url_env.as_deref(), settings.url_file.as_deref(), faults);
    found.map(|(url, ..)| url)
}

struct Finder<'a> {
    section: &'a str,
    raw: &'a Raw,
    from: &'a Sources,
}

impl Finder<'_> {
    /// A text that is written, in a variable, or in a file; with its place and the key that names it.
    fn find(
        &self,
        name: &str,
        written: Option<&SecretString>,
        variable: Option<&str>,
        file: Option<&Path>,
        faults: &mut Faults,
    ) -> Option<(SecretString, Place, String)> {
        let key = |suffix: &str| format!("{}.{name}{suffix}", self.section);
        if [written.is_some(), variable.is_some(), file.is_some()].iter().filter(|is_set| **is_set).count() > 1 {
            let wrong = format!("{name}, {name}_env and {name}_file: more than one of them is set");
            faults.add(self.raw.place(self.section), key(""), wrong, "Keep one of them");
            return None;
        }
        if let Some(text) = written {
            return Some((text.clone(), self.raw.place(&key("")), key("")));
        }
        if let Some(path) = file {
            let key = key("_file");
            let place = self.raw.place(&key);
            let text = read_file(path, place.clone(), &key, faults)?;
            return Some((SecretString::from(text.trim_end_matches(['\r', '\n'])), place, key));
        }
        let variable = variable?;
        match self.from.variable(variable) {
            Some(text) => Some((SecretString::from(text), Place::Environment(variable.to_owned()), key("_env"))),
            None => {
                let remedy = "Set it where the server is started, or name another one";
                let key = key("_env");
                faults.add(self.raw.place(&key), key, "the variable named here is not set", remedy);
                None
            }
        }
    }
}
