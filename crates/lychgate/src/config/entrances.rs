//! Checks of how endpoints let people in: what belongs together is there, and what cannot work is refused at the start.

use lychgate_gateway::settings::{CredentialSource, WhenFull};
use lychgate_service::naming;

use super::Raw;
use super::endpoint::{Endpoint, EndpointKind, place_of};
use super::entrance::{OWN, Rule};
use super::fault::{Faults, Notice};
use super::shape::cite;
use super::source::Sources;

/// Runs every check on every endpoint.
pub(super) fn all(raw: &Raw, sources: &Sources, faults: &mut Faults, notices: &mut Vec<Notice>) {
    for (name, endpoint) in &raw.endpoints {
        let mut report = Report { raw, name, faults };
        names_can_be_made(endpoint, &mut report);
        parameters_exist(endpoint, &mut report);
        cookies_have_origins(endpoint, sources, &mut report);
        subprotocols_are_answered(endpoint, &mut report);
        tickets_are_given(endpoint, &mut report);
        headers_go_to_somebody(endpoint, sources, &mut report);
        what_is_named_exists(endpoint, &mut report);
        fallbacks_are_of_channels(endpoint, &mut report);
        notices.extend(without_effect(raw, name, endpoint));
    }
}

/// What was written and means nothing here.
fn without_effect(raw: &Raw, name: &str, endpoint: &Endpoint) -> Vec<Notice> {
    let (identity, policy) = (&endpoint.identity, &endpoint.policy);
    let looks_up = identity.must_exist || identity.must_be_active;
    let asks = matches!(policy.rule, Rule::Owner | Rule::Member);
    let by_look_up = "has no effect: nobody is looked up without must_exist or must_be_active";
    let by_rule = "has no effect: nobody is asked with this rule";
    let idle = [
        ("identity.lookup", !looks_up && identity.lookup != OWN, by_look_up),
        ("identity.query", !looks_up && identity.query.is_some(), by_look_up),
        ("policy.source", !asks && policy.source != OWN, by_rule),
        ("policy.query", !asks && policy.query.is_some(), by_rule),
        ("policy.resource", !asks && policy.resource.is_some(), by_rule),
    ];
    let notice = |(key, _, text): &(&str, bool, &str)| Notice {
        place: place_of(&raw.places, name, key),
        key: format!("endpoint.{name}.{key}"),
        text: (*text).to_owned(),
    };
    idle.iter().filter(|(_, is_idle, _)| *is_idle).map(notice).collect()
}

struct Report<'a> {
    raw: &'a Raw,
    name: &'a str,
    faults: &'a mut Faults,
}

impl Report<'_> {
    fn add(&mut self, key: &str, wrong: impl Into<String>, remedy: impl Into<String>) {
        let whole = format!("endpoint.{}.{key}", self.name);
        if !self.faults.concern(&whole) {
            self.faults.add(place_of(&self.raw.places, self.name, key), whole, wrong, remedy);
        }
    }
}

fn names_can_be_made(endpoint: &Endpoint, report: &mut Report<'_>) {
    let target = &endpoint.settings.path;
    let names: Vec<String> = target.slots().iter().map(|slot| format!("{{{}}}", slot.name)).collect();
    let remedy = format!("Use {{user.id}}, {{user.name}} and what the path takes: {}", names.join(", "));
    let settings = &endpoint.settings;
    let templates = [
        ("channel", Some(&settings.channel)),
        ("inbox", settings.inbox.as_ref()),
        ("policy.resource", endpoint.policy.resource.as_ref()),
    ];
    for (key, template) in templates {
        let Some(template) = template else { continue };
        match naming::compile(template, target) {
            Ok(compiled) => {
                if let Some(constant) = compiled.as_constant()
                    && lychgate_protocol::channel::ChannelName::new(constant).is_err()
                {
                    let remedy = "Write 1 to 255 visible ASCII characters, without spaces";
                    report.add(key, format!("{} is no channel name", cite(constant)), remedy);
                }
            }
            Err(fault) => report.add(key, format!("{}: {fault}", cite(template)), remedy.clone()),
        }
    }
}

fn parameters_exist(endpoint: &Endpoint, report: &mut Report<'_>) {
    let target = &endpoint.settings.path;
    let is_there = |name: &str| target.slots().iter().any(|slot| *slot.name == *name);
    if let Some(name) = &endpoint.identity.path_user
        && !is_there(name)
    {
        let wrong = format!("the path {target} has no parameter {}", cite(name));
        report.add("identity.path_user", wrong, format!("Write {{{name}}} into the path"));
    }
    if let WhenFull::ReplaceSame(name) = &endpoint.settings.when_full
        && !is_there(name)
    {
        let wrong = format!("the path {target} has no parameter {}", cite(name));
        report.add("when_full", wrong, format!("Write ?{name}={{{name}:name=none}} behind the path"));
    }
    if endpoint.identity.anonymous.is_some() && endpoint.policy.rule != Rule::Any {
        let wrong = "nobody vouches for a visitor without a token, so no rule but \"any\" can let them in";
        report.add("identity.anonymous", wrong, "Remove it, or set policy.rule = \"any\"");
    }
}

