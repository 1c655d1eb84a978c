//! The deadlines of all sockets, in one walk every half second.
//!
//! A timer per connection would cost more memory than the connection; the walk costs a few nanoseconds each.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use lychgate_hub::Drain;
use lychgate_protocol::centrifuge::code::disconnect_reason;
use lychgate_protocol::ws::{CloseCode, encode};
use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::settings::{Behaviour, Limits};
use crate::ticks::{Ticker, Ticks, ticks};
use crate::ws::ending::Why;
use crate::ws::profile::Event;
use crate::ws::table::{Entry, Table};

/// How far apart two walks begin.
pub const EVERY: Duration = Duration::from_millis(500);

/// Entries that are looked at before others get their turn.
const ENTRIES_PER_TURN: usize = 512;

/// Everything a walk needs.
pub struct Sweep {
    table: Arc<Table>,
    drain: Drain,
    ticker: Ticker,
    ping_interval: Ticks,
    pong_timeout: Ticks,
    close_timeout: Ticks,
    no_progress: Ticks,
    ping: Bytes,
}

impl Sweep {
    /// A sweep of `table` by these limits.
    #[must_use]
    pub fn new(table: Arc<Table>, drain: Drain, ticker: Ticker, limits: &Limits) -> Self {
        let mut ping = Vec::new();
        encode::ping(b"", &mut ping);
        Self {
            table,
            drain,
            ticker,
            ping_interval: ticks(limits.ping_interval),
            pong_timeout: ticks(limits.pong_timeout),
            close_timeout: ticks(limits.close_timeout),
            no_progress: ticks(limits.no_progress_timeout),
            ping: Bytes::from(ping),
        }
    }

    /// Walks until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut timer = interval(EVERY);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut chunk = Vec::new();
        loop {
            tokio::select! {
                _ = timer.tick() => {}
                () = stop.cancelled() => return,
            }
            let mut from = 0;
            loop {
                let more = self.table.chunk(from, ENTRIES_PER_TURN, &mut chunk);
                let now = self.ticker.now();
                for entry in chunk.drain(..) {
                    self.look_at(&entry, now);
                }
                if !more {
                    break;
                }
                from += ENTRIES_PER_TURN;
                yield_now().await;
            }
        }
    }

    fn look_at(&self, entry: &Entry, now: Ticks) {
        let socket = &entry.socket;
        let closing_since = socket.closing_since();
        if closing_since != 0 {
            if now.saturating_sub(closing_since) >= self.close_timeout {
                socket.cut();
            }
            return;
        }
        if now >= socket.expires_at.load(Ordering::Relaxed) {
            if socket.is_awaiting() && matches!(socket.endpoint().settings.behaviour, Behaviour::Channels(_)) {
                return close_stale(&self.drain, entry);
            }
            let event = if socket.is_awaiting() { Event::Missing } else { Event::ExpiredLive };
            return self.close(entry, event);
        }
        if socket.is_to_ask_again(now) {
            socket.ask_again();
        }
        if now >= socket.drains_at.load(Ordering::Relaxed) {
            return self.close(entry, Event::Restart);
        }
        socket.ping_if_due(now);
        let blocked_since = socket.blocked_since();
        if blocked_since != 0 && now.saturating_sub(blocked_since) >= self.no_progress {
            return self.close(entry, Event::Slow);
        }
        if socket.is_busy() {
            return;
        }
        let asked_at = socket.asked_at.load(Ordering::Relaxed);
        if asked_at != 0 {
            if now.saturating_sub(asked_at) >= self.pong_timeout {
                self.close(entry, Event::NoPong);
            }
        } else if !socket.pings_itself()
            && now.saturating_sub(socket.heard_at.load(Ordering::Relaxed)) >= self.ping_interval
        {
            socket.asked_at.store(now, Ordering::Relaxed);
            // A full queue is the slow reader's own affair: the hub has closed it.
            let _ = self.drain.send(&entry.session, self.ping.clone());
        }
    }

    fn close(&self, entry: &Entry, event: Event) {
        close(&self.drain, entry, event);
    }
}

/// Closes a connection that has not opened its session in time, as the protocol of channels says.
fn close_stale(drain: &Drain, entry: &Entry) {
    let endpoint = entry.socket.endpoint();
    endpoint.metrics.closed(Event::Missing.name());
    tracing::debug!(endpoint = endpoint.settings.name, event = "stale", "closing");
    let mut frame = Vec::new();
    encode::close(CloseCode::STALE, disconnect_reason(CloseCode::STALE), &mut frame);
    entry.socket.closing();
    drain.finish(&entry.session, Bytes::from(frame));
}

/// Closes an admitted connection as its profile says.
pub fn close(drain: &Drain, entry: &Entry, event: Event) {
    let endpoint = entry.socket.endpoint();
    endpoint.metrics.closed(event.name());
    tracing::debug!(endpoint = endpoint.settings.name, event = event.name(), "closing");
    entry.socket.ending.because(Why::Event(event));
    entry.socket.closing();
    drain.finish(&entry.session, Bytes::from(endpoint.settings.profile.close_frame(event)));
}
