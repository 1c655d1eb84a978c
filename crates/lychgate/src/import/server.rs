//! Where the server listens, who may call from a browser, what it logs, and how it stops.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Group;
use super::api::path_of;
use super::duration;
use super::ours::{Ours, Section, list, quoted};
use super::picture::Picture;
use super::report::Report;

/// A name that no browser is at (RFC 6761 section 6.4).
const NOBODY: &str = "https://nobody.invalid";

const PORT: u16 = 8000;

/// Writes `[server]`, `[log]` and `[login]`.
pub(super) fn write(picture: &Picture, report: &mut Report<'_>, ours: &mut Ours) {
    let mut server = Section::new("server");
    server.put("listen", quoted(&listen(picture, report).to_string()));
    if let Some(operations) = operations(picture, report) {
        server.put_with("operations_listen", quoted(&operations.to_string()), "metrics and health");
    }
    origins(picture, report, &mut server);
    if let Some(path) = picture.text("emulation.handler_prefix").and_then(|path| path_of(&path)) {
        server.put("emulation", quoted(&path));
    }
    stop(picture, &mut server);
    ours.push(server);
    log(picture, report, ours);
    let mut login = Section::new("login").about("Your backend makes the tokens.");
    login.put("enabled", "false");
    ours.push(login);
    picture.settle("usage_stats.disabled");
    engine(picture, report);
}

fn listen(picture: &Picture, report: &mut Report<'_>) -> SocketAddr {
    let port = port(picture, "http_server.port").unwrap_or(PORT);
    let address = address(picture, report, "http_server.address");
    for key in ["http_server.tls.enabled", "http_server.tls_autocert.enabled"] {
        if picture.flag(key) {
            let text = "It spoke TLS itself. There is no TLS here: put a proxy in front that ends it. Until then this machine alone is listened to.";
            report.note(Group::Decide, key, text);
            return SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        }
    }
    SocketAddr::new(address, port)
}

/// The address of the internal port, where there was one.
fn operations(picture: &Picture, report: &mut Report<'_>) -> Option<SocketAddr> {
    let metrics = picture.flag("prometheus.enabled");
    let health = picture.flag("health.enabled");
    let Some(port) = port(picture, "http_server.internal_port") else {
        picture.settle("http_server.internal_address");
        for (key, is_on) in [("prometheus.enabled", metrics), ("health.enabled", health)] {
            if is_on {
                let text = "It was on the public port. Metrics and health are on 127.0.0.1:9000 here; server.operations_listen moves them.";
                report.note(Group::Decide, key, text);
            }
        }
        return None;
    };
    let address = match picture.has("http_server.internal_address") {
        true => address(picture, report, "http_server.internal_address"),
        false => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    if metrics || address.is_loopback() {
        return Some(SocketAddr::new(address, port));
    }
    let text =
        "Metrics were not served there, so this port is on this machine alone until you say server.operations_listen.";
    report.note(Group::Decide, "http_server.internal_port", text);
    Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
}

fn port(picture: &Picture, key: &str) -> Option<u16> {
    picture.number(key).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0)
}

/// An address to listen at; all of them, where none is written.
fn address(picture: &Picture, report: &mut Report<'_>, key: &str) -> IpAddr {
    let Some(text) = picture.text(key) else { return IpAddr::V4(Ipv4Addr::UNSPECIFIED) };
    match text.trim_matches(['[', ']']) {
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        text => text.parse().unwrap_or_else(|_| {
            let text = "It is a name, and an IP address is asked for here. Until you write it this machine alone is listened to.";
            report.note(Group::Decide, key, text);
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        }),
    }
}

fn origins(picture: &Picture, report: &mut Report<'_>, server: &mut Section) {
    let key = "client.allowed_origins";
    let all = picture.texts(key).unwrap_or_default();
    if all.iter().any(|origin| origin == "*") {
        let text = "Every page may connect, as before: a cookie would then be shown by any of them. List the origins of your pages in server.origins.";
        report.note(Group::Decide, key, text);
        return;
    }
    let clean = |origin: &String| origin.trim_end_matches('/').to_ascii_lowercase();
    let (whole, patterns): (Vec<String>, Vec<String>) = all.iter().map(clean).partition(|origin| is_origin(origin));
    if !patterns.is_empty() {
        let text = format!(
            "An origin is written whole here, with its scheme and without patterns. List in server.origins what was meant by: {}",
            patterns.iter().map(|pattern| quoted(pattern)).collect::<Vec<_>>().join(", ")
        );
        report.note(Group::Decide, key, text);
    }
    if !whole.is_empty() {
        server.put("origins", list(&whole));
        return;
    }
    if patterns.is_empty() {
        let text = "Without it pages of the server's own host may connect, and no others. Write the origins of your pages in server.origins; what stands there lets no page in.";
        report.note(Group::Decide, key, text);
    }
    server.put_with("origins", list(&[NOBODY.to_owned()]), "no page, until you write yours");
}

/// As the configuration asks for it.
fn is_origin(origin: &str) -> bool {
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")).unwrap_or_default();
    !host.is_empty()
        && !host.contains(['/', '?', '#', '@', '*', ' ', '[', '{'])
        && host.bytes().all(|byte| byte.is_ascii_graphic())
        && origin.parse::<http::Uri>().is_ok()
}

fn stop(picture: &Picture, server: &mut Section) {
    let Some(ms) = picture.ms("shutdown.timeout").and_then(|ms| u64::try_from(ms).ok()) else { return };
    let ms = ms.min(3_600_000);
    server.put("drain_total", quoted(&duration::show(ms)));
    if ms < 30_000 {
        // The parts have to fit into the whole.
        server.put("drain_not_ready", quoted("0s"));
        server.put("drain_spread", quoted(&duration::show(ms * 4 / 5)));
    }
}

fn log(picture: &Picture, report: &mut Report<'_>, ours: &mut Ours) {
    let Some(level) = picture.text("log.level") else { return };
    let level = match level.to_ascii_lowercase().as_str() {
        "trace" => "trace",
        "debug" => "debug",
        "info" => "info",
        "warn" => "warn",
        "error" => "error",
        "none" | "fatal" => {
            report.note(Group::Gone, "log.level", "Less than errors. Errors are the least that is logged.");
            "error"
        }
        _ => {
            report.note(Group::Decide, "log.level", "This is no level that is known here; log.level is left as it is.");
            return;
        }
    };
    let mut log = Section::new("log");
    log.put("level", quoted(level));
    ours.push(log);
}

fn engine(picture: &Picture, report: &mut Report<'_>) {
    match picture.text("engine.type").as_deref() {
        None | Some("memory") => {}
        Some(_) => {
            let text = "Several nodes over a broker, with a history that outlives them. One machine serves all here; history_durable = true of a namespace keeps its history in the database.";
            report.note(Group::Decide, "engine.type", text);
        }
    }
}
