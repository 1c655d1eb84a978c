//! What a client is told of a channel that it enters: where it stands, and what it has missed.

use std::time::Duration;

use lychgate_protocol::centrifuge::code::ErrorCode;
use lychgate_protocol::centrifuge::{self as wire, Data, Encoding, SubscribeResult};
use lychgate_service::channels::{Entrance, Extras};
use lychgate_service::ports::broker::{Entry, Kept, Place, Since};
use lychgate_token::UnixSeconds;

use super::connect::ttl;
use super::framing::Differing;
use super::room::{cost, fitting};
use super::speak::publication;

/// Where a client stands in each channel that it has entered, by its name.
pub(super) type Standings<'a> = [(&'a str, SubscribeResult<'a>)];

/// What came of entering, or the reason why no channel was entered.
pub(super) type Entered<'a> = Result<&'a Standings<'a>, ErrorCode>;

/// What a client asks for with a subscription.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    /// The place that it comes back from.
    pub(super) since: Option<(String, u64)>,
    recoverable: bool,
    positioned: bool,
    pub(super) join_leave: bool,
    deltas: bool,
    /// It rather stays out than miss something.
    pub(super) whole_or_nothing: bool,
    pub(super) by_server: bool,
}

impl Wishes {
    pub(super) fn of(subscribe: &wire::Subscribe<'_>) -> Self {
        Self {
            since: subscribe.recover.then(|| (subscribe.position.epoch.to_string(), subscribe.position.offset)),
            recoverable: subscribe.recoverable || subscribe.recover,
            positioned: subscribe.positioned,
            join_leave: subscribe.join_leave,
            deltas: subscribe.delta == "fossil",
            whole_or_nothing: subscribe.flag & wire::Subscribe::REJECT_UNRECOVERED != 0,
            by_server: false,
        }
    }

    /// Those of a subscription that the server makes.
    pub(super) fn of_server() -> Self {
        Self { recoverable: true, by_server: true, ..Self::default() }
    }

    /// The same, for a client that had it before.
    pub(super) fn of_server_again(subscribe: &wire::Subscribe<'_>) -> Self {
        Self { since: Self::of(subscribe).since, ..Self::of_server() }
    }

    /// The same, for a client that the application says stood there.
    pub(super) fn of_server_since(epoch: String, offset: u64) -> Self {
        Self { since: Some((epoch, offset)), ..Self::of_server() }
    }
}

/// One channel that is to be entered.
pub(super) struct Holding {
    pub(super) entrance: Entrance,
    pub(super) wishes: Wishes,
    /// What somebody says of this moment who vouches for it.
    extras: Extras,
}

impl Holding {
    pub(super) fn of(mut entrance: Entrance, mut wishes: Wishes) -> Self {
        let extras = entrance.extras.take().map(|extras| *extras).unwrap_or_default();
        wishes.positioned |= extras.positioning == Some(true);
        if wishes.by_server {
            wishes.recoverable &= extras.recovery != Some(false);
        }
        Self { entrance, wishes, extras }
    }

    fn is_recoverable(&self) -> bool {
        let namespace = &self.entrance.namespace;
        namespace.history.is_some() && namespace.recovery.grants(self.wishes.recoverable)
    }

    pub(super) fn takes_deltas(&self) -> bool {
        self.entrance.namespace.deltas && self.wishes.deltas
    }

    /// Where it wants to enter.
    pub(super) fn place(&self) -> Place<'_> {
        let since = self.wishes.since.as_ref().filter(|_| self.is_recoverable());
        let since = since.map(|(epoch, offset)| Since { epoch, offset: *offset });
        Place { channel: self.entrance.permit.channel(), since }
    }

    /// What the client is told of `entry`.
    pub(super) fn result<'a>(
        &'a self,
        entry: &'a Entry<'_>,
        publications: &'a [wire::Publication<'a>],
        now_s: UnixSeconds,
    ) -> SubscribeResult<'a> {
        let namespace = &self.entrance.namespace;
        let recoverable = self.is_recoverable();
        let positioned = recoverable || namespace.history.is_some() && self.wishes.positioned;
        let top = entry.top.as_ref().filter(|_| positioned);
        let recovered = entry.recovered == Some(true);
        let newest_alone = namespace.history.is_some_and(|(retention, _)| retention.newest_alone);
        let offset = match (recovered, &self.wishes.since) {
            // The client counts up from where it was as it goes through what it gets.
            (true, Some((_, since))) if !newest_alone => *since,
            _ => top.map_or(0, |top| top.offset),
        };
        // Where the application is asked, the client has nothing to do about the end.
        let ends_at = self.entrance.ends_at.filter(|_| namespace.on_sub_refresh.is_none());
        let ends_in = ends_at.map(|at| Duration::from_secs(at.saturating_sub(now_s)));
        SubscribeResult {
            expires: ends_in.is_some(),
            ttl: ends_in.map_or(0, ttl),
            recoverable: recoverable && top.is_some(),
            positioned: top.is_some(),
            epoch: top.map_or("", |top| top.epoch.as_str()),
            offset,
            publications,
            recovered,
            was_recovering: self.wishes.since.is_some(),
            delta: self.takes_deltas(),
            data: self.extras.data.as_deref().map_or(Data::ABSENT, Data::json_trusted),
        }
    }
}

/// The entries, of which no more is recovered than can be told at once.
pub(super) fn affordable<'a>(entries: &[Entry<'a>], bytes_max: usize) -> Vec<Entry<'a>> {
    let mut spent = 0;
    let afford = |entry: &Entry<'a>| {
        let missed = || entry.missed.iter().map(|kept| &**kept);
        // One publication is told however long it is.
        let fits = match spent {
            0 => fitting(missed(), bytes_max) >= entry.missed.len(),
            _ => spent + cost(missed()) <= bytes_max,
        };
        if fits {
            spent += cost(missed());
            return *entry;
        }
        // More than it could be told at once is lost to it, as what is no longer kept is.
        Entry { recovered: Some(false), missed: &[], ..*entry }
    };
    entries.iter().map(afford).collect()
}

/// What was missed in one channel, as it is told.
pub(super) struct Missed<'a>(Vec<(&'a Kept, Option<Differing>)>);

impl<'a> Missed<'a> {
    pub(super) fn of(holding: &Holding, entry: &Entry<'a>, encoding: Encoding) -> Self {
        let whole = |kept: &Kept| holding.takes_deltas().then(|| Differing::of(&kept.payload, None, encoding));
        Self(entry.missed.iter().map(|kept| (&**kept, whole(kept))).collect())
    }

    pub(super) fn publications(&self) -> Vec<wire::Publication<'_>> {
        self.0
            .iter()
            .map(|(kept, whole)| {
                let told = publication(kept);
                wire::Publication { data: whole.as_ref().map_or(told.data, |whole| whole.data()), ..told }
            })
            .collect()
    }
}
