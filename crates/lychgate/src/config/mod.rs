//! The configuration: read once, checked whole, and then plain data.
//!
//! The files are laid over each other in order, then the environment over all of them.
//! Everything that is wrong is told at once, each fault with its place and its remedy.
//!
//! **Invariant:** a [`Config`] that exists has passed every check, its secrets among them.
//!
//! **Absent on purpose:** nothing here has `Debug`; secrets have no default; nothing is looked up after the start.

mod alias;
mod api;
mod board;
mod check;
mod codec;
mod credential;
mod credentials;
mod endpoint;
mod entrance;
mod entrances;
mod events;
mod fault;
mod login;
mod namespace;
mod namespaces;
mod outside;
mod print;
mod profile;
mod reference;
mod route;
mod section;
mod sessions;
mod settings;
mod shape;
mod source;
mod stream;
mod tree;

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;

pub use api::ApiSettings;
pub use board::BoardSettings;
pub use check::TEST_TOKEN_PATH;
pub use codec::{Act, AskSettings, BadFrame, CodecSettings, RuleSettings, Stamp, StampExpression, Unknown};
pub use credentials::Signing;
pub(crate) use endpoint::may_go_along;
pub use endpoint::{Endpoint, EndpointKind, EndpointSettings};
pub use entrance::{IdentitySettings, OWN, PolicySettings, Rule};
pub use events::EventsSettings;
pub use fault::{Fault, Faults, Notice, Place};
pub use login::{IdentifyBy, Login, LoginBody, Refusal, SubjectField};
pub use namespace::{Namespace, NamespaceRule};
pub use outside::{RedisSettings, Source, SourceKind, SourceSettings};
pub use print::print;
pub use profile::{BUILT_IN, Close, Event, Profile, ProfileSettings, REASON_BYTES_MAX, RefusalStyle};
pub use reference::{reference, reference_of};
pub use route::{RouteKind, RouteSettings};
pub use sessions::{RevocationSettings, SessionSettings};
pub use settings::{
    Accounts, ClaimsKind, Database, IssuerAlgorithm, IssuerSettings, Limits, Log, LogFormat, LogLevel,
    MESSAGE_BYTES_CEILING, Operations, Server, SigningMethod, TicketMethod, TicketSettings, Tokens,
};
pub(crate) use shape::{parse_time, show_time};
pub use source::{Machine, Sources};
pub use stream::{StreamFormat, StreamSettings};

use section::{Places, Reader, Section};

/// What every issuer of `--dev` begins with; no configuration may claim it.
pub const DEV_ISSUER: &str = "lychgate-dev";

/// The example that `--dev` runs without a `--config`.
pub const DEV_EXAMPLE: &str = include_str!("../../../../examples/ship.toml");

/// A checked configuration.
#[derive(Clone)]
pub struct Config {
    /// Ports, browsers, stopping.
    pub server: Server,
    /// Log lines.
    pub log: Log,
    /// Where accounts live.
    pub database: Database,
    /// Our own tokens, as written; what they are signed with is in `signing`.
    pub tokens: Tokens,
    /// What our own tokens are signed with.
    pub signing: Signing,
    /// Foreign issuers by name.
    pub issuers: BTreeMap<String, Issuer>,
    /// Password checking.
    pub accounts: Accounts,
    /// The login endpoint.
    pub login: Login,
    /// Sessions of logins.
    pub sessions: SessionSettings,
    /// What is revoked.
    pub revocations: RevocationSettings,
    /// One-time tickets.
    pub ticket: TicketSettings,
    /// The HTTP API.
    pub api: ApiSettings,
    /// What the application is told.
    pub events: EventsSettings,
    /// Limits.
    pub limits: Limits,
    /// Close profiles by name; `default` is always among them.
    pub profiles: BTreeMap<String, Profile>,
    /// Endpoints by name.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Places outside by name.
    pub sources: BTreeMap<String, Source>,
    /// The address of Redis, if there is one.
    pub redis: Option<SecretString>,
    /// Boards by name.
    pub boards: BTreeMap<String, BoardSettings>,
    /// Namespaces of channels by name.
    pub namespaces: BTreeMap<String, Namespace>,
    /// Routes of HTTP by name.
    pub routes: BTreeMap<String, RouteSettings>,
    /// The text of `WS_TEST_TOKEN`, in development only.
    pub test_token: Option<SecretString>,
    /// Whether this is a development server.
    pub dev: bool,
    profile_settings: BTreeMap<String, ProfileSettings>,
    redis_settings: RedisSettings,
    source_settings: BTreeMap<String, SourceSettings>,
    places: Places,
}

