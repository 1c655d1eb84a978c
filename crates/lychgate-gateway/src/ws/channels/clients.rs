//! Clients of channels by their user, and the way to tell one of them something from outside its own task.
//!
//! **Invariant:** a client is listed exactly while its session is open. What it is told is done in its own turn,
//! in the order in which it was told.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashMap;
use lychgate_protocol::ws::CloseCode;
use lychgate_service::channels::Vouch;
use lychgate_token::UnixSeconds;
use parking_lot::Mutex;

use crate::ws::socket::Socket;

/// How many locks the users are spread over.
const STRIPES: usize = 32;

/// Things that one client may be told before it has done the first of them; further ones are dropped with a line in the log.
const ORDERS_MAX: usize = 256;

/// Something that the application wants done to a client.
#[derive(Clone, Debug)]
pub enum Order {
    /// Put it into a channel; with a place, as if it came back from there.
    Subscribe(Vouch, Option<(String, u64)>),
    /// Take it out of a channel.
    Unsubscribe(Box<str>),
    /// End its connection.
    Disconnect(CloseCode, Box<str>),
    /// Its credential is good for so long.
    Refresh {
        /// Until then; for ever, if none.
        until: Option<UnixSeconds>,
        /// What others may know of it from now on, as JSON text; as before, if none.
        info: Option<Box<str>>,
    },
}

/// The line to one client.
pub(super) struct Line {
    user: Box<str>,
    client: Box<str>,
    socket: Arc<Socket>,
    orders: Mutex<Vec<Order>>,
}

impl Line {
    /// What it was told since it was last asked.
    pub(super) fn take(&self) -> Vec<Order> {
        std::mem::take(&mut self.orders.lock())
    }

    fn tell(&self, order: Order) {
        let mut orders = self.orders.lock();
        if orders.len() >= ORDERS_MAX {
            tracing::warn!("a client is told more than it can do, and misses some of it");
            return;
        }
        orders.push(order);
        drop(orders);
        self.socket.has_orders();
    }
}

type LinesByUser = HashMap<Box<str>, Vec<Arc<Line>>>;

/// All clients with an open session.
pub struct Clients {
    hasher: RandomState,
    stripes: Box<[Mutex<LinesByUser>]>,
}

impl Default for Clients {
    fn default() -> Self {
        Self { hasher: RandomState::new(), stripes: (0..STRIPES).map(|_| Mutex::default()).collect() }
    }
}

/// How many are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Present {
    /// Connections.
    pub clients: usize,
    /// Users, whatever the number of their connections.
    pub users: usize,
}

impl Clients {
    fn stripe(&self, user: &str) -> &Mutex<LinesByUser> {
        &self.stripes[(self.hasher.hash_one(user) % STRIPES as u64) as usize]
    }

    /// Lists a client.
    pub(super) fn enter(&self, user: &str, client: &str, socket: &Arc<Socket>) -> Arc<Line> {
        let line = Arc::new(Line {
            user: user.into(),
            client: client.into(),
            socket: Arc::clone(socket),
            orders: Mutex::default(),
        });
        self.stripe(user).lock().entry(user.into()).or_default().push(Arc::clone(&line));
        line
    }

    /// Takes a client off the list.
    pub(super) fn leave(&self, line: &Arc<Line>) {
        let mut stripe = self.stripe(&line.user).lock();
        let Some(lines) = stripe.get_mut(&line.user) else { return };
        lines.retain(|other| !Arc::ptr_eq(other, line));
        if lines.is_empty() {
            stripe.remove(&line.user);
        }
    }

    /// Tells every client of `user` that is `meant`; how many those are.
    pub fn tell(&self, user: &str, meant: impl Fn(&str) -> bool, order: &Order) -> usize {
        let lines = self.stripe(user).lock().get(user).cloned().unwrap_or_default();
        let meant = lines.iter().filter(|line| meant(&line.client));
        meant.map(|line| line.tell(order.clone())).count()
    }

    /// How many are there now.
    #[must_use]
    pub fn present(&self) -> Present {
        self.stripes.iter().fold(Present::default(), |sum, stripe| {
            let stripe = stripe.lock();
            let clients = stripe.values().map(Vec::len).sum::<usize>();
            Present { clients: sum.clients + clients, users: sum.users + stripe.len() }
        })
    }
}
