//! The sections that exist once: server, log, database, tokens, accounts and limits.
//!
//! Each setting is defined here and nowhere else; see [`section!`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use super::section::section;
use super::shape::{
    Address, Choice, Count, FilePath, Flag, Hidden, KIB, List, MIB, Network, Optional, Report, Shape, Size, Text, Time,
    VariableName, Words, cite, quote,
};
use super::tree::{Node, Value};

/// The largest message that any endpoint may be configured to take.
pub const MESSAGE_BYTES_CEILING: usize = 16 * MIB;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const DAY: Duration = seconds(86_400);

/// A wait of at most an hour, at least a tenth of a second.
pub(super) const WAIT: Time = Time { least: Duration::from_millis(100), most: seconds(3_600) };
/// The same, with zero for "at once".
const WAIT_OR_NONE: Time = Time { least: Duration::ZERO, most: seconds(3_600) };

section! {
    /// The ports, who may call from a browser, and how the server stops.
    Server = "server" {
        /// Address and port of the public side.
        listen: SocketAddr = Address, SocketAddr::from(([127, 0, 0, 1], 8000));
        /// Address and port of `/metrics` and `/health/*`, or `"same"` to serve them on the public port.
        /// Keep it on a private address: it has no authentication.
        operations_listen: Operations = OperationsAddress, Operations::Own(SocketAddr::from(([127, 0, 0, 1], 9000)));
        /// Reverse proxies whose `X-Forwarded-For` is believed. From anybody else that header is ignored.
        trusted_proxies: Vec<IpNet> = List(Network), Vec::new();
        /// Origins that browsers may call from, each exactly as a browser sends it.
        /// They are allowed by CORS, and when the list is not empty a browser's upgrade must carry one of them.
        origins: Vec<String> = List(Text { what: "an origin", check: check_origin }), Vec::new();
        /// The path where clients of `endpoint.NAME.sse` and `endpoint.NAME.http_stream` say what they have to say.
        /// It is served if there is one of those.
        emulation: String = Text { what: "a path", check: check_path }, "/emulation".to_owned();
        /// Worker threads; 0 is one per core.
        workers: usize = Count::of(0, 1024), 0;
        /// After the signal to stop: how long `/health/ready` says no before the first socket is closed, so that a load balancer looks elsewhere.
        drain_not_ready: Duration = WAIT_OR_NONE, seconds(2);
        /// The time over which the closing of all sockets is spread, so that clients do not come back all at once.
        drain_spread: Duration = WAIT_OR_NONE, seconds(25);
        /// When the process ends whatever is left.
        drain_total: Duration = WAIT_OR_NONE, seconds(30);
    }
}

section! {
    /// What is logged and how.
    Log = "log" {
        /// The least severe level that is written.
        level: LogLevel = Choice::new(), LogLevel::Info;
        /// Lines for people or one JSON object per line.
        format: LogFormat = Choice::new(), LogFormat::Text;
    }
}

section! {
    /// Where accounts and the signing key live.
    Database = "database" {
        /// `sqlite:` and a path, relative to the working directory. Missing directories are made; the file gets mode 0600.
        url: String = Text { what: "a database URL", check: check_database }, "sqlite:data/lychgate.db".to_owned();
    }
}

section! {
    /// The tokens that this server issues and accepts.
    Tokens = "tokens" {
        /// `"eddsa"`: a key made at the first start and kept in the database. `"hs256"`: a secret that you supply.
        /// It is never guessed from what else is set.
        signing: SigningMethod = Choice::new(), SigningMethod::EdDsa;
        /// The HS256 secret itself, at least 32 bytes. Prefer `secret_file` or `secret_env`.
        secret: Option<SecretString> = Optional(Hidden), None;
        /// A file that holds the HS256 secret; line ends at its end are not part of it.
        secret_file: Option<PathBuf> = Optional(FilePath), None;
        /// The environment variable that holds the HS256 secret.
        secret_env: Option<String> = Optional(VariableName), None;
        /// `iss` of our tokens. A name that begins with `lychgate-dev` belongs to `--dev` and is refused.
        issuer: String = Text { what: "text", check: check_issuer }, "lychgate".to_owned();
        /// `aud` of our tokens.
        audience: String = Text { what: "text", check: check_name }, "lychgate".to_owned();
        /// How long a token is good for. This one setting rules `exp`, `expires_in` and the moment a socket is closed.
        lifetime: Duration = Time { least: seconds(1), most: seconds(90 * 86_400) }, seconds(30 * 60);
        /// How far this server's clock and another may differ when a token is checked.
        leeway: Duration = Time { least: Duration::ZERO, most: seconds(60) }, seconds(5);
    }
}

