//! What all connections of a server share.

use std::sync::Arc;

use ipnet::IpNet;
use lychgate_hub::Drain;
use lychgate_service::admission::Admission;
use lychgate_service::limits::KeyedRate;
use lychgate_service::login_throttle::AddressKey;
use lychgate_service::subscribe::Subscriptions;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::layers::origin::Origins;
use crate::metrics::Metrics;
use crate::settings::Limits;
use crate::ticks::Ticker;
use crate::ws::changes::Changes;
use crate::ws::fallback::sessions::Sessions;
use crate::ws::revoked::Revoked;
use crate::ws::table::Table;
use crate::ws::users::Users;

/// What all endpoints share.
pub struct Gate {
    /// A word for this process, so that the ids of connections differ between processes.
    pub node: Box<str>,
    /// Who may come in.
    pub admission: Admission,
    /// Where they listen.
    pub subscriptions: Subscriptions,
    /// The hub's way out.
    pub drain: Drain,
    /// All open sockets.
    pub table: Arc<Table>,
    /// Those among them that are no WebSockets, by what their clients know.
    pub sessions: Arc<Sessions>,
    /// What changes in the registry.
    pub changes: Arc<Changes>,
    /// What is revoked.
    pub revoked: Arc<Revoked>,
    /// The clock of deadlines.
    pub ticker: Ticker,
    /// The limits.
    pub limits: Limits,
    /// New connections by address.
    pub connect_rate: KeyedRate<AddressKey>,
    /// Open connections by user.
    pub users: Arc<Users>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// The parent of all connection tasks.
    pub tracker: TaskTracker,
    /// Set once no new connection may come.
    pub stopping: CancellationToken,
    /// How far the sockets may lag behind what was published before no more is read.
    pub backlog_bytes_max: u64,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The pages that browsers may call from.
    pub origins: Origins,
}
