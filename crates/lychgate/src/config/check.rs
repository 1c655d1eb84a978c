//! Checks that look at more than one setting, and what development changes.
//!
//! A limit that cannot hold is lowered with a notice where that surprises nobody, and is a fault where it would.
//! A check whose own settings are already wrong says nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::codec;
use super::endpoint::{EndpointKind, place_of};
use super::fault::{Faults, Notice, Place};
use super::profile::BUILT_IN;
use super::route::RouteKind;
use super::settings::{Operations, TicketMethod};
use super::shape::{KIB, cite, show_size, show_time};
use super::source::{BUILT_IN_FILE, Sources};
use super::{DEV_ISSUER, Raw, entrances, namespaces};

/// What stamps and the frame header may add to a message.
const ENVELOPE_BYTES: usize = 2 * KIB;

/// Descriptors that are not sockets: the database, the listeners, the standard streams, and room for a log.
const DESCRIPTORS_RESERVED: u64 = 64;

/// Paths that the server answers itself when the operations port is the public one.
const OPERATIONS_PATHS: [&str; 2] = ["/metrics", "/health"];

/// The path of the development server's test token.
pub const TEST_TOKEN_PATH: &str = "/test-token";

/// Runs every check.
pub(super) fn all(raw: &mut Raw, sources: &Sources, faults: &mut Faults, notices: &mut Vec<Notice>) {
    messages_fit_their_queue(raw, faults);
    times_fit_each_other(raw, faults);
    connections_fit_the_machine(raw, sources, notices);
    ports_differ(raw, faults);
    paths_differ(raw, sources, faults);
    passwords_are_asked_for(raw, sources, faults);
    profiles_exist(raw, faults);
    super::sessions::fit(raw, faults, notices);
    super::board::copies_can_be_made(raw, faults);
    entrances::all(raw, sources, faults, notices);
    namespaces::all(raw, faults);
    issuers_differ(raw, faults);
    for (name, endpoint) in &raw.endpoints {
        codec::compiles(name, endpoint, &raw.places, faults);
    }
    if raw.endpoints.is_empty() && !faults.concern("endpoint") {
        let text = "there is none, so no socket can connect; write [endpoint.NAME]".to_owned();
        notices.push(Notice { place: Place::Nowhere, key: "endpoint".to_owned(), text });
    }
    for (name, endpoint) in &raw.endpoints {
        if endpoint.settings.kind == EndpointKind::Echo && !endpoint.codec.stamp.is_empty() {
            let key = format!("endpoint.{name}.codec.stamp");
            let text = "has no effect: an echo endpoint sends back what came".to_owned();
            notices.push(Notice { place: raw.place(&key), key, text });
        }
    }
}

fn messages_fit_their_queue(raw: &Raw, faults: &mut Faults) {
    let queue = raw.limits.queue_bytes_max;
    if faults.concern("limits.queue_bytes_max") {
        return;
    }
    let mut fit = |key: String, bytes: usize| {
        if bytes.saturating_add(ENVELOPE_BYTES) > queue && !faults.concern(&key) {
            let needed = show_size((bytes + ENVELOPE_BYTES).next_multiple_of(KIB));
            faults.add(
                raw.place_or(&key, "limits.queue_bytes_max"),
                key,
                format!(
                    "a message of {} does not fit a queue of {} (limits.queue_bytes_max): its receivers would be closed as too slow",
                    show_size(bytes),
                    show_size(queue)
                ),
                format!("Lower it, or raise limits.queue_bytes_max to {needed} or more"),
            );
        }
    };
    fit("limits.message_bytes_max".to_owned(), raw.limits.message_bytes_max);
    for (name, endpoint) in &raw.endpoints {
        if let Some(bytes) = endpoint.settings.message_bytes_max {
            fit(format!("endpoint.{name}.message_bytes_max"), bytes);
        }
    }
    if raw.limits.batch_bytes_max > queue && !faults.concern("limits.batch_bytes_max") {
        faults.add(
            raw.place_or("limits.batch_bytes_max", "limits.queue_bytes_max"),
            "limits.batch_bytes_max",
            format!(
                "a batch of {} does not fit a queue of {}",
                show_size(raw.limits.batch_bytes_max),
                show_size(queue)
            ),
            "Lower it, or raise limits.queue_bytes_max",
        );
    }
}