section! {
    /// Tokens that somebody else issues. `NAME` is how logs and metrics call the issuer.
    IssuerSettings = "issuer.NAME" {
        /// The one algorithm that is accepted. Required.
        algorithm: Option<IssuerAlgorithm> = Optional(Choice::new()), None;
        /// The shared secret of an HS algorithm, at least 32 bytes. Prefer `secret_file` or `secret_env`.
        secret: Option<SecretString> = Optional(Hidden), None;
        /// A file that holds the shared secret.
        secret_file: Option<PathBuf> = Optional(FilePath), None;
        /// The environment variable that holds the shared secret.
        secret_env: Option<String> = Optional(VariableName), None;
        /// A PEM file with the public key of any other algorithm.
        public_key_file: Option<PathBuf> = Optional(FilePath), None;
        /// The `iss` of its tokens. A token that carries another one is refused.
        issuer: Option<String> = Optional(Text { what: "text", check: check_issuer }), None;
        /// The `aud` of its tokens. A token that carries another one is refused.
        audience: Option<String> = Optional(Text { what: "text", check: check_name }), None;
        /// `"legacy"` asks for `sub` and `exp`; `"named"` asks for `iss` and `aud` as well, where they are written here;
        /// `"own"` asks for everything our own tokens carry.
        claims: ClaimsKind = Choice::new(), ClaimsKind::Legacy;
        /// How far this server's clock and the issuer's may differ.
        leeway: Duration = Time { least: Duration::ZERO, most: seconds(60) }, seconds(30);
        /// The longest lifetime that is accepted; a token that is good for longer is refused.
        lifetime_max: Duration = Time { least: seconds(1), most: seconds(366 * 86_400) }, DAY;
    }
}

section! {
    /// The cost of checking passwords.
    Accounts = "accounts" {
        /// Passwords hashed at once; 0 is one per core, at most 4. Each takes 19 MiB while it runs.
        hash_permits: usize = Count::of(0, 64), 0;
        /// Logins that may wait for a turn. The next one is told to come back.
        hash_queue: usize = Count::of(1, 65_536), 64;
        /// How long a login waits for its turn before it is told to come back.
        hash_wait: Duration = WAIT, seconds(2);
    }
}

section! {
    /// One-time tickets: whoever shows a token gets one, and it opens one connection at an endpoint that lists
    /// `"ticket:NAME"` among its credentials. So tokens stay out of addresses, and addresses into logs do no harm.
    TicketSettings = "ticket" {
        /// Whether they are given.
        enabled: bool = Flag, false;
        /// The path that gives them.
        path: String = Text { what: "a path", check: check_path }, "/ws-ticket".to_owned();
        /// How they are asked for, with the token as `Authorization: Bearer`.
        method: TicketMethod = Choice::new(), TicketMethod::Post;
        /// How long one is good for; never longer than its token.
        lifetime: Duration = Time { least: seconds(1), most: seconds(600) }, seconds(30);
    }
}