impl Config {
    /// The profile of an endpoint.
    ///
    /// # Panics
    ///
    /// Never for an endpoint of this configuration: its profile was checked to exist.
    pub fn profile_of(&self, endpoint: &Endpoint) -> &Profile {
        &self.profiles[&endpoint.settings.profile]
    }

    /// How long a token of any issuer may be good after it was issued, leeway included, in seconds.
    pub fn longest_token_s(&self) -> u64 {
        longest_token_s(&self.tokens, self.issuers.values().map(|issuer| &issuer.settings))
    }

    /// The largest message that `endpoint` takes.
    pub fn message_bytes_max(&self, endpoint: &Endpoint) -> usize {
        endpoint.settings.message_bytes_max.unwrap_or(self.limits.message_bytes_max)
    }

    /// Messages a second and at once that one socket may send to `endpoint`.
    pub fn message_rate(&self, endpoint: &Endpoint) -> (u32, u32) {
        let per_second = endpoint.settings.messages_per_second.unwrap_or(self.limits.messages_per_second);
        let burst = endpoint.settings.messages_burst.unwrap_or(self.limits.messages_burst);
        (per_second, burst.max(per_second))
    }
}

/// A foreign issuer with the key its tokens are checked with.
#[derive(Clone)]
pub struct Issuer {
    /// As written.
    pub settings: IssuerSettings,
    /// The key.
    pub key: lychgate_token::VerifyingKey,
}

/// A configuration and what an operator should know about it.
#[derive(Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings, in the order they were found.
    pub notices: Vec<Notice>,
}

/// Reads and checks everything that `sources` hold.
///
/// Reads the files that secrets and keys are named in; nothing else is read or changed.
///
/// # Errors
///
/// All faults at once.
/// When a file is no TOML, the faults of its text come first and alone, since its keys cannot be known.
pub fn load(sources: &Sources) -> Result<Loaded, Faults> {
    let mut faults = Faults::default();
    let mut notices = Vec::new();
    let files = sources.file_names();
    let mut raw = read(sources, &mut faults, &mut notices).map_err(|faults| faults.sorted(&files))?;
    if sources.dev {
        check::develop(&mut raw, &mut notices);
    }
    let signing = credentials::own(&raw, sources, &mut faults, &mut notices);
    let issuers = credentials::foreign(&raw, sources, &mut faults, &mut notices);
    let outside = (outside::sources(&raw, sources, &mut faults), outside::redis(&raw, sources, &mut faults));
    let test_token = alias::test_token(sources, &mut notices);
    check::all(&mut raw, sources, &mut faults, &mut notices);
    events::can_be_told(&raw, &outside.0, &mut faults, &mut notices);
    match signing {
        Some(signing) if faults.is_empty() => {
            Ok(Loaded { config: raw.finish(signing, issuers, outside, test_token, sources.dev), notices })
        }
        _ => Err(faults.sorted(&files)),
    }
}

/// The longest of all issuers.
fn longest_token_s<'a>(own: &Tokens, foreign: impl Iterator<Item = &'a IssuerSettings>) -> u64 {
    let foreign = foreign.map(|issuer| issuer.lifetime_max + issuer.leeway);
    foreign.fold(own.lifetime + own.leeway, Duration::max).as_secs()
}

/// What it takes to revoke something from outside of the server.
pub struct Revoking {
    /// Where revocations are kept.
    pub database: Database,
    /// How many may be.
    pub entries_max: u32,
    /// How long a token of any issuer may be good after it was issued, leeway included, in seconds.
    pub longest_token_s: u64,
    /// What of an account becomes the `sub` of its tokens.
    pub subject: SubjectField,
}

/// Reads what is needed to revoke something, without the secrets that only a server needs.
///
/// # Errors
///
/// All faults of the files and the environment at once.
pub fn load_revoking(sources: &Sources) -> Result<Revoking, Faults> {
    let mut faults = Faults::default();
    let files = sources.file_names();
    let raw = read(sources, &mut faults, &mut Vec::new()).map_err(|faults| faults.sorted(&files))?;
    if !faults.is_empty() {
        return Err(faults.sorted(&files));
    }
    Ok(Revoking {
        longest_token_s: longest_token_s(&raw.tokens, raw.issuers.values()),
        entries_max: raw.revocations.entries_max,
        subject: raw.login.subject,
        database: raw.database,
    })
}

/// Reads what is needed to work on accounts alone, without the secrets that only a server needs.
///
/// # Errors
///
/// All faults of the files and the environment at once.
pub fn load_accounts(sources: &Sources) -> Result<(Database, Accounts), Faults> {
    let mut faults = Faults::default();
    let files = sources.file_names();
    let raw = read(sources, &mut faults, &mut Vec::new()).map_err(|faults| faults.sorted(&files))?;
    if faults.is_empty() { Ok((raw.database, raw.accounts)) } else { Err(faults.sorted(&files)) }
}