fn times_fit_each_other(raw: &Raw, faults: &mut Faults) {
    let mut at_most = |key: &str, value: Duration, bound_key: &str, bound: Duration, why: &str| {
        if value > bound && !faults.concern(key) && !faults.concern(bound_key) {
            faults.add(
                raw.place_or(key, bound_key),
                key,
                format!("{} is longer than {} ({bound_key}): {why}", show_time(value), show_time(bound)),
                format!("Lower it, or raise {bound_key}"),
            );
        }
    };
    let (limits, server) = (&raw.limits, &raw.server);
    at_most(
        "limits.pong_timeout",
        limits.pong_timeout,
        "limits.ping_interval",
        limits.ping_interval,
        "the next ping would leave before the last one is given up",
    );
    at_most(
        "server.drain_spread",
        server.drain_not_ready + server.drain_spread,
        "server.drain_total",
        server.drain_total,
        "with server.drain_not_ready before it, the process would end before the last socket is told",
    );
}

fn connections_fit_the_machine(raw: &mut Raw, sources: &Sources, notices: &mut Vec<Notice>) {
    let place = raw.place("limits.connections_max");
    let limits = &mut raw.limits;
    if let Some(descriptors) = sources.machine.descriptors {
        let room = usize::try_from(descriptors.saturating_sub(DESCRIPTORS_RESERVED)).unwrap_or(usize::MAX).max(1);
        if limits.connections_max > room {
            let text = format!(
                "{} is lowered to {room}: the system lets this process open {descriptors} descriptors (ulimit -Hn, LimitNOFILE)",
                limits.connections_max
            );
            notices.push(Notice { place, key: "limits.connections_max".to_owned(), text });
            limits.connections_max = room;
        }
    }
}

fn ports_differ(raw: &Raw, faults: &mut Faults) {
    let Operations::Own(operations) = raw.server.operations_listen else { return };
    let public = raw.server.listen;
    let overlap = public.ip() == operations.ip() || public.ip().is_unspecified() || operations.ip().is_unspecified();
    // Port 0 asks the system for a free port, twice a different one.
    if public.port() == operations.port() && public.port() != 0 && overlap {
        let key = "server.operations_listen";
        let place = raw.place_or(key, "server.listen");
        let remedy = "Choose another port, or write \"same\" to serve both on one";
        faults.add(place, key, format!("{operations} is taken by server.listen"), remedy);
    }
}

/// One path that this server answers.
struct Served<'a> {
    key: String,
    path: &'a str,
    /// The one method that it takes; `None` for a path that takes all of them.
    method: Option<&'static str>,
    place: Place,
}

fn paths_differ(raw: &Raw, sources: &Sources, faults: &mut Faults) {
    let is_operations = |path: &str| {
        raw.server.operations_listen == Operations::Same
            && OPERATIONS_PATHS
                .iter()
                .any(|own| path == *own || path.strip_prefix(own).is_some_and(|p| p.starts_with('/')))
    };
    // Two names for one part make no difference to a request.
    let shape = |path: &str| -> String {
        let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
        parts.collect::<Vec<_>>().join("/")
    };
    let mut taken: Vec<(Served<'_>, String)> = Vec::new();
    for served in served(raw, sources) {
        let Served { key, path, method, place } = &served;
        if faults.concern(key) {
            continue;
        }
        if let Some(part) = raw.api.claims(path, !raw.namespaces.is_empty()) {
            let wrong = format!("{path} belongs to the API, which has all of {}/{part}", raw.api.base());
            faults.add(place.clone(), key, wrong, "Choose another path, or another api.path");
            continue;
        }
        if is_operations(path) {
            let wrong = format!("{path} is the server's own while operations_listen = \"same\"");
            let remedy = "Choose another path, or give the operations a port of their own";
            faults.add(place.clone(), key, wrong, remedy);
            continue;
        }
        let own_shape = shape(path);
        let clash = taken.iter().find(|(other, other_shape)| {
            let by_method =
                method.is_none() || other.method.is_none() || *method == other.method || other.path != *path;
            *other_shape == own_shape && by_method
        });
        match clash {
            Some((other, _)) => {
                faults.add(place.clone(), key, format!("{path} is taken by {}", other.key), "Choose another path");
            }
            None => taken.push((served, own_shape)),
        }
    }
}

fn served<'a>(raw: &'a Raw, sources: &Sources) -> Vec<Served<'a>> {
    let one = |key: &str, path: &'a str, method| Served { key: key.to_owned(), path, method, place: raw.place(key) };
    let mut all = Vec::new();
    if raw.login.enabled {
        all.push(one("login.path", &raw.login.path, Some("POST")));
        if raw.sessions.refresh_tokens {
            all.push(one("sessions.revoke_path", &raw.sessions.revoke_path, Some("POST")));
        }
        all.extend(raw.login.dev_path.iter().map(|path| one("login.dev_path", path, Some("POST"))));
    }
    if raw.ticket.enabled {
        let method = if raw.ticket.method == TicketMethod::Get { "GET" } else { "POST" };
        all.push(one("ticket.path", &raw.ticket.path, Some(method)));
    }
    if sources.dev {
        all.push(one("the development server's test token", TEST_TOKEN_PATH, Some("GET")));
    }
    for (name, route) in &raw.routes {
        let key = format!("route.{name}.path");
        let method = if route.kind == RouteKind::Publish { "POST" } else { "GET" };
        let place = raw.place_or(&key, &format!("route.{name}"));
        all.push(Served { key, path: route.path.route(), method: Some(method), place });
    }
    for (name, endpoint) in &raw.endpoints {
        let place = place_of(&raw.places, name, "path");
        let (key, path) = (format!("endpoint.{name}.path"), endpoint.settings.path.route());
        all.push(Served { key, path, method: None, place });
    }
    // Behind the paths of all endpoints: a clash is told where the rarer key is.
    let mut has_fallback = false;
    for (name, endpoint) in &raw.endpoints {
        for (transport, path) in endpoint.settings.fallbacks() {
            let key = format!("endpoint.{name}.{}", transport.name());
            all.push(Served { key, path, method: None, place: place_of(&raw.places, name, transport.name()) });
            has_fallback = true;
        }
    }
    if has_fallback {
        all.push(one("server.emulation", &raw.server.emulation, None));
    }
    all
}

