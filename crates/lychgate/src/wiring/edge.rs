//! The configuration in the words of the gateway.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::StatusCode;
use lychgate_gateway::layers::origin::Origins;
use lychgate_gateway::settings::{
    self as edge, ApiRoute, Behaviour, Converse, EndpointSettings, LoginBody, LoginRoute, SeatLimit, Streaming,
    TestTokenRoute, TicketRoute,
};
use lychgate_gateway::ws::channels::subprotocols;
use lychgate_gateway::ws::fallback::FallbackSettings;
use lychgate_gateway::ws::profile::{Event, Profile, RefuseBy};
use lychgate_hub::Registrar;
use lychgate_protocol::ws::CloseCode;
use lychgate_service::admission::Door;
use lychgate_service::events::Outbox;
use lychgate_service::limits::Rate;
use lychgate_service::streams::{StreamLimits, Streams};
use lychgate_service::template::{Names, Template};
use lychgate_token::Token;

use super::channels::Channels;
use super::conversations::{self, Conversations, Ground};
use super::{DEV_USER, events, routes, sources};
use crate::config::{self, Config, Endpoint, EndpointKind, Operations, RefusalStyle, TicketMethod};

/// What stands behind endpoints.
#[derive(Clone, Copy)]
pub(super) struct Behind<'a> {
    pub(super) conversations: &'a Conversations,
    pub(super) channels: &'a Channels,
    pub(super) ground: &'a Ground,
    pub(super) registrar: &'a Registrar,
    pub(super) outbox: Option<&'a Outbox>,
}

/// Everything the gateway is told.
///
/// # Errors
///
/// All reasons why something cannot be served, a sentence each.
pub(super) fn settings(
    config: &Config,
    test_token: Option<Token>,
    doors: &BTreeMap<String, Door>,
    behind: &Behind<'_>,
) -> Result<edge::Settings, Vec<String>> {
    let limits = &config.limits;
    let mut faults = Vec::new();
    let mut endpoints = Vec::new();
    for (name, endpoint) in &config.endpoints {
        let Some(door) = doors.get(name) else { continue };
        match behaviour(config, name, endpoint, behind) {
            Ok(behaviour) => endpoints.push(EndpointSettings {
                events: events::sessions(behind.outbox, name, endpoint.settings.events.as_deref()),
                ..endpoint_settings(config, name, endpoint, door.clone(), behaviour)
            }),
            Err(fault) => faults.push(fault),
        }
    }
    let (fixed, messages) = match routes::routes(config, doors, behind.conversations) {
        Ok(routes) => routes,
        Err(more) => {
            faults.extend(more);
            Default::default()
        }
    };
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(edge::Settings {
        trusted_proxies: config.server.trusted_proxies.clone(),
        origins: Origins { listed: config.server.origins.clone(), loopback: config.dev },
        login: config.login.enabled.then(|| login_route(config)),
        test_token: test_token.map(|token| TestTokenRoute {
            path: config::TEST_TOKEN_PATH.to_owned(),
            token: Arc::new(token),
            user: DEV_USER.0.to_owned(),
        }),
        ticket: config.ticket.enabled.then(|| TicketRoute {
            path: config.ticket.path.clone(),
            by_get: config.ticket.method == TicketMethod::Get,
        }),
        api: config.api.enabled.then(|| ApiRoute {
            path: config.api.base().to_owned(),
            body_bytes_max: config.api.body_bytes_max,
            failed_keys_per_address: per_minute(config.api.failed_keys_per_minute_per_address),
        }),
        fixed,
        messages,
        endpoints,
        emulation: config.server.emulation.clone(),
        limits: edge::Limits {
            connections_max: limits.connections_max,
            connections_per_address_max: limits.connections_per_address,
            connections_per_user_max: limits.connections_per_user,
            connect_rate_per_address: Rate::new(
                limits.connects_per_second_per_address,
                1_000,
                limits.connects_burst_per_address,
            ),
            handshake_timeout: limits.handshake_timeout,
            request_head_bytes_max: limits.request_head_bytes_max,
            headers_max: limits.headers_max,
            request_target_bytes_max: limits.request_target_bytes_max,
            fragments_max: limits.fragments_max,
            ping_rate: Rate::new(limits.pings_per_second, 1_000, limits.pings_burst),
            ping_interval: limits.ping_interval,
            pong_timeout: limits.pong_timeout,
            close_timeout: limits.close_timeout,
            queue_bytes_max: limits.queue_bytes_max,
            queue_slices_max: limits.queue_slices_max,
            no_progress_timeout: limits.no_progress_timeout,
        },
        drain: edge::Drain {
            not_ready: config.server.drain_not_ready,
            spread: config.server.drain_spread,
            total: config.server.drain_total,
        },
        operations_on_main: config.server.operations_listen == Operations::Same,
    })
}

