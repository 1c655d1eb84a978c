//! Checks that look at more than one setting, and what development changes.
//!
//! A limit that cannot hold is lowered with a notice where that surprises nobody, and is a fault where it would.
//! A check whose own settings are already wrong says nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::endpoint::{EndpointKind, place_of};
use super::fault::{Faults, Notice, Place};
use super::profile::BUILT_IN;
use super::settings::Operations;
use super::shape::{KIB, cite, show_size, show_time};
use super::source::{BUILT_IN_FILE, Sources};
use super::{DEV_ISSUER, Raw};

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
    profiles_exist(raw, faults);
    issuers_differ(raw, faults);
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

fn paths_differ(raw: &Raw, sources: &Sources, faults: &mut Faults) {
    let mut taken: BTreeMap<&str, String> = BTreeMap::new();
    if raw.login.enabled {
        taken.insert(&raw.login.path, "login.path".to_owned());
    }
    if sources.dev {
        taken.insert(TEST_TOKEN_PATH, "the development server's test token".to_owned());
    }
    let is_operations = |path: &str| {
        raw.server.operations_listen == Operations::Same
            && OPERATIONS_PATHS
                .iter()
                .any(|own| path == *own || path.strip_prefix(own).is_some_and(|p| p.starts_with('/')))
    };
    let mut own: Vec<(String, &str, Place)> = vec![("login.path".to_owned(), &raw.login.path, raw.place("login.path"))];
    for (name, endpoint) in &raw.endpoints {
        let place = place_of(&raw.places, name, "path");
        own.push((format!("endpoint.{name}.path"), &endpoint.settings.path, place));
    }
    for (key, path, place) in own {
        if faults.concern(&key) {
            continue;
        }
        if is_operations(path) {
            let wrong = format!("{path} is the server's own while operations_listen = \"same\"");
            faults.add(place, key, wrong, "Choose another path, or give the operations a port of their own");
        } else if let Some(other) = taken.get(path).filter(|other| **other != key) {
            faults.add(place, key, format!("{path} is taken by {other}"), "Choose another path");
        } else {
            taken.insert(path, key);
        }
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
