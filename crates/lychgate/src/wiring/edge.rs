//! The configuration in the words of the gateway.

use std::sync::Arc;

use lychgate_gateway::layers::origin::Origins;
use lychgate_gateway::settings::{
    self as edge, BadFrame, Behaviour, CredentialSource, EndpointSettings, LoginRoute, TestTokenRoute,
};
use lychgate_gateway::ws::profile::{Event, Profile, RefuseBy};
use lychgate_protocol::channel::ChannelName;
use lychgate_protocol::ws::CloseCode;
use lychgate_service::limits::Rate;
use lychgate_service::policy::{Access, Policy};
use lychgate_service::publish::{Audience, StampField, StampValue};
use lychgate_token::Token;

use super::DEV_USER;
use crate::config::{
    self, BadFrame as ConfiguredBadFrame, Config, Credential, Endpoint, EndpointKind, Operations, RefusalStyle,
    StampExpression,
};

/// Everything the gateway is told.
pub(super) fn settings(config: &Config, test_token: Option<Token>) -> Result<edge::Settings, String> {
    let limits = &config.limits;
    let endpoints: Result<Vec<_>, String> =
        config.endpoints.iter().map(|(name, endpoint)| endpoint_settings(config, name, endpoint)).collect();
    Ok(edge::Settings {
        trusted_proxies: config.server.trusted_proxies.clone(),
        origins: Origins { listed: config.server.origins.clone(), loopback: config.dev },
        login: config
            .login
            .enabled
            .then(|| LoginRoute { path: config.login.path.clone(), body_bytes_max: config.login.body_bytes_max }),
        test_token: test_token.map(|token| TestTokenRoute {
            path: config::TEST_TOKEN_PATH.to_owned(),
            token: Arc::new(token),
            user: DEV_USER.0.to_owned(),
        }),
        endpoints: endpoints?,
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

fn endpoint_settings(config: &Config, name: &str, endpoint: &Endpoint) -> Result<EndpointSettings, String> {
    let settings = &endpoint.settings;
    let channel = ChannelName::new(&settings.channel).map_err(|fault| format!("endpoint.{name}.channel: {fault}"))?;
    let (per_second, burst) = config.message_rate(endpoint);
    Ok(EndpointSettings {
        name: name.to_owned(),
        path: settings.path.clone(),
        credentials: settings
            .credentials
            .iter()
            .map(|credential| match credential {
                Credential::Query(name) => CredentialSource::Query(name.clone()),
                Credential::Header => CredentialSource::Header,
            })
            .collect(),
        policy: Policy::new(channel, Access::Any),
        profile: Arc::new(profile(config.profile_of(endpoint))),
        behaviour: match settings.kind {
            EndpointKind::Echo => Behaviour::Echo,
            EndpointKind::Broadcast => Behaviour::Broadcast {
                stamps: endpoint.codec.stamp.iter().map(stamp).collect(),
                audience: Audience::All,
                bad_frame: match endpoint.codec.bad_frame {
                    ConfiguredBadFrame::Error => BadFrame::Error,
                    ConfiguredBadFrame::Ignore => BadFrame::Ignore,
                    ConfiguredBadFrame::Close => BadFrame::Close,
                },
                answer_ping: endpoint.codec.answer_ping,
            },
        },
        message_bytes_max: config.message_bytes_max(endpoint),
        message_rate: Rate::new(per_second, 1_000, burst),
    })
}

fn stamp(stamp: &config::Stamp) -> StampField {
    let value = match stamp.value {
        // A subject is both: it is the user's name with our own tokens, and whatever a foreign issuer chose.
        StampExpression::UserName | StampExpression::UserId => StampValue::UserName,
        StampExpression::NowUnix => StampValue::NowUnix,
        StampExpression::NowIso => StampValue::NowIso,
        StampExpression::Uuid => StampValue::Uuid,
    };
    StampField { key: stamp.key.clone(), value }
}

fn profile(configured: &config::Profile) -> Profile {
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
        Event::OverLimit => config::Event::OverLimit,
        Event::Rate => config::Event::Rate,
        Event::Slow => config::Event::Slow,
        Event::NoPong => config::Event::NoPong,
        Event::TooBig => config::Event::TooBig,
        Event::BadFrame => config::Event::BadFrame,
        Event::ExpiredLive => config::Event::ExpiredLive,
        Event::Restart => config::Event::Restart,
        Event::Error => config::Event::Error,
    }
}