fn per_minute(events: u32) -> Rate {
    Rate::new(events, 60_000, events)
}

fn login_route(config: &Config) -> LoginRoute {
    let (login, sessions) = (&config.login, &config.sessions);
    // Which statuses there may be was checked with the configuration.
    let status = StatusCode::from_u16(login.disabled.status).unwrap_or(StatusCode::FORBIDDEN);
    LoginRoute {
        path: login.path.clone(),
        revoke_path: sessions.refresh_tokens.then(|| sessions.revoke_path.clone()),
        dev_path: login.dev_path.clone(),
        body_bytes_max: login.body_bytes_max,
        body: match login.body {
            config::LoginBody::Form => LoginBody::Form,
            config::LoginBody::Json => LoginBody::Json,
            config::LoginBody::Any => LoginBody::Any,
        },
        field: login.field.clone(),
        return_user: login.user_fields(),
        return_expires_in: login.return_expires_in,
        incorrect: login.incorrect.clone(),
        disabled: login.tell_disabled.then(|| (status, login.disabled.text.clone())),
    }
}

/// What an endpoint does with what comes in.
fn behaviour(config: &Config, name: &str, endpoint: &Endpoint, behind: &Behind<'_>) -> Result<Behaviour, String> {
    let Behind { conversations, channels, ground, registrar, .. } = *behind;
    let conversation = match (endpoint.settings.kind, conversations.by_endpoint.get(name)) {
        (EndpointKind::Echo, _) => return Ok(Behaviour::Echo),
        (EndpointKind::Channels, _) => {
            return Ok(Behaviour::Channels(Arc::new(channels.settings(config, name, endpoint)?)));
        }
        (EndpointKind::Gone, _) | (_, None) => return Ok(Behaviour::Gone),
        (EndpointKind::Broadcast | EndpointKind::Stream, Some(conversation)) => Arc::clone(conversation),
    };
    let stream = match endpoint.settings.kind {
        EndpointKind::Stream => Some(Arc::new(streaming(config, name, endpoint, ground, registrar)?)),
        _ => None,
    };
    Ok(Behaviour::Converse(Converse {
        conversation,
        board: conversations::board_of(endpoint, &conversations.presence),
        history_on_join: endpoint.settings.history_on_join,
        stream,
    }))
}

fn streaming(
    config: &Config,
    name: &str,
    endpoint: &Endpoint,
    ground: &Ground,
    registrar: &Registrar,
) -> Result<Streaming, String> {
    let settings = &endpoint.stream;
    let key = format!("endpoint.{name}.stream.source");
    let source = settings.source.as_deref().ok_or_else(|| format!("{key}: it is missing; name a [source.NAME]"))?;
    let request = settings
        .request
        .as_ref()
        .ok_or_else(|| format!("endpoint.{name}.stream.request: it is missing; write what the source is asked"))?;
    let names = Names::server().and(&endpoint.names());
    let request = Template::compile(request, &names).map_err(|faults| {
        let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
        format!("endpoint.{name}.stream.request: {}", texts.join("; "))
    })?;
    let limits = StreamLimits {
        runs_max: config.limits.streams_max,
        text_bytes_max: settings.text_bytes_max,
        run_max: settings.total_timeout,
        grace: settings.grace,
        keep: settings.keep,
    };
    Ok(Streaming {
        streams: Streams::new(registrar.clone(), limits, ground.tasks.clone(), ground.stop.clone()),
        source: sources::model(config, source, &key, settings.format, settings.text_bytes_max)?,
        request,
        request_bytes_max: MIB,
    })
}

