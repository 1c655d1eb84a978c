//! From a checked configuration to a gateway that can be served.
//!
//! Every adapter meets its port here and nowhere else.
//! Everything that keeps the server from starting is told at once, not one thing at a time.

mod channels;
mod conversations;
mod doors;
mod edge;
mod events;
mod routes;
mod sources;
mod tokens;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lychgate_gateway::http::api::ApiParts;
use lychgate_gateway::ws::channels::ChannelFraming;
use lychgate_gateway::{Dependencies, Gateway};
use lychgate_hub::{HubConfig, Registrar};
use lychgate_service::accounts::{Accounts, Hashing, HashingLimits, NewAccount, PasswordRule};
use lychgate_service::admission::Admission;
use lychgate_service::api_key_office::ApiKeyOffice;
use lychgate_service::channels::Namespaces;
use lychgate_service::events::EventsKept;
use lychgate_service::issue::{Issuer, TokenShape};
use lychgate_service::local_broker::{Keeping, LocalBroker};
use lychgate_service::login_throttle::LoginLimits;
use lychgate_service::ports::clock::{Clock, SystemClock};
use lychgate_service::ports::readiness::Readiness;
use lychgate_service::ports::tickets::Tickets;
use lychgate_service::ports::users::User;
use lychgate_service::revocations::{RevocationLimits, Revocations};
use lychgate_service::session_office::{SessionOffice, SessionParts, SessionRules};
use lychgate_service::subscribe::Subscriptions;
use lychgate_service::ticket_office::TicketOffice;
use lychgate_store::SqliteStore;
use lychgate_token::{Minter, ProfileKind, Token, Verifier};
use secrecy::SecretString;
use tokio::net::{TcpListener, TcpSocket};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::channels::Channels;
use self::conversations::Ground;
use self::doors::Authorities;
use crate::config::{Config, Operations};

pub use edge::profile;
pub use tokens::signing_key;

/// The name and the password of the user that a development server has.
pub const DEV_USER: (&str, &str) = ("user", "password");

/// The e-mail address of that user.
pub const DEV_EMAIL: &str = "user@example.com";

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
    /// Who writes to the database until nobody is there any more: to be stopped behind the gateway.
    pub writers: Writers,
    /// The database, to be closed last.
    pub store: SqliteStore,
}

/// Tasks that end after the gateway, since it gives them work until its end.
#[derive(Default)]
pub struct Writers {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Writers {
    /// Has them do what waits, and ends them.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
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
    let writers = Writers::default();
    let gateway = assemble(config, store.clone(), &writers).await?;
    Ok(Server { gateway, listeners, operations, writers, store })
}

async fn assemble(config: &Config, store: SqliteStore, writers: &Writers) -> Result<Gateway, Vec<String>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let hub = HubConfig { shards: workers(config), batch_bytes_max: config.limits.batch_bytes_max };
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let authorities = Authorities { users: Arc::new(store.clone()), registry: Arc::new(store.clone()), config };
    let namespaces = channels::namespaces(&authorities).await?;
    let outbox = events::outbox(config, &store, &clock, writers).await?;
    let (registrar, drain) = events::hub(config, hub, outbox.as_ref(), &namespaces);
    let (local, kept) = broker(config, registrar.clone(), namespaces.clone(), &tasks, &stop);
    let broker = channels::durable(local, &namespaces, &store, &clock, writers).await?;
    let ground = Ground {
        broker: Arc::clone(&broker),
        clock: Arc::clone(&clock),
        messages: Arc::new(store.clone()),
        users: Arc::new(store.clone()),
        tasks,
        stop,
    };
    let doors = doors::doors(&authorities).await?;
    let conversations = conversations::conversations(config, &ground, &doors)?;
    let subscriptions = Subscriptions::new(registrar.clone(), Arc::clone(&broker));
    let (test_token, tokens) = tokens(config, &store, Arc::clone(&clock)).await.map_err(|fault| vec![fault])?;
    let channels = Channels::new(
        namespaces,
        broker,
        Arc::clone(&tokens.verifier),
        Arc::clone(&tokens.revocations),
        Arc::clone(&clock),
    );
    let behind = edge::Behind {
        conversations: &conversations,
        channels: &channels,
        ground: &ground,
        registrar: &registrar,
        outbox: outbox.as_ref(),
    };
    let settings = edge::settings(config, test_token, &doors, &behind)?;
    let api = config.api.enabled.then(|| ApiParts {
        office: Arc::new(ApiKeyOffice::new(Arc::new(store.clone()), Arc::clone(&clock))),
        registry: Arc::new(store.clone()),
        channels: channels.api(config, &registrar),
    });
    ground.tasks.spawn(Arc::clone(&tokens.revocations).run(ground.stop.clone()));
    // The copy of presence in Redis is no reason to take the server out: its own state is whole without it. Nor is it one
    // that the application is not told of everything.
    let told = outbox.clone().map(|outbox| Arc::new(EventsKept(outbox)) as Arc<dyn Readiness>);
    let readiness: Vec<Arc<dyn Readiness>> = vec![Arc::new(store)];
    let dependencies = Dependencies {
        admission: Admission::new(
            Arc::clone(&tokens.verifier),
            tokens.tickets.clone(),
            Arc::clone(&tokens.revocations),
            clock,
        ),
        subscriptions,
        drain,
        accounts: tokens.accounts,
        login_fields: config.login.identify_by.iter().map(|by| by.0).collect(),
        login_limits: login_limits(config),
        issuer: tokens.issuer,
        sessions: tokens.sessions,
        revocations: tokens.revocations,
        verifier: tokens.verifier,
        tickets: tokens.tickets,
        api,
        background: ground.tasks,
        background_stop: ground.stop,
        readiness,
        copies: conversations.copies.into_iter().chain(told).collect(),
        kept,
        events: outbox,
    };
    Ok(Gateway::new(settings, dependencies))
}