/// A login without a password is for development, and forgetting it in a file must not open a server.
fn passwords_are_asked_for(raw: &Raw, sources: &Sources, faults: &mut Faults) {
    let key = "login.dev_path";
    if raw.login.dev_path.is_some() && !sources.dev && !faults.concern(key) {
        let wrong = "whoever knows an e-mail address would be logged in without a password";
        faults.add(raw.place(key), key, wrong, "Remove it, or start with --dev, where alone it exists");
    }
}

fn profiles_exist(raw: &Raw, faults: &mut Faults) {
    for (name, endpoint) in &raw.endpoints {
        let profile = &endpoint.settings.profile;
        if profile == BUILT_IN || raw.profiles.contains_key(profile) {
            continue;
        }
        let known: Vec<_> = raw
            .profiles
            .keys()
            .map(String::as_str)
            .chain((!raw.profiles.contains_key(BUILT_IN)).then_some(BUILT_IN))
            .collect();
        faults.add(
            place_of(&raw.places, name, "profile"),
            format!("endpoint.{name}.profile"),
            format!("there is no profile {}", cite(profile)),
            format!(
                "Write [profile.{}], or use one of: {}",
                if profile.is_empty() { "NAME" } else { profile },
                known.join(", ")
            ),
        );
    }
}

fn issuers_differ(raw: &Raw, faults: &mut Faults) {
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    seen.insert(&raw.tokens.issuer, "tokens.issuer".to_owned());
    for (name, settings) in &raw.issuers {
        let Some(issuer) = &settings.issuer else { continue };
        let key = format!("issuer.{name}.issuer");
        if let Some(other) = seen.get(issuer.as_str()) {
            let wrong = format!("{} is also {other}, so a token could not be told to be either's", cite(issuer));
            faults.add(raw.place(&key), key, wrong, "Give each issuer its own name");
        } else {
            seen.insert(issuer, key);
        }
    }
}

/// What `--dev` changes: loopback alone, its own issuer, nothing kept, and an end without waiting.
pub(super) fn develop(raw: &mut Raw, notices: &mut Vec<Notice>) {
    let mut note = |raw: &Raw, key: &str, text: String| {
        notices.push(Notice { place: raw.place(key), key: key.to_owned(), text });
    };
    let loopback = |address: SocketAddr| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port());
    if !raw.server.listen.ip().is_loopback() {
        note(raw, "server.listen", format!("{} becomes loopback: --dev serves this machine alone", raw.server.listen));
        raw.server.listen = loopback(raw.server.listen);
    }
    if let Operations::Own(address) = raw.server.operations_listen
        && !address.ip().is_loopback()
    {
        note(raw, "server.operations_listen", format!("{address} becomes loopback: --dev serves this machine alone"));
        raw.server.operations_listen = Operations::Own(loopback(address));
    }
    // Of the built-in example nobody expects a database of their own.
    if !matches!(raw.place("database.url"), Place::Nowhere)
        && !matches!(raw.place("database.url"), Place::File { name, .. } if *name == *BUILT_IN_FILE)
    {
        note(raw, "database.url", "is ignored: --dev keeps accounts and keys in memory".to_owned());
    }
    raw.database.url = "sqlite::memory:".to_owned();
    raw.tokens.issuer = DEV_ISSUER.to_owned();
    raw.server.drain_not_ready = Duration::ZERO;
    raw.server.drain_spread = Duration::ZERO;
}
