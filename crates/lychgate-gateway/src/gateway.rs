//! The gateway as a whole: routes from settings, tasks with names, and an orderly end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use http::{HeaderName, Method, StatusCode, header};
use lychgate_hub::Drain as HubDrain;
use lychgate_service::accounts::{Accounts, LoginField};
use lychgate_service::admission::Admission;
use lychgate_service::events::Outbox;
use lychgate_service::issue::Issuer;
use lychgate_service::limits::KeyedRate;
use lychgate_service::local_broker::LocalBroker;
use lychgate_service::login_throttle::{LoginLimits, LoginThrottle};
use lychgate_service::ports::readiness::Readiness;
use lychgate_service::revocations::Revocations;
use lychgate_service::session_office::SessionOffice;
use lychgate_service::subscribe::Subscriptions;
use lychgate_service::ticket_office::TicketOffice;
use lychgate_token::Verifier;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::timeout::TimeoutLayer;

use crate::accept::Acceptor;
use crate::error::HttpError;
use crate::http::api::{self, ApiParts};
use crate::http::fixed;
use crate::http::login::{self, Login};
use crate::http::messages;
use crate::http::operations::{self, Operations};
use crate::http::test_token;
use crate::http::ticket::{self, Tickets};
use crate::layers::origin::Origins;
use crate::metrics::{Live, Metrics};
use crate::settings::{Behaviour, Drain, Settings};
use crate::ticks::{Ticker, ticks};
use crate::ws::changes::Changes;
use crate::ws::ending::Why;
use crate::ws::endpoint::Endpoint;
use crate::ws::fallback::begin::{self, Fallback};
use crate::ws::fallback::emulation::{self, Emulation};
use crate::ws::flush;
use crate::ws::gate::Gate;
use crate::ws::profile::Event;
use crate::ws::revoked::Revoked;
use crate::ws::seats::Seats;
use crate::ws::sweep::Sweep;
use crate::ws::table::Table;
use crate::ws::upgrade::{self, Route};
use crate::ws::users::Users;

/// How many addresses are remembered for the connect rate.
const ADDRESSES_MAX: usize = 65_536;

/// How long those who are cut may take for their end.
const CUT_WAIT: Duration = Duration::from_millis(500);

/// How long the last answers of health and metrics may take, and what is still to be written.
const BACKGROUND_STOP_WAIT: Duration = Duration::from_secs(3);

/// The most over which the closing of connections is spread whose clients speak by requests: no request is taken any
/// more, so they can say nothing.
const MUTE_SPREAD_MAX: Duration = Duration::from_secs(2);

/// The part of a queue that publishers may fill before the sockets have caught up.
///
/// A socket that takes everything it is offered must never overflow, however many publish in the same moment.
const QUEUES_FILLED_PER_BACKLOG: usize = 4;

/// What the gateway is built on.
pub struct Dependencies {
    /// Who may come in.
    pub admission: Admission,
    /// Where they listen.
    pub subscriptions: Subscriptions,
    /// The hub's way out.
    pub drain: HubDrain,
    /// Who can log in.
    pub accounts: Arc<Accounts>,
    /// What a login may be: a name, an e-mail address, or either.
    pub login_fields: Vec<LoginField>,
    /// How often somebody may fail to.
    pub login_limits: LoginLimits,
    /// Who signs tokens.
    pub issuer: Arc<Issuer>,
    /// Who keeps sessions, if logins have any.
    pub sessions: Option<Arc<SessionOffice>>,
    /// What is revoked.
    pub revocations: Arc<Revocations>,
    /// Who checks a token that is to be revoked.
    pub verifier: Arc<Verifier>,
    /// Who gives one-time tickets, if anybody does.
    pub tickets: Option<Arc<TicketOffice>>,
    /// Who answers at the API, if there is one.
    pub api: Option<ApiParts>,
    /// The parent of what stops after the connections: writers and clocks of the service are its children already.
    pub background: TaskTracker,
    /// Tells them to stop.
    pub background_stop: CancellationToken,
    /// What must be there for the server to be ready.
    pub readiness: Vec<Arc<dyn Readiness>>,
    /// What the server goes on without, and says so.
    pub copies: Vec<Arc<dyn Readiness>>,
    /// What channels of namespaces keep, where they keep anything.
    pub kept: Option<Arc<LocalBroker>>,
    /// What the application is told, where it is told anything.
    pub events: Option<Outbox>,
}