section! {
    /// What one client, and all of them together, may cost.
    Limits = "limits" {
        /// Sockets in all. It is lowered, with a warning, to what the system lets the process open.
        connections_max: usize = Count::of(1, 10_000_000), 65_536;
        /// Sockets of one user. Visitors without a token are no user: what they may open is limited by address.
        connections_per_user: usize = Count::of(1, 10_000_000), 100;
        /// Sockets of one address.
        connections_per_address: usize = Count::of(1, 10_000_000), 1_000;
        /// New connections a second from one address, on the long run.
        connects_per_second_per_address: u32 = Count::of(1, 10_000_000), 50;
        /// New connections that one address may open at once.
        connects_burst_per_address: u32 = Count::of(1, 10_000_000), 200;
        /// From accept to authenticated.
        handshake_timeout: Duration = WAIT, seconds(10);
        /// The largest request head.
        request_head_bytes_max: usize = Size { least: KIB, most: MIB }, 16 * KIB;
        /// Headers in a request.
        headers_max: usize = Count::of(8, 1_000), 100;
        /// The longest request target (path and query).
        request_target_bytes_max: usize = Size { least: 256, most: 64 * KIB }, 8 * KIB;
        /// The largest message from a client, after its fragments are joined.
        message_bytes_max: usize = Size { least: 125, most: MESSAGE_BYTES_CEILING }, 64 * KIB;
        /// Fragments of one message; empty ones count.
        fragments_max: u32 = Count::of(1, 1_000_000), 1_024;
        /// Messages a second from one socket, on the long run.
        messages_per_second: u32 = Count::of(1, 10_000_000), 30;
        /// Messages that one socket may send at once.
        messages_burst: u32 = Count::of(1, 10_000_000), 100;
        /// Pings a second from one socket, on the long run.
        pings_per_second: u32 = Count::of(1, 1_000_000), 2;
        /// Pings that one socket may send at once.
        pings_burst: u32 = Count::of(1, 1_000_000), 20;
        /// How long a socket may be silent before it is pinged.
        ping_interval: Duration = WAIT, seconds(25);
        /// How long the pong may take.
        pong_timeout: Duration = WAIT, seconds(10);
        /// How long the answer to our close may take.
        close_timeout: Duration = WAIT, seconds(5);
        /// Bytes that may wait for one socket. More closes it as too slow.
        queue_bytes_max: usize = Size { least: 4 * KIB, most: 1024 * MIB }, MIB;
        /// Pieces that may wait for one socket. More closes it as too slow.
        queue_slices_max: usize = Count::of(2, 1_000_000), 1_024;
        /// Channels that one connection may hold at an endpoint with `kind = "channels"`.
        channels_per_connection: usize = Count::of(1, 100_000), 128;
        /// Publications in one answer to a client: of a history, or of what it has missed.
        publications_per_answer: usize = Count::of(1, 10_000), 300;
        /// Bytes that all channels of namespaces keep together. When seven eighths are taken, those that keep most drop their
        /// oldest until a quarter is free.
        history_bytes_max: usize = Size { least: MIB, most: 1_024 * 1_024 * MIB }, 256 * MIB;
        /// Channels of namespaces whose place is remembered. Another one takes the place of one that nobody is in, which begins
        /// anew; if somebody is in all of them, a publication that would be kept is refused.
        history_channels_max: usize = Count::of(1, 100_000_000), 100_000;
        /// How long a socket with bytes waiting may take none before it is closed as too slow.
        no_progress_timeout: Duration = WAIT, seconds(5);
        /// Texts that are streamed at a time, at each endpoint of kind `"stream"`, and answers to `act = "ask"` at each other one.
        streams_max: usize = Count::of(1, 1_000_000), 1_000;
        /// Frames of one channel that are written together.
        batch_bytes_max: usize = Size { least: KIB, most: 16 * MIB }, 64 * KIB;
    }
}

/// How a ticket is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketMethod {
    /// By `POST`.
    Post,
    /// By `GET`, as some clients do.
    Get,
}

impl Words for TicketMethod {
    const ALL: &'static [(&'static str, Self)] = &[("post", Self::Post), ("get", Self::Get)];
}

/// Where metrics and health are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operations {
    /// On the public port.
    Same,
    /// On a port of their own.
    Own(SocketAddr),
}

struct OperationsAddress;

impl Shape for OperationsAddress {
    type Value = Operations;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Operations> {
        match &node.value {
            Value::Text(text) | Value::Variable(text) if text == "same" => Some(Operations::Same),
            _ => Address.read(node, report).map(Operations::Own),
        }
    }

    fn show(&self, value: &Operations) -> Option<String> {
        match value {
            Operations::Same => Some(quote("same")),
            Operations::Own(address) => Address.show(address),
        }
    }

    fn describe(&self) -> String {
        format!("{}, or \"same\"", Address.describe())
    }
}

