//! From a checked configuration to a gateway that can be served.
//!
//! Every adapter meets its port here and nowhere else.
//! Everything that keeps the server from starting is told at once, not one thing at a time.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lychgate_gateway::layers::origin::Origins;
use lychgate_gateway::settings::{
    self as edge, BadFrame, Behaviour, CredentialSource, EndpointSettings, LoginRoute, TestTokenRoute,
};
use lychgate_gateway::ws::profile::{Event, Profile, RefuseBy};
use lychgate_gateway::{Dependencies, Gateway};
use lychgate_hub::{Hub, HubConfig};
use lychgate_protocol::channel::ChannelName;
use lychgate_protocol::ws::CloseCode;
use lychgate_service::accounts::{Accounts, Hashing, HashingLimits, LoginField, NewAccount, PasswordRule};
use lychgate_service::admission::Admission;
use lychgate_service::issue::Issuer;
use lychgate_service::limits::Rate;
use lychgate_service::local_broker::LocalBroker;
use lychgate_service::login_throttle::LoginLimits;
use lychgate_service::policy::{Access, Policy};
use lychgate_service::ports::broker::Broker;
use lychgate_service::ports::clock::{Clock, SystemClock};
use lychgate_service::ports::keys::{Keys, StoredKey};
use lychgate_service::publish::{Audience, Publisher, StampField, StampValue};
use lychgate_service::subscribe::Subscriptions;
use lychgate_store::SqliteStore;
use lychgate_token::{Algorithm, IssuerProfile, Minter, NewClaims, ProfileKind, SigningKey, Token, Verifier};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use tokio::net::{TcpListener, TcpSocket};

use crate::config::{
    self, BadFrame as ConfiguredBadFrame, ClaimsKind, Config, Credential, Endpoint, EndpointKind, Operations,
    RefusalStyle, Signing, SigningMethod, StampExpression,
};

/// The name and the password of the user that a development server has.
pub const DEV_USER: (&str, &str) = ("user", "password");

/// Where a development server hands out its test token.
pub const TEST_TOKEN_PATH: &str = "/test-token";

/// Sockets that wait in the kernel to be accepted; the kernel takes as many as `net.core.somaxconn` allows.
const BACKLOG: u32 = 65_535;

/// A server that has everything it needs and has not begun.
pub struct Server {
    /// The edge.
    pub gateway: Gateway,
    /// Where clients come in.
    pub listeners: Vec<TcpListener>,
    /// Where metrics and health are, if they have a port of their own.
    pub operations: Option<TcpListener>,
    /// The database, to be closed last.
    pub store: SqliteStore,
}

/// Opens and builds everything that `config` asks for.
///
/// # Errors
///
/// All reasons why the server cannot start, a sentence each.
pub async fn build(config: &Config) -> Result<Server, Vec<String>> {
    let mut faults = Vec::new();
    let store = lychgate_store::open(&config.database.url).await;
    let store = store.map_err(|fault| faults.push(format!("database.url: {fault}"))).ok();
    let listeners = listen(config).map_err(|fault| faults.push(fault)).ok();
    let operations = match config.server.operations_listen {
        Operations::Same => Some(None),
        Operations::Own(address) => bind(address)
            .map(Some)
            .map_err(|error| faults.push(cannot_listen("server.operations_listen", address, &error)))
            .ok(),
    };
    let (Some(store), Some(listeners), Some(operations)) = (store, listeners, operations) else { return Err(faults) };
    match assemble(config, store.clone()).await {
        Ok(gateway) => Ok(Server { gateway, listeners, operations, store }),
        Err(fault) => Err(vec![fault]),
    }
}

