//! What a connection is and may cost.

use super::Group;
use super::api::path_of;
use super::duration;
use super::ours::{Ours, Section, quoted};
use super::picture::Picture;
use super::proxies::Proxies;
use super::report::Report;

/// Where SDKs look, if nothing else is said.
const PATH: &str = "/connection/websocket";

const HOUR_MS: i64 = 3_600_000;

const PERSONAL: &str = "client.subscribe_to_user_personal_channel";

/// The endpoint, and what namespaces have to know of it.
pub(super) struct Endpoint {
    pub(super) sections: Vec<Section>,
    /// Whether there are visitors without a token.
    pub(super) has_visitors: bool,
    /// The namespace of the channel that every user is put into, if they are; empty for none.
    pub(super) personal: Option<String>,
}

/// Writes `[limits]`.
pub(super) fn limits(picture: &Picture, report: &mut Report<'_>, ours: &mut Ours) {
    let mut limits = Section::new("limits");
    let mut count = |from: &str, to: &str, least: i64, most: i64, show: fn(i64) -> String| {
        // Zero and less were no limit, and here each has one.
        let Some(number) = picture.number(from).filter(|number| *number > 0) else { return };
        let fits = number.clamp(least, most);
        if fits != number {
            report.note(
                Group::Decide,
                from,
                format!("It is from {} to {} here, so limits.{to} is {}.", show(least), show(most), show(fits)),
            );
        }
        limits.put(to, show(fits));
    };
    count("client.connection_limit", "connections_max", 1, 10_000_000, plain);
    count("client.user_connection_limit", "connections_per_user", 1, 10_000_000, plain);
    count("client.channel_limit", "channels_per_connection", 1, 100_000, plain);
    count("client.queue_max_size", "queue_bytes_max", 80 * 1024, 1 << 30, plain);
    // A message has to fit into the queue of whoever receives it.
    let queue = picture.number("client.queue_max_size").filter(|bytes| *bytes > 0).unwrap_or(1 << 20);
    let message_most = (queue.clamp(80 * 1024, 1 << 30) - 4 * 1024).min(16 << 20);
    count("websocket.message_size_limit", "message_bytes_max", 125, message_most, plain);
    publications(picture, &mut limits);
    times(picture, report, &mut limits);
    if !limits.is_empty() {
        ours.push(limits);
    }
}

fn plain(number: i64) -> String {
    number.to_string()
}

/// One limit holds for both here: the smaller one.
fn publications(picture: &Picture, limits: &mut Section) {
    let keys = ["client.history_max_publication_limit", "client.recovery_max_publication_limit"];
    let least = keys.into_iter().filter_map(|key| picture.number(key)).filter(|number| *number > 0).min();
    if let Some(number) = least {
        limits.put("publications_per_answer", number.min(10_000).to_string());
    }
}

fn times(picture: &Picture, report: &mut Report<'_>, limits: &mut Section) {
    let (interval, timeout) = (picture.ms("client.ping_interval"), picture.ms("client.pong_timeout"));
    for (key, ms) in [("client.ping_interval", interval), ("client.pong_timeout", timeout)] {
        if ms.is_some_and(|ms| ms <= 0) {
            report.note(Group::Gone, key, "No pings. There are always some, or nobody would notice who has gone.");
        }
    }
    let within = |ms: i64| u64::try_from(ms.clamp(100, HOUR_MS)).unwrap_or(100);
    let interval = interval.filter(|ms| *ms > 0).map(within);
    if let Some(ms) = interval {
        limits.put("ping_interval", quoted(&duration::show(ms)));
    }
    // Ours has to be within the interval, whatever it is by default.
    let timeout = timeout.filter(|ms| *ms > 0).map(within).or(interval.map(|ms| ms.min(8_000)));
    if let Some(ms) = timeout {
        limits.put("pong_timeout", quoted(&duration::show(ms.min(interval.unwrap_or(25_000)))));
    }
}

/// The endpoint of clients.
pub(super) fn endpoint(picture: &Picture, report: &mut Report<'_>, proxies: &mut Proxies) -> Endpoint {
    let mut endpoint = Section::new("endpoint.realtime").about("Where SDKs connect.");
    let path = picture.text("websocket.handler_prefix");
    let path = path.and_then(|path| path_of(&path)).unwrap_or_else(|| PATH.to_owned());
    endpoint.put("path", quoted(&path));
    endpoint.put("kind", quoted("channels"));
    endpoint.put_with("credentials", "[]", "the token comes with the first command");
    if let Some(ms) = picture.ms("client.stale_close_delay").filter(|ms| *ms > 0) {
        let ms = u64::try_from(ms.clamp(100, HOUR_MS)).unwrap_or(100);
        endpoint.put("credential_timeout", quoted(&duration::show(ms)));
    }
    let personal = personal(picture, report, &mut endpoint);
    if let Some(source) = proxies.of_calls(picture, report) {
        endpoint.put("on_rpc", quoted(&source));
    }
    proxies.connections(picture, report, &mut endpoint);
    for (key, customary) in [("sse", "/connection/sse"), ("http_stream", "/connection/http_stream")] {
        let path = picture.text(&format!("{key}.handler_prefix"));
        if picture.flag(&format!("{key}.enabled")) {
            let path = path.and_then(|path| path_of(&path)).unwrap_or_else(|| customary.to_owned());
            endpoint.put(key, quoted(&path));
        }
    }
    let has_visitors = picture.flag("client.allow_anonymous_connect_without_token");
    let mut sections = Vec::new();
    if picture.flag("websocket.disabled") {
        report.note(
            Group::Decide,
            "websocket.disabled",
            "Clients did not connect by WebSocket. It cannot be switched off here, so no endpoint is written: decide, and write one.",
        );
    } else {
        sections.push(endpoint);
        if has_visitors {
            let mut identity = Section::new("endpoint.realtime.identity").about("Visitors without a token.");
            identity.put("anonymous", quoted("visitor"));
            sections.push(identity);
        }
    }
    Endpoint { sections, has_visitors, personal }
}

fn personal(picture: &Picture, report: &mut Report<'_>, endpoint: &mut Section) -> Option<String> {
    let is_on = picture.flag(&format!("{PERSONAL}.enabled"));
    let namespace = picture.text(&format!("{PERSONAL}.personal_channel_namespace")).unwrap_or_default();
    let is_single = picture.flag(&format!("{PERSONAL}.single_connection"));
    if !is_on {
        return None;
    }
    let boundary = if namespace.is_empty() { String::new() } else { boundary(picture) };
    let user = user_boundary(picture);
    if [&namespace, &boundary, &user]
        .iter()
        .any(|part| !part.bytes().all(|byte| byte.is_ascii_graphic() && !b"{}".contains(&byte)))
    {
        report.note(
            Group::Decide,
            &format!("{PERSONAL}.enabled"),
            "Its channels have names that cannot be here. Write the endpoint's inbox with other ones.",
        );
        return None;
    }
    endpoint.put_with(
        "inbox",
        quoted(&format!("{namespace}{boundary}{user}{{user.id}}")),
        "every user is put into their own",
    );
    if is_single {
        endpoint.put("connections_per_user", "1");
        endpoint.put("when_full", quoted("close-oldest"));
    }
    Some(namespace)
}

/// What ends the name of a namespace.
pub(super) fn boundary(picture: &Picture) -> String {
    picture.text("channel.namespace_boundary").unwrap_or_else(|| ":".to_owned())
}

/// What begins a list of users.
pub(super) fn user_boundary(picture: &Picture) -> String {
    picture.text("channel.user_boundary").unwrap_or_else(|| "#".to_owned())
}