/// The edge of the server.
pub struct Gateway {
    gate: Arc<Gate>,
    main: Acceptor,
    operations: Acceptor,
    /// The parent of clients' connections.
    tracker: TaskTracker,
    /// The parent of what stops after them: flush, sweep, accept loops, health and metrics.
    background: TaskTracker,
    background_stop: CancellationToken,
    not_ready: CancellationToken,
    stopping: CancellationToken,
    drain: Drain,
}

impl Gateway {
    /// Builds routes and limits. Nothing is listened to yet.
    #[must_use]
    pub fn new(settings: Settings, dependencies: Dependencies) -> Self {
        let Dependencies { admission, subscriptions, drain, .. } = dependencies;
        let metrics = Arc::new(Metrics::default());
        let tracker = TaskTracker::new();
        let (background, background_stop) = (dependencies.background, dependencies.background_stop);
        let (not_ready, stopping) = (CancellationToken::new(), CancellationToken::new());
        let ticker = Ticker::start();
        let gate = Arc::new(Gate {
            node: format!("{:08x}", rand::random::<u32>()).into(),
            admission,
            subscriptions,
            drain: drain.clone(),
            table: Arc::new(Table::default()),
            sessions: Arc::default(),
            changes: Arc::new(Changes::default()),
            revoked: Arc::new(Revoked::new(dependencies.revocations)),
            ticker,
            limits: settings.limits.clone(),
            backlog_bytes_max: (settings.limits.queue_bytes_max / QUEUES_FILLED_PER_BACKLOG) as u64,
            connect_rate: KeyedRate::new(settings.limits.connect_rate_per_address, ADDRESSES_MAX),
            users: Users::new(settings.limits.connections_per_user_max),
            metrics: Arc::clone(&metrics),
            tracker: tracker.clone(),
            stopping: stopping.clone(),
            trusted_proxies: settings.trusted_proxies.clone(),
            origins: settings.origins.clone(),
        });
        let login = settings.login.clone().map(|route| Login {
            accounts: dependencies.accounts,
            fields: dependencies.login_fields,
            issuer: dependencies.issuer,
            sessions: dependencies.sessions,
            revocations: Arc::clone(&gate.revoked.revocations),
            verifier: dependencies.verifier,
            throttle: LoginThrottle::new(dependencies.login_limits),
            route,
            ticker,
            metrics: Arc::clone(&metrics),
            trusted_proxies: settings.trusted_proxies.clone(),
            origins: settings.origins.clone(),
        });
        let operations = operations::router(Arc::new(Operations {
            metrics: Arc::clone(&metrics),
            drain,
            live: Live {
                kept: dependencies.kept,
                events: dependencies.events,
                revocations: Some(Arc::clone(&gate.revoked.revocations)),
                tasks: vec![("connection", tracker.clone()), ("background", background.clone())],
                ..live(&settings)
            },
            readiness: dependencies.readiness,
            copies: dependencies.copies,
            not_ready: not_ready.clone(),
        }));
        let tickets = dependencies.tickets.map(|office| Tickets {
            office,
            metrics: Arc::clone(&metrics),
            trusted_proxies: settings.trusted_proxies.clone(),
        });
        let mut main = routes(&settings, &gate, login, tickets, dependencies.api);
        if settings.operations_on_main {
            main = main.merge(operations.clone());
        }
        let acceptor = |router: Router, parent: &TaskTracker| {
            let metrics = Arc::clone(&metrics);
            Acceptor::new(router, metrics, settings.limits.clone(), &settings.trusted_proxies, parent.clone())
        };
        Self {
            main: acceptor(main.fallback(not_found), &tracker),
            operations: acceptor(operations.fallback(not_found), &background),
            gate,
            tracker,
            background,
            background_stop,
            not_ready,
            stopping,
            drain: settings.drain,
        }
    }

