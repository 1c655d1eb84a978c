//! Sockets from the kernel.
//!
//! Our own loop around hyper's HTTP/1 connection: how many sockets there may be, from whom, and how long a request may
//! take to arrive are decided before a byte is read.
//!
//! **Invariant:** a socket holds a [`Peer`] from accept to close, through the upgrade, so the counts are exact.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use hashbrown::HashMap;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use lychgate_service::login_throttle::AddressKey;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

use crate::error::HttpError;
use crate::layers::address::is_trusted;
use crate::metrics::Metrics;
use crate::settings::Limits;

/// A pause after an accept that failed for want of descriptors or memory: trying at once would only burn the core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// How long the answer to a request that timed out may take to leave.
const ANSWER_SLACK: Duration = Duration::from_secs(1);

/// The one at the other end of a socket, with its place in the counts. Cheap to clone.
#[derive(Clone)]
pub struct Peer {
    /// Its address as the kernel has it.
    pub address: SocketAddr,
    _place: Arc<Place>,
}

struct Place {
    _of_all: OwnedSemaphorePermit,
    of_address: Option<(Arc<Addresses>, AddressKey)>,
}

#[derive(Default)]
struct Addresses(Mutex<HashMap<AddressKey, usize>>);

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((addresses, key)) = self.of_address.take() {
            let mut counts = addresses.0.lock();
            if let Some(count) = counts.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&key);
                }
            }
        }
    }
}

/// The HTTP connection under a request, for an answer that does not end by itself. Cheap to clone.
#[derive(Clone, Default)]
pub struct Line(Arc<Requests>);

#[derive(Default)]
struct Requests {
    seen: AtomicU64,
    /// Answers that go on.
    endless: AtomicUsize,
    cut: Notify,
}

impl Line {
    /// Keeps the connection open for as long as the answer lives, though no request comes.
    #[must_use]
    pub fn hold(&self) -> Held {
        self.0.endless.fetch_add(1, Relaxed);
        Held(Arc::clone(&self.0))
    }
}

/// An answer that goes on.
pub struct Held(Arc<Requests>);

impl Held {
    /// Ends the HTTP connection at once, also when its peer does not read.
    pub fn cut(&self) {
        self.0.cut.notify_one();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.endless.fetch_sub(1, Relaxed);
    }
}

/// Accepts for one set of routes. Cheap to clone.
#[derive(Clone)]
pub struct Acceptor(Arc<Shared>);

struct Shared {
    router: Router,
    metrics: Arc<Metrics>,
    limits: Limits,
    places: Arc<Semaphore>,
    addresses: Arc<Addresses>,
    trusted_proxies: Arc<[IpNet]>,
    tracker: TaskTracker,
}

impl Acceptor {
    /// An acceptor that answers with `router`. Its connections are children of `tracker`.
    #[must_use]
    pub fn new(
        router: Router,
        metrics: Arc<Metrics>,
        limits: Limits,
        trusted_proxies: &[IpNet],
        tracker: TaskTracker,
    ) -> Self {
        let places = Arc::new(Semaphore::new(limits.connections_max));
        let trusted_proxies = trusted_proxies.into();
        let addresses = Arc::default();
        Self(Arc::new(Shared { router, metrics, limits, places, addresses, trusted_proxies, tracker }))
    }

    /// Accepts from `listener` until `stop`.
    pub async fn run(self, listener: TcpListener, stop: CancellationToken) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => return,
            };
            match accepted {
                Ok((tcp, address)) => self.take(tcp, address, &stop),
                Err(error) if is_one_sockets_own(&error) => {}
                Err(error) => {
                    self.0.metrics.accept_refused("descriptors");
                    tracing::error!(cause = %error, "cannot accept: raise the descriptor limit or lower limits.connections_max");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn take(&self, tcp: TcpStream, address: SocketAddr, stop: &CancellationToken) {
        // Both refusals drop the socket: there is nothing to say to somebody who has not asked yet.
        let Ok(of_all) = Arc::clone(&self.0.places).try_acquire_owned() else {
            return self.0.metrics.accept_refused("connections");
        };
        let of_address = match self.take_place(address) {
            Ok(place) => place,
            Err(()) => return self.0.metrics.accept_refused("connections_per_address"),
        };
        // Frames are batched before they are written; waiting for more would only delay them.
        let _ = tcp.set_nodelay(true);
        let peer = Peer { address, _place: Arc::new(Place { _of_all: of_all, of_address }) };
        self.0.tracker.spawn(self.clone().serve(tcp, peer, stop.clone()));
    }

    /// A place among the connections of this address. Behind a listed proxy everybody has the same one, so none is counted.
    fn take_place(&self, address: SocketAddr) -> Result<Option<(Arc<Addresses>, AddressKey)>, ()> {
        if is_trusted(address.ip(), &self.0.trusted_proxies) {
            return Ok(None);
        }
        let key = AddressKey::from(address.ip());
        let mut counts = self.0.addresses.0.lock();
        let count = counts.entry(key).or_insert(0);
        if *count >= self.0.limits.connections_per_address_max {
            return Err(());
        }
        *count += 1;
        Ok(Some((Arc::clone(&self.0.addresses), key)))
    }

    /// One HTTP/1 connection, until it ends or becomes a WebSocket.
    async fn serve(self, tcp: TcpStream, peer: Peer, stop: CancellationToken) {
        let Shared { router, limits, .. } = &*self.0;
        let line = Line::default();
        let requests = Arc::clone(&line.0);
        let service = service_fn(move |mut request: Request<Incoming>| {
            line.0.seen.fetch_add(1, Relaxed);
            request.extensions_mut().insert(line.clone());
            let target_bytes = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
            request.extensions_mut().insert(peer.clone());
            let answer =
                (target_bytes <= limits.request_target_bytes_max).then(|| router.clone().call(request.map(Body::new)));
            async move {
                match answer {
                    Some(answer) => answer.await,
                    None => Ok(HttpError::new(StatusCode::URI_TOO_LONG, "target", "The request's target is too long.")
                        .into_response()),
                }
            }
        });
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(limits.handshake_timeout)
            .max_headers(limits.headers_max)
            .max_buf_size(limits.request_head_bytes_max);
        let connection = builder.serve_connection(TokioIo::new(tcp), service).with_upgrades();
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = no_request_within(limits.handshake_timeout, &requests) => return,
            () = requests.cut.notified() => return,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection.as_mut() => ended,
                    () = no_request_within(limits.handshake_timeout, &requests) => return,
                    () = requests.cut.notified() => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(cause = %error, "http connection ended");
        }
    }
}

/// Ends once a whole `timeout` passed without a new request: the peer is silent, or does not read its answers.
/// An answer that goes on counts as one: its own deadlines say when it is over.
///
/// The answer to a request that took too long to arrive is on its way for a moment longer.
async fn no_request_within(timeout: Duration, requests: &Requests) {
    let mut before = None;
    loop {
        if requests.endless.load(Relaxed) > 0 {
            before = None;
        } else {
            let now = requests.seen.load(Relaxed);
            if before.replace(now) == Some(now) {
                return;
            }
        }
        tokio::time::sleep(timeout + ANSWER_SLACK).await;
    }
}

/// Whether a failed accept concerns that one socket and not the listener.
fn is_one_sockets_own(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