/// Severity of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is odd.
    Warn,
    /// What an operator wants to read.
    Info,
    /// What a developer wants to read.
    Debug,
    /// Everything.
    Trace,
}

impl Words for LogLevel {
    const ALL: &'static [(&'static str, Self)] = &[
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

impl Words for LogFormat {
    const ALL: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

/// How our own tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningMethod {
    /// Ed25519, with a key kept in the database.
    EdDsa,
    /// HMAC-SHA-256, with a configured secret.
    Hs256,
}

impl Words for SigningMethod {
    const ALL: &'static [(&'static str, Self)] = &[("eddsa", Self::EdDsa), ("hs256", Self::Hs256)];
}

/// The algorithm of a foreign issuer, by its JOSE name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuerAlgorithm(pub lychgate_token::Algorithm);

impl Words for IssuerAlgorithm {
    const ALL: &'static [(&'static str, Self)] = {
        use lychgate_token::Algorithm;
        &[
            ("HS256", Self(Algorithm::Hs256)),
            ("HS384", Self(Algorithm::Hs384)),
            ("HS512", Self(Algorithm::Hs512)),
            ("RS256", Self(Algorithm::Rs256)),
            ("ES256", Self(Algorithm::Es256)),
            ("EdDSA", Self(Algorithm::EdDSA)),
        ]
    };
}

/// Which claims a foreign issuer's tokens must carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimsKind {
    /// `sub` and `exp`.
    Legacy,
    /// The same, and the issuer and audience that are written.
    Named,
    /// All that our own tokens carry.
    Own,
}

impl Words for ClaimsKind {
    const ALL: &'static [(&'static str, Self)] =
        &[("legacy", Self::Legacy), ("named", Self::Named), ("own", Self::Own)];
}

pub(super) type Checked = Result<(), (String, String)>;

pub(super) fn fail(wrong: impl Into<String>, remedy: impl Into<String>) -> Checked {
    Err((wrong.into(), remedy.into()))
}

/// A path of this server: begins with `/`, and only with characters that need no escape.
pub(super) fn check_path(path: &str) -> Checked {
    let remedy = "Write a path such as \"/ws\": letters, digits, - _ . ~ and /";
    if !path.starts_with('/') || path.contains("//") || (path.len() > 1 && path.ends_with('/')) || path.len() > 255 {
        return fail(format!("{} is not a path of this server", cite(path)), remedy);
    }
    if !path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~/".contains(&b)) {
        return fail(format!("{} holds a character that a path here may not hold", cite(path)), remedy);
    }
    Ok(())
}

pub(super) fn check_origin(origin: &str) -> Checked {
    let remedy = "Write it as a browser sends it: scheme, host and port, such as \"https://app.example.com\"";
    if origin == "*" || origin == "null" {
        return fail(format!("{} would let every site in", cite(origin)), remedy);
    }
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")).unwrap_or_default();
    let exact = !host.is_empty()
        && !host.contains(['/', '?', '#', '@', '*', ' '])
        && !origin.bytes().any(|b| b.is_ascii_uppercase() || b.is_ascii_control())
        && origin.parse::<http::Uri>().is_ok();
    if exact { Ok(()) } else { fail(format!("{} is not an exact origin", cite(origin)), remedy) }
}

fn check_database(url: &str) -> Checked {
    match url.strip_prefix("sqlite:") {
        Some(path) if !path.trim_start_matches('/').trim().is_empty() => Ok(()),
        // The URL is not repeated: those of other databases carry a password.
        _ => fail(
            "this is not a database this server can open",
            "Write \"sqlite:\" and a path, such as \"sqlite:data/lychgate.db\"",
        ),
    }
}

pub(super) fn check_name(name: &str) -> Checked {
    if name.trim().is_empty() || name.len() > 255 || name.chars().any(char::is_control) {
        return fail("this is blank, too long or holds a control character", "Write 1 to 255 bytes of plain text");
    }
    Ok(())
}

fn check_issuer(name: &str) -> Checked {
    if name.starts_with(super::DEV_ISSUER) {
        return fail(
            format!("{} belongs to --dev", cite(name)),
            "Choose a name that does not begin with \"lychgate-dev\"",
        );
    }
    check_name(name)
}