    /// Serves until `soft` asks for an orderly end, which `hard` cuts short.
    ///
    /// An orderly end: not ready, then no new sockets, then every socket is closed with the `restart` event, spread over
    /// the drain time, and what is left at its end is cut.
    pub async fn serve(
        self,
        listeners: Vec<TcpListener>,
        operations: Option<TcpListener>,
        soft: CancellationToken,
        hard: CancellationToken,
    ) {
        let Self {
            gate,
            main,
            operations: operations_acceptor,
            tracker,
            background,
            background_stop,
            not_ready,
            stopping,
            drain,
        } = self;
        for shard in 0..gate.drain.shards() {
            background.spawn(flush::run(gate.drain.clone(), shard, background_stop.clone()));
        }
        let sweep = Sweep::new(Arc::clone(&gate.table), gate.drain.clone(), gate.ticker, &gate.limits);
        background.spawn(sweep.run(background_stop.clone()));
        let revoked = Arc::clone(&gate.revoked);
        background.spawn(revoked.run(Arc::clone(&gate.table), gate.drain.clone(), background_stop.clone()));
        background.spawn(Arc::clone(&gate.changes).run(Arc::clone(&gate.table), background_stop.clone()));
        for listener in listeners {
            background.spawn(main.clone().run(listener, stopping.clone()));
        }
        if let Some(listener) = operations {
            // Health and metrics answer to the end.
            background.spawn(operations_acceptor.run(listener, background_stop.clone()));
        }

        soft.cancelled().await;
        tracing::info!(connections = gate.table.len(), "stopping");
        not_ready.cancel();
        let orderly = async {
            sleep(drain.not_ready).await;
            stopping.cancel();
            spread_closes(&gate, drain);
            tracker.close();
            let left = drain.total.saturating_sub(drain.not_ready);
            timeout(left, tracker.wait()).await.is_ok()
        };
        let all_left = tokio::select! {
            all_left = orderly => all_left,
            () = hard.cancelled() => false,
        };
        if !all_left {
            tracing::warn!(connections = gate.table.len(), "cutting what is left");
        }
        stopping.cancel();
        for_each_socket(&gate, |entry| {
            entry.socket.ending.because(Why::Event(Event::Restart));
            entry.socket.cut();
        });
        tracker.close();
        // So that what their end leaves to do is done.
        let _ = timeout(CUT_WAIT, tracker.wait()).await;
        background_stop.cancel();
        background.close();
        if timeout(BACKGROUND_STOP_WAIT, background.wait()).await.is_err() {
            tracing::warn!("what runs beside the connections did not end in time");
        }
        tracing::info!("stopped");
    }
}

/// Gives every socket a moment of its own within the spread, so that clients do not come back all at once.
fn spread_closes(gate: &Gate, drain: Drain) {
    let now = gate.ticker.now();
    let all = ticks(drain.spread);
    for_each_socket(gate, |entry| {
        let spread = if entry.socket.outlet().is_some() { all.min(ticks(MUTE_SPREAD_MAX)) } else { all };
        let moment = if spread == 0 { 0 } else { rand::random_range(0..spread) };
        entry.socket.drains_at.store(now + moment, Ordering::Relaxed);
    });
}

fn for_each_socket(gate: &Gate, mut act: impl FnMut(&crate::ws::table::Entry)) {
    const CHUNK: usize = 512;
    let mut entries = Vec::new();
    let mut from = 0;
    loop {
        let more = gate.table.chunk(from, CHUNK, &mut entries);
        entries.iter().for_each(&mut act);
        if !more {
            return;
        }
        from += CHUNK;
    }
}