/// Where publications go: into this process alone, and kept where a namespace says so; the second is what keeps them.
fn broker(
    config: &Config,
    registrar: Registrar,
    namespaces: Namespaces,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> (Arc<LocalBroker>, Option<Arc<LocalBroker>>) {
    let broker = LocalBroker::new(registrar).with_framing(Arc::new(ChannelFraming));
    if namespaces.iter().all(|namespace| namespace.history.is_none()) {
        return (Arc::new(broker), None);
    }
    let broker = Arc::new(broker.with_keeping(Keeping {
        rules: Arc::new(namespaces),
        bytes_max: config.limits.history_bytes_max,
        channels_max: config.limits.history_channels_max,
    }));
    tasks.spawn(Arc::clone(&broker).run(stop.clone()));
    (Arc::clone(&broker), Some(broker))
}

/// Who issues credentials and who checks them.
struct Tokens {
    verifier: Arc<Verifier>,
    issuer: Arc<Issuer>,
    sessions: Option<Arc<SessionOffice>>,
    revocations: Arc<Revocations>,
    tickets: Option<Arc<TicketOffice>>,
    accounts: Arc<Accounts>,
}

async fn tokens(
    config: &Config,
    store: &SqliteStore,
    clock: Arc<dyn Clock>,
) -> Result<(Option<Token>, Tokens), String> {
    let key = signing_key(&config.signing, store, clock.as_ref()).await?;
    let (issuer, audience) = (config.tokens.issuer.clone(), config.tokens.audience.clone());
    let verifying_key = key.verifying_key();
    let minter = Minter::new(key, issuer, audience, ProfileKind::Own).map_err(|fault| fault.to_string())?;
    let accounts =
        Arc::new(Accounts::new(Arc::new(store.clone()), Hashing::new(hashing_limits(config)), Arc::clone(&clock)));
    let shape = TokenShape { subject: config.login.subject.0, claims: config.login.claim_fields() };
    let test_token = if config.dev {
        let user = make_dev_user(&accounts).await?;
        Some(tokens::mint_test_token(&minter, &shape, &user, clock.as_ref())?)
    } else {
        None
    };
    let exempt_jti = test_token.as_ref().map(|test| test.jti.clone());
    let verifier = Arc::new(tokens::verifier(config, verifying_key, exempt_jti)?);
    let test_token = test_token.map(|test| tokens::choose_test_token(config, test.token, &verifier, clock.as_ref()));
    let issuer = Arc::new(Issuer::new(minter, shape, config.tokens.lifetime.as_secs(), Arc::clone(&clock)));

    let revocations = revocations(config, store, &clock).await?;
    let tickets = config.ticket.enabled.then(|| {
        let kept: Arc<dyn Tickets> = Arc::new(store.clone());
        let (verifier, revocations) = (Arc::clone(&verifier), Arc::clone(&revocations));
        Arc::new(TicketOffice::new(kept, verifier, revocations, Arc::clone(&clock), config.ticket.lifetime))
    });
    let sessions = config.sessions.refresh_tokens.then(|| {
        let parts = SessionParts {
            sessions: Arc::new(store.clone()),
            users: Arc::new(store.clone()),
            issuer: Arc::clone(&issuer),
            revocations: Arc::clone(&revocations),
            clock: Arc::clone(&clock),
        };
        SessionOffice::new(parts, session_rules(config))
    });
    Ok((test_token, Tokens { verifier, issuer, sessions, revocations, tickets, accounts }))
}

/// What is revoked, read once so that nobody enters before it is known.
async fn revocations(config: &Config, store: &SqliteStore, clock: &Arc<dyn Clock>) -> Result<Arc<Revocations>, String> {
    let limits = RevocationLimits {
        entries_max: config.revocations.entries_max,
        read_every: config.revocations.read_every,
        stale_after: config.revocations.stale_after,
        longest_token_s: config.longest_token_s(),
    };
    let revocations = Revocations::new(Arc::new(store.clone()), Arc::clone(clock), limits);
    revocations.read().await.map_err(|error| format!("database.url: what is revoked cannot be read: {error}"))?;
    Ok(Arc::new(revocations))
}

const fn session_rules(config: &Config) -> SessionRules {
    SessionRules {
        idle_timeout: config.sessions.idle_timeout,
        lifetime: config.sessions.lifetime,
        repeat_within: config.sessions.repeat_within,
        per_user_max: config.sessions.per_user_max,
    }
}

/// How many threads serve sockets.
#[must_use]
pub fn workers(config: &Config) -> usize {
    match config.server.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    }
}

async fn make_dev_user(accounts: &Accounts) -> Result<User, String> {
    let (name, password) = DEV_USER;
    let account = NewAccount {
        name,
        email: Some(DEV_EMAIL),
        password: SecretString::from(password),
        rule: PasswordRule::Relaxed,
        active: true,
    };
    accounts.create(account).await.map_err(|refused| format!("the development user: {refused}"))
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

/// An error with what lies below it.
fn with_causes(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {}", with_causes(cause)))
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