async fn assemble(config: &Config, store: SqliteStore) -> Result<Gateway, String> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let key = signing_key(&config.signing, &store, clock.as_ref()).await?;
    let (issuer, audience) = (config.tokens.issuer.clone(), config.tokens.audience.clone());
    let verifying_key = key.verifying_key();
    let minter = Minter::new(key, issuer, audience, ProfileKind::Own).map_err(|fault| fault.to_string())?;
    let test_token = if config.dev { Some(test_token(&minter, clock.as_ref())?) } else { None };
    let exempt_jti = test_token.as_ref().map(|test| test.jti.clone());
    let verifier = verifier(config, verifying_key, exempt_jti)?;
    let issuer = Arc::new(Issuer::new(minter, config.tokens.lifetime.as_secs(), Arc::clone(&clock)));

    let accounts =
        Arc::new(Accounts::new(Arc::new(store.clone()), Hashing::new(hashing_limits(config)), Arc::clone(&clock)));
    if config.dev {
        make_dev_user(&accounts).await?;
    }

    let hub = HubConfig { shards: workers(config), batch_bytes_max: config.limits.batch_bytes_max };
    let (registrar, drain) = Hub::new(hub);
    let broker: Arc<dyn Broker> = Arc::new(LocalBroker::new(registrar.clone()));
    let dependencies = Dependencies {
        admission: Admission::new(Arc::new(verifier), Arc::clone(&clock)),
        publisher: Publisher::new(Arc::clone(&broker), clock),
        subscriptions: Subscriptions::new(registrar, broker),
        drain,
        accounts,
        login_fields: vec![LoginField::Name],
        login_limits: login_limits(config),
        issuer,
        readiness: vec![Arc::new(store)],
    };
    Ok(Gateway::new(edge_settings(config, test_token)?, dependencies))
}

/// How many threads serve sockets.
#[must_use]
pub fn workers(config: &Config) -> usize {
    match config.server.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    }
}

/// The key that this installation signs with: configured, made once and kept, or made for this process alone.
///
/// # Errors
///
/// A sentence on what is wrong with the key or its store.
pub async fn signing_key(signing: &Signing, keys: &dyn Keys, clock: &dyn Clock) -> Result<SigningKey, String> {
    match signing {
        Signing::Secret(secret) => SigningKey::hmac(Algorithm::Hs256, secret.expose_secret().as_bytes(), None)
            .map_err(|fault| format!("tokens.secret: {fault}")),
        Signing::Ephemeral(SigningMethod::Hs256) => {
            SigningKey::hmac(Algorithm::Hs256, random_secret().expose_secret().as_bytes(), None)
                .map_err(|fault| fault.to_string())
        }
        Signing::Ephemeral(SigningMethod::EdDsa) => {
            SigningKey::generate_ed25519(Some(&fresh_id())).map(|(key, _)| key).map_err(|fault| fault.to_string())
        }
        Signing::DatabaseKey => stored_key(keys, clock).await,
    }
}

async fn stored_key(keys: &dyn Keys, clock: &dyn Clock) -> Result<SigningKey, String> {
    let in_store = |fault: lychgate_service::ports::StoreError| format!("database.url: the signing key: {fault}");
    let stored = match keys.signing_key().await.map_err(in_store)? {
        Some(stored) => stored,
        None => {
            let kid = fresh_id();
            let (_, pkcs8) = SigningKey::generate_ed25519(Some(&kid)).map_err(|fault| fault.to_string())?;
            let candidate = StoredKey {
                kid,
                algorithm: Algorithm::EdDSA.to_string(),
                pkcs8: SecretSlice::from(pkcs8.expose().to_vec()),
                created_at_s: clock.now().seconds(),
            };
            keys.load_or_insert_signing_key(candidate).await.map_err(in_store)?
        }
    };
    if stored.algorithm != Algorithm::EdDSA.to_string() {
        return Err(format!(
            "database.url: the signing key is for {}, which this version does not sign with",
            stored.algorithm
        ));
    }
    SigningKey::ed25519_from_pkcs8(stored.pkcs8.expose_secret(), Some(&stored.kid))
        .map_err(|fault| format!("database.url: the signing key: {fault}"))
}

fn fresh_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

fn random_secret() -> SecretString {
    SecretString::from(format!("{}{}", fresh_id(), fresh_id()))
}