fn routes(
    settings: &Settings,
    gate: &Arc<Gate>,
    login: Option<Login>,
    tickets: Option<Tickets>,
    api: Option<ApiParts>,
) -> Router {
    let mut router = Router::new();
    let mut plain = Router::new();
    if let Some(login) = login {
        let login = Arc::new(login);
        let limit = DefaultBodyLimit::max(login.route.body_bytes_max);
        plain = plain.route(&login.route.path, post(login::log_in).layer(limit).with_state(Arc::clone(&login)));
        if let Some(path) = &login.route.revoke_path {
            plain = plain.route(path, post(login::revoke).layer(limit).with_state(Arc::clone(&login)));
        }
        if let Some(path) = &login.route.dev_path {
            let log_in = post(login::log_in_without_password).layer(limit).with_state(Arc::clone(&login));
            plain = plain.route(path, log_in);
        }
    }
    if let (Some(route), Some(tickets)) = (&settings.ticket, tickets) {
        let method = if route.by_get { get(ticket::give) } else { post(ticket::give) };
        plain = plain.route(&route.path, method.with_state(Arc::new(tickets)));
    }
    for (path, body) in &settings.fixed {
        plain = plain.route(path, get(fixed::show).with_state(body.clone()));
    }
    if let Some(route) = &settings.test_token {
        plain = plain.route(&route.path, get(test_token::show).with_state(route.clone()));
    }
    for route in &settings.messages {
        plain = plain.route(route.target.route(), messages::method(route, gate));
    }
    let request_timeout =
        TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, settings.limits.handshake_timeout);
    router = router.merge(plain.layer(request_timeout).layer(cors(&settings.origins)));
    if let (Some(route), Some(parts)) = (&settings.api, api) {
        router = router.merge(api::router(route, parts, gate).layer(request_timeout));
    }
    for endpoint in &settings.endpoints {
        let metrics = gate.metrics.endpoint(&endpoint.name);
        let seats = endpoint.seats.clone().map(Seats::new);
        let endpoint = Arc::new(Endpoint { settings: endpoint.clone(), metrics, seats });
        let path = endpoint.settings.target.route().to_owned();
        let route = Route { gate: Arc::clone(gate), endpoint };
        router = with_fallbacks(router, &route);
        router = router.route(&path, any(upgrade::upgrade).with_state(route));
    }
    with_emulation(router, settings, gate)
}

/// The ways into an endpoint for clients whose network lets no WebSocket through.
fn with_fallbacks(mut router: Router, route: &Route) -> Router {
    let Some(settings) = &route.endpoint.settings.fallback else { return router };
    for (transport, path) in &settings.routes {
        let fallback = Fallback { route: route.clone(), transport: *transport, settings: Arc::clone(settings) };
        router = router.route(path, any(begin::begin).with_state(fallback));
    }
    router
}

/// Where those clients say what they have to say, if there may be any.
fn with_emulation(router: Router, settings: &Settings, gate: &Arc<Gate>) -> Router {
    let endpoints = || settings.endpoints.iter().filter(|endpoint| endpoint.fallback.is_some());
    let Some(message_bytes_max) = endpoints().map(|endpoint| endpoint.message_bytes_max).max() else { return router };
    let origins = endpoints().map(|endpoint| endpoint.origins.clone()).collect();
    let emulation = Arc::new(Emulation { gate: Arc::clone(gate), origins, message_bytes_max });
    router.route(&settings.emulation, any(emulation::hear).with_state(emulation))
}

/// What keeps count of itself, once each.
fn live(settings: &Settings) -> Live {
    let mut live = Live::default();
    for endpoint in &settings.endpoints {
        let Behaviour::Converse(converse) = &endpoint.behaviour else { continue };
        if let Some(stream) = &converse.stream {
            live.streams.push((endpoint.name.clone(), stream.streams.clone()));
        }
        if let Some(answers) = converse.conversation.answers() {
            live.answers.push((endpoint.name.clone(), Arc::clone(answers)));
        }
        if let Some(board) = &converse.board
            && !live.boards.iter().any(|(_, other)| Arc::ptr_eq(other, board))
        {
            live.boards.push((board.name().to_owned(), Arc::clone(board)));
        }
    }
    live
}

/// Which pages may read the answers of the plain routes.
fn cors(origins: &Origins) -> CorsLayer {
    let origins = origins.clone();
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, _| origins.allow(origin)))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::CONTENT_TYPE, header::AUTHORIZATION])
        .expose_headers([HeaderName::from_static(crate::layers::request_id::HEADER), header::RETRY_AFTER])
}

async fn not_found() -> Response {
    HttpError::new(StatusCode::NOT_FOUND, "not_found", "There is nothing at this path.").into_response()
}