/// The longest request to a source of text, in bytes.
const MIB: usize = 1_048_576;

fn endpoint_settings(
    config: &Config,
    name: &str,
    endpoint: &Endpoint,
    door: Door,
    behaviour: Behaviour,
) -> EndpointSettings {
    let settings = &endpoint.settings;
    let (per_second, burst) = config.message_rate(endpoint);
    let listed = settings.origins.as_ref().unwrap_or(&config.server.origins).clone();
    EndpointSettings {
        name: name.to_owned(),
        target: settings.path.clone(),
        credentials: settings.credentials.clone(),
        subprotocols: match settings.kind {
            EndpointKind::Channels => subprotocols(),
            _ => settings.subprotocols.clone(),
        },
        origins: Origins { listed, loopback: config.dev },
        credential_timeout: settings.credential_timeout,
        door,
        ask_again_every: Some(endpoint.policy.ask_again),
        seats: settings
            .connections_per_user
            .map(|per_user_max| SeatLimit { per_user_max, when_full: settings.when_full.clone() }),
        events: None,
        profile: Arc::new(profile(config.profile_of(endpoint))),
        behaviour,
        message_bytes_max: config.message_bytes_max(endpoint),
        message_rate: Rate::new(per_second, 1_000, burst),
        fallback: fallback(config, endpoint).map(Arc::new),
    }
}

/// The ways in beside the WebSocket.
fn fallback(config: &Config, endpoint: &Endpoint) -> Option<FallbackSettings> {
    let routes: Vec<_> = endpoint.settings.fallbacks().map(|(transport, path)| (transport, path.to_owned())).collect();
    let (per_second, burst) = config.message_rate(endpoint);
    let channels = u32::try_from(config.limits.channels_per_connection).unwrap_or(u32::MAX);
    // A request holds a command, and commands are counted. This is for a client that goes on although it was told.
    let request_rate = Rate::new(per_second.saturating_mul(2), 1_000, burst.saturating_add(channels).saturating_mul(2));
    (!routes.is_empty()).then_some(FallbackSettings { routes, request_rate })
}

/// A profile in the words of the gateway.
#[must_use]
pub fn profile(configured: &config::Profile) -> Profile {
    let refuse_by = match configured.refusal {
        RefusalStyle::AcceptClose => RefuseBy::Close,
        RefusalStyle::Http => RefuseBy::Http,
    };
    Profile::new(refuse_by, |event| {
        let close = configured.close(configured_event(event));
        (CloseCode(close.code), close.reason.clone())
    })
}

const fn configured_event(event: Event) -> config::Event {
    match event {
        Event::Missing => config::Event::Missing,
        Event::Invalid => config::Event::Invalid,
        Event::Expired => config::Event::Expired,
        Event::Payload => config::Event::Payload,
        Event::Subject => config::Event::Subject,
        Event::User => config::Event::User,
        Event::Inactive => config::Event::Inactive,
        Event::Revoked => config::Event::Revoked,
        Event::Mismatch => config::Event::Mismatch,
        Event::Required => config::Event::Required,
        Event::NotFound => config::Event::NotFound,
        Event::NotOwner => config::Event::NotOwner,
        Event::Forbidden => config::Event::Forbidden,
        Event::Gone => config::Event::Gone,
        Event::OverLimit => config::Event::OverLimit,
        Event::Rate => config::Event::Rate,
        Event::Slow => config::Event::Slow,
        Event::NoPong => config::Event::NoPong,
        Event::TooBig => config::Event::TooBig,
        Event::BadFrame => config::Event::BadFrame,
        Event::ExpiredLive => config::Event::ExpiredLive,
        Event::Completed => config::Event::Completed,
        Event::Upstream => config::Event::Upstream,
        Event::Lookup => config::Event::Lookup,
        Event::Restart => config::Event::Restart,
        Event::Error => config::Event::Error,
    }
}