/// Lays all layers over each other and reads every section; faults of the text itself end it.
fn read(sources: &Sources, faults: &mut Faults, notices: &mut Vec<Notice>) -> Result<Raw, Faults> {
    let mut syntax = Faults::default();
    let mut root = tree::Table::default();
    for (name, (_, text)) in sources.file_names().iter().zip(&sources.files) {
        root.overlay(tree::parse(name, text, &mut syntax));
    }
    if !syntax.is_empty() {
        return Err(syntax);
    }
    alias::overlay(&mut root, sources, faults, notices);
    tree::overlay_environment(&mut root, sources.variables());
    Ok(Raw::read(root, faults))
}

/// Every section as it was read, before the checks.
struct Raw {
    server: Server,
    log: Log,
    database: Database,
    tokens: Tokens,
    issuers: BTreeMap<String, IssuerSettings>,
    accounts: Accounts,
    login: Login,
    sessions: SessionSettings,
    revocations: RevocationSettings,
    ticket: TicketSettings,
    api: ApiSettings,
    events: EventsSettings,
    limits: Limits,
    profiles: BTreeMap<String, ProfileSettings>,
    endpoints: BTreeMap<String, Endpoint>,
    sources: BTreeMap<String, SourceSettings>,
    redis: RedisSettings,
    boards: BTreeMap<String, BoardSettings>,
    namespaces: BTreeMap<String, Namespace>,
    routes: BTreeMap<String, RouteSettings>,
    places: Places,
}

impl Raw {
    fn read(root: tree::Table, faults: &mut Faults) -> Self {
        let mut places = Places::new();
        let root = tree::Node { value: tree::Value::Table(root), place: Place::Nowhere };
        let mut reader = Reader::new("", Some(root), faults, &mut places);
        let mut raw = Self {
            server: reader.below("server", Section::read),
            log: reader.below("log", Section::read),
            database: reader.below("database", Section::read),
            tokens: reader.below("tokens", Section::read),
            issuers: reader.named("issuer", |_, reader| Section::read(reader)),
            accounts: reader.below("accounts", Section::read),
            login: reader.below("login", Section::read),
            sessions: reader.below("sessions", Section::read),
            revocations: reader.below("revocations", Section::read),
            ticket: reader.below("ticket", Section::read),
            api: reader.below("api", Section::read),
            events: reader.below("events", Section::read),
            limits: reader.below("limits", Section::read),
            profiles: reader.named("profile", |_, reader| Section::read(reader)),
            endpoints: reader.named("endpoint", |_, reader| Endpoint::read(reader)),
            sources: reader.named("source", |_, reader| Section::read(reader)),
            redis: reader.below("redis", Section::read),
            boards: reader.named("board", |_, reader| Section::read(reader)),
            namespaces: reader.named("namespace", |_, reader| Namespace::read(reader)),
            routes: reader.named("route", |_, reader| Section::read(reader)),
            places: Places::new(),
        };
        reader.finish();
        raw.places = places;
        raw
    }

    fn place(&self, key: &str) -> Place {
        self.places.get(key).cloned().unwrap_or(Place::Nowhere)
    }

    /// The place of `key`, or of the key it is held against when `key` itself is a default.
    fn place_or(&self, key: &str, other: &str) -> Place {
        match self.place(key) {
            Place::Nowhere => self.place(other),
            place => place,
        }
    }

    fn finish(
        self,
        signing: Signing,
        issuers: BTreeMap<String, Issuer>,
        outside: (BTreeMap<String, Source>, Option<SecretString>),
        test_token: Option<SecretString>,
        dev: bool,
    ) -> Config {
        let mut profiles: BTreeMap<_, _> =
            self.profiles.iter().map(|(name, settings)| (name.clone(), Profile::resolve(settings))).collect();
        profiles.entry(BUILT_IN.to_owned()).or_insert_with(Profile::built_in);
        Config {
            server: self.server,
            log: self.log,
            database: self.database,
            tokens: self.tokens,
            signing,
            issuers,
            accounts: self.accounts,
            login: self.login,
            sessions: self.sessions,
            revocations: self.revocations,
            ticket: self.ticket,
            api: self.api,
            events: self.events,
            limits: self.limits,
            profiles,
            endpoints: self.endpoints,
            sources: outside.0,
            redis: outside.1,
            boards: self.boards,
            namespaces: self.namespaces,
            routes: self.routes,
            redis_settings: self.redis,
            source_settings: self.sources,
            test_token,
            dev,
            profile_settings: self.profiles,
            places: self.places,
        }
    }
}
