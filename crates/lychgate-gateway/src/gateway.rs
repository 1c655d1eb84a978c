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
use lychgate_service::issue::Issuer;
use lychgate_service::limits::KeyedRate;
use lychgate_service::login_throttle::{LoginLimits, LoginThrottle};
use lychgate_service::ports::readiness::Readiness;
use lychgate_service::publish::Publisher;
use lychgate_service::subscribe::Subscriptions;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::timeout::TimeoutLayer;

use crate::accept::Acceptor;
use crate::error::HttpError;
use crate::http::operations::{self, Operations};
use crate::http::test_token;
use crate::http::token::{self, Login};
use crate::layers::origin::Origins;
use crate::metrics::Metrics;
use crate::settings::{Drain, Settings};
use crate::ticks::{Ticker, ticks};
use crate::ws::endpoint::Endpoint;
use crate::ws::flush;
use crate::ws::gate::Gate;
use crate::ws::sweep::Sweep;
use crate::ws::table::Table;
use crate::ws::upgrade::{self, Route};
use crate::ws::users::Users;

/// How many addresses are remembered for the connect rate.
const ADDRESSES_MAX: usize = 65_536;

/// How long the last answers of health and metrics may take.
const BACKGROUND_STOP_WAIT: Duration = Duration::from_secs(1);

/// The part of a queue that publishers may fill before the sockets have caught up.
///
/// A socket that takes everything it is offered must never overflow, however many publish in the same moment.
const QUEUES_FILLED_PER_BACKLOG: usize = 4;

/// What the gateway is built on.
pub struct Dependencies {
    /// Who may come in.
    pub admission: Admission,
    /// What they say.
    pub publisher: Publisher,
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
    /// What must be there for the server to be ready.
    pub readiness: Vec<Arc<dyn Readiness>>,
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
    not_ready: CancellationToken,
    stopping: CancellationToken,
    drain: Drain,
}

impl Gateway {
    /// Builds routes and limits. Nothing is listened to yet.
    #[must_use]
    pub fn new(settings: Settings, dependencies: Dependencies) -> Self {
        let Dependencies { admission, publisher, subscriptions, drain, .. } = dependencies;
        let metrics = Arc::new(Metrics::default());
        let tracker = TaskTracker::new();
        let (not_ready, stopping) = (CancellationToken::new(), CancellationToken::new());
        let ticker = Ticker::start();
        let gate = Arc::new(Gate {
            admission,
            publisher,
            subscriptions,
            drain: drain.clone(),
            table: Arc::new(Table::default()),
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
        let login = Login {
            accounts: dependencies.accounts,
            fields: dependencies.login_fields,
            issuer: dependencies.issuer,
            throttle: LoginThrottle::new(dependencies.login_limits),
            ticker,
            metrics: Arc::clone(&metrics),
            trusted_proxies: settings.trusted_proxies.clone(),
        };
        let operations = operations::router(Arc::new(Operations {
            metrics: Arc::clone(&metrics),
            drain,
            readiness: dependencies.readiness,
            not_ready: not_ready.clone(),
        }));
        let mut main = routes(&settings, &gate, login);
        if settings.operations_on_main {
            main = main.merge(operations.clone());
        }
        let background = TaskTracker::new();
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
        let Self { gate, main, operations: operations_acceptor, tracker, background, not_ready, stopping, drain } =
            self;
        let background_stop = CancellationToken::new();
        for shard in 0..gate.drain.shards() {
            background.spawn(flush::run(gate.drain.clone(), shard, background_stop.clone()));
        }
        let sweep = Sweep::new(Arc::clone(&gate.table), gate.drain.clone(), gate.ticker, &gate.limits);
        background.spawn(sweep.run(background_stop.clone()));
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
        for_each_socket(&gate, |entry| entry.socket.cut());
        background_stop.cancel();
        background.close();
        if timeout(BACKGROUND_STOP_WAIT, background.wait()).await.is_err() {
            tracing::warn!("a request for metrics or health did not end in time");
        }
        tracing::info!("stopped");
    }
}

/// Gives every socket a moment of its own within the spread, so that clients do not come back all at once.
fn spread_closes(gate: &Gate, drain: Drain) {
    let now = gate.ticker.now();
    let spread = ticks(drain.spread);
    for_each_socket(gate, |entry| {
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

fn routes(settings: &Settings, gate: &Arc<Gate>, login: Login) -> Router {
    let mut router = Router::new();
    let mut plain = Router::new();
    if let Some(route) = &settings.login {
        let log_in = post(token::log_in).layer(DefaultBodyLimit::max(route.body_bytes_max)).with_state(Arc::new(login));
        plain = plain.route(&route.path, log_in);
    }
    if let Some(route) = &settings.test_token {
        plain = plain.route(&route.path, get(test_token::show).with_state(route.clone()));
    }
    let request_timeout =
        TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, settings.limits.handshake_timeout);
    router = router.merge(plain.layer(request_timeout).layer(cors(&settings.origins)));
    for endpoint in &settings.endpoints {
        let metrics = gate.metrics.endpoint(&endpoint.name);
        let path = &endpoint.path;
        let endpoint = Arc::new(Endpoint { settings: endpoint.clone(), metrics });
        let route = Route { gate: Arc::clone(gate), endpoint };
        router = router.route(path, any(upgrade::upgrade).with_state(route));
    }
    router
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