fn cookies_have_origins(endpoint: &Endpoint, sources: &Sources, report: &mut Report<'_>) {
    let settings = &endpoint.settings;
    let by_cookie = settings.credentials.iter().any(|source| matches!(source, CredentialSource::Cookie(_)));
    let origins = settings.origins.as_ref().unwrap_or(&report.raw.server.origins);
    if by_cookie && origins.is_empty() && !sources.dev {
        let wrong = "browsers send a cookie whichever page asks, and no origin is listed that may";
        report.add("credentials", wrong, "List your pages in endpoint.NAME.origins or server.origins");
    }
}

fn subprotocols_are_answered(endpoint: &Endpoint, report: &mut Report<'_>) {
    let settings = &endpoint.settings;
    let hides = settings.credentials.iter().any(|source| matches!(source, CredentialSource::SubprotocolBase64(_)));
    if hides && settings.subprotocols.is_empty() {
        let wrong = "a browser gives up when none of its subprotocols is answered, and the one with the token never is";
        report.add("subprotocols", wrong, "Name the subprotocol that clients offer beside it");
    }
}

fn tickets_are_given(endpoint: &Endpoint, report: &mut Report<'_>) {
    let takes = endpoint.settings.credentials.iter().any(|source| matches!(source, CredentialSource::Ticket(_)));
    if takes && !report.raw.ticket.enabled {
        let wrong = "it takes tickets, and this server gives none";
        report.add("credentials", wrong, "Write enabled = true under [ticket], or remove the place");
    }
}

fn fallbacks_are_of_channels(endpoint: &Endpoint, report: &mut Report<'_>) {
    for (transport, _) in endpoint.settings.fallbacks() {
        if endpoint.settings.kind != EndpointKind::Channels {
            let wrong = "clients of this kind of endpoint come by WebSocket alone";
            report.add(transport.name(), wrong, "Remove it, or write kind = \"channels\"");
        }
    }
}

fn headers_go_to_somebody(endpoint: &Endpoint, sources: &Sources, report: &mut Report<'_>) {
    let settings = &endpoint.settings;
    let is_channels = settings.kind == EndpointKind::Channels;
    for (key, is_set) in [("on_connect", settings.on_connect.is_some()), ("on_refresh", settings.on_refresh.is_some())]
    {
        if is_set && !is_channels {
            report.add(key, "only clients of channels connect and refresh", "Write kind = \"channels\", or remove it");
        }
    }
    for (key, headers) in [
        ("on_connect_headers", &settings.on_connect_headers),
        ("on_connect_emulated_headers", &settings.on_connect_emulated_headers),
    ] {
        if !headers.is_empty() && settings.on_connect.is_none() {
            report.add(
                key,
                "nobody is asked who connects, so they would go nowhere",
                "Write on_connect, or remove them",
            );
        }
    }
    let origins = settings.origins.as_ref().unwrap_or(&report.raw.server.origins);
    if settings.on_connect_headers.iter().any(|name| name == "cookie") && origins.is_empty() && !sources.dev {
        let wrong = "browsers send a cookie whichever page asks, and no origin is listed that may";
        report.add("on_connect_headers", wrong, "List your pages in endpoint.NAME.origins or server.origins");
    }
}

fn what_is_named_exists(endpoint: &Endpoint, report: &mut Report<'_>) {
    let (settings, raw) = (&endpoint.settings, report.raw);
    if let Some(board) = &settings.board {
        if !raw.boards.contains_key(board) {
            report.add("board", format!("there is no board {}", cite(board)), format!("Write [board.{board}]"));
        } else if endpoint.codec.presence_update.is_some() && settings.channel.contains('{') {
            let wrong = "what changes on a board is told in this channel, which is not always the same one";
            report.add(
                "channel",
                wrong,
                "Write a channel without parameters, or move presence_update to another endpoint",
            );
        }
    }
    let by_query = [
        ("identity.lookup", Some(&endpoint.identity.lookup)),
        ("policy.source", Some(&endpoint.policy.source)),
        ("forward", settings.forward.as_ref()),
        ("on_rpc", settings.on_rpc.as_ref()),
        ("on_connect", settings.on_connect.as_ref()),
        ("on_refresh", settings.on_refresh.as_ref()),
        ("stream.source", endpoint.stream.source.as_ref()),
    ];
    for (key, name) in by_query {
        if let Some(name) = name
            && name != OWN
            && !raw.sources.contains_key(name)
        {
            report.add(
                key,
                format!("there is no source {}", cite(name)),
                format!("Write [source.{name}] with its url"),
            );
        }
    }
    for (kind, rule) in &endpoint.rules {
        if let Some(ask) = &rule.ask
            && !raw.sources.contains_key(&ask.source)
        {
            let wrong = format!("there is no source {}", cite(&ask.source));
            report.add(&format!("codec.in.{kind}.ask"), wrong, format!("Write [source.{}] with its url", ask.source));
        }
    }
    if settings.kind == EndpointKind::Stream {
        if endpoint.stream.source.is_none() {
            report.add("stream.source", "it is missing", "Name a [source.NAME] with an http:// or https:// address");
        }
        if endpoint.stream.request.is_none() {
            report.add("stream.request", "it is missing", "Write what the source is asked, such as { prompt = \"…\" }");
        }
        let queue = raw.limits.queue_bytes_max;
        if endpoint.stream.text_bytes_max.saturating_mul(2) > queue {
            let wrong = "a late watcher gets the text so far at once, and a queue (limits.queue_bytes_max) has to hold it twice";
            report.add("stream.text_bytes_max", wrong, "Lower it, or raise limits.queue_bytes_max");
        }
    }
}