fn verifier(
    config: &Config,
    own_key: lychgate_token::VerifyingKey,
    exempt_jti: Option<String>,
) -> Result<Verifier, String> {
    let own = IssuerProfile::own("own", &config.tokens.issuer, &config.tokens.audience, vec![own_key]);
    let mut profiles = vec![IssuerProfile { leeway_s: config.tokens.leeway.as_secs(), exempt_jti, ..own }];
    for (name, issuer) in &config.issuers {
        let settings = &issuer.settings;
        profiles.push(IssuerProfile {
            name: name.clone(),
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            kind: match settings.claims {
                ClaimsKind::Own => ProfileKind::Own,
                ClaimsKind::Legacy => ProfileKind::Legacy,
            },
            leeway_s: settings.leeway.as_secs(),
            lifetime_s_max: Some(settings.lifetime_max.as_secs()),
            keys: vec![issuer.key.clone()],
            exempt_jti: None,
        });
    }
    Verifier::new(profiles).map_err(|fault| format!("issuer: {fault}"))
}

struct TestToken {
    token: Token,
    jti: String,
}

/// A token without an end, for one process of a development server. Verified like any other.
fn test_token(minter: &Minter, clock: &dyn Clock) -> Result<TestToken, String> {
    let jti = fresh_id();
    let claims = NewClaims { lifetime_s: None, ..NewClaims::session(DEV_USER.0, &fresh_id(), &jti) };
    let token = minter.mint(&claims, clock.now().seconds()).map_err(|fault| fault.to_string())?;
    Ok(TestToken { token, jti })
}

async fn make_dev_user(accounts: &Accounts) -> Result<(), String> {
    let (name, password) = DEV_USER;
    let account = NewAccount {
        name,
        email: None,
        password: SecretString::from(password),
        rule: PasswordRule::Relaxed,
        active: true,
    };
    accounts.create(account).await.map(|_| ()).map_err(|refused| format!("the development user: {refused}"))
}

fn hashing_limits(config: &Config) -> HashingLimits {
    let permits = std::num::NonZeroUsize::new(config.accounts.hash_permits);
    HashingLimits {
        permits: permits.unwrap_or(HashingLimits::default().permits),
        queue_max: config.accounts.hash_queue,
        wait_ms: u64::try_from(config.accounts.hash_wait.as_millis()).unwrap_or(u64::MAX),
    }
}

const fn login_limits(config: &Config) -> LoginLimits {
    LoginLimits {
        per_address_per_minute: config.login.failures_per_minute_per_address,
        per_address_and_account_per_minute: config.login.failures_per_minute_per_address_and_user,
        per_account_per_hour: config.login.failures_per_hour_per_user,
        delay: config.login.failure_delay,
    }
}

fn edge_settings(config: &Config, test_token: Option<TestToken>) -> Result<edge::Settings, String> {
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
        test_token: test_token.map(|test| TestTokenRoute {
            path: TEST_TOKEN_PATH.to_owned(),
            token: Arc::new(test.token),
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

/// The public listeners: a development server has both loopback addresses, since `localhost` may mean either.
fn listen(config: &Config) -> Result<Vec<TcpListener>, String> {
    let address = config.server.listen;
    let first = bind(address).map_err(|error| cannot_listen("server.listen", address, &error))?;
    let mut listeners = vec![first];
    if config.dev
        && address.ip().is_loopback()
        && address.is_ipv4()
        && let Ok(bound) = listeners[0].local_addr()
    {
        // A machine without IPv6 is no reason not to start.
        listeners.extend(bind(SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), bound.port())));
    }
    Ok(listeners)
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of the process before, in TIME_WAIT, must not keep the next one from starting.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn cannot_listen(key: &str, address: SocketAddr, error: &std::io::Error) -> String {
    let remedy = match error.kind() {
        std::io::ErrorKind::AddrInUse => "Another program has this port: stop it, or choose another port.",
        std::io::ErrorKind::PermissionDenied => "Ports below 1024 need a privilege: choose a higher one.",
        std::io::ErrorKind::AddrNotAvailable => "No interface of this machine has this address.",
        _ => "Check the address.",
    };
    format!("{key}: cannot listen on {address}: {error}. {remedy}")
}

/// How long the server may take to close its database at the end.
pub const CLOSE_WAIT: Duration = Duration::from_secs(5);
