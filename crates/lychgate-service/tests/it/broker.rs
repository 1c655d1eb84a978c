//! The broker of a single machine: what a channel keeps, for how long, and what somebody hears who comes in.

mod bounds;
mod entering;
mod entering_many;
mod newest;
mod versions;

use std::io::IoSlice;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use lychgate_hub::{Class, Drain, Farewell, Flushed, Hub, HubConfig, OutboxLimits, Registrar, Session, Sink, Written};
use lychgate_protocol::channel::ChannelName;
use lychgate_service::local_broker::{Keeping, LocalBroker};
use lychgate_service::ports::broker::{
    Broker as _, BrokerError, Framing, Happening, HistoryPage, HistoryQuery, HistoryRefused, Publication, Published,
    Retains, Retention, Since,
};

/// The class whose frames [`Numbers`] writes.
const NUMBERS: Class = Class(9);

/// A broker with its hub.
struct World {
    broker: Arc<LocalBroker>,
    registrar: Registrar,
    drain: Drain,
}

impl World {
    /// Channels that begin with `kept` keep what `retention` says, and no other one keeps anything.
    fn new(retention: Retention, bytes_max: usize, channels_max: usize) -> Self {
        let (registrar, drain) = Hub::new(HubConfig::default());
        let keeping = Keeping { rules: Arc::new(Rule(retention)), bytes_max, channels_max };
        let broker = LocalBroker::new(registrar.clone()).with_framing(Arc::new(Numbers)).with_keeping(keeping);
        Self { broker: Arc::new(broker), registrar, drain }
    }

    fn keeping(publications_max: usize) -> Self {
        Self::new(retention(publications_max), usize::MAX, usize::MAX)
    }

    fn open(&self) -> (Session, Arc<Wire>) {
        let wire = Arc::new(Wire::default());
        (self.drain.open(OutboxLimits { bytes_max: usize::MAX, slices_max: usize::MAX }, Arc::clone(&wire) as _), wire)
    }

    /// Hands out and writes what waits.
    fn flush(&self) {
        self.drain.seal(0);
        while self.drain.flush(0, 256) == Flushed::More {}
    }

    fn publish(&self, name: &str, payload: &str) -> Result<Published, BrokerError> {
        let publication = Publication::of(payload.as_bytes());
        self.broker.publish(&channel(name), publication)
    }

    /// What is kept, as offsets.
    fn offsets(&self, name: &str) -> Result<Vec<u64>, HistoryRefused> {
        Ok(self.page(name)?.publications.iter().map(|kept| kept.offset).collect())
    }

    fn page(&self, name: &str) -> Result<HistoryPage, HistoryRefused> {
        self.broker.history(&channel(name), HistoryQuery { since: None, limit: usize::MAX, reverse: false })
    }

    /// What somebody is told who comes in from there: the top, whether all is here, and the offsets missed.
    fn enter(&self, name: &str, since: Option<Since<'_>>, limit: usize) -> (Option<u64>, Option<bool>, Vec<u64>) {
        let mut told = None;
        self.broker.enter(&channel(name), since, limit, &mut |entry| {
            let missed = entry.missed.iter().map(|kept| kept.offset).collect();
            told = Some((entry.top.map(|top| top.offset), entry.recovered, missed));
        });
        told.expect("it calls once")
    }
}

fn channel(name: &str) -> ChannelName {
    name.parse().expect("a channel")
}

const fn retention(publications_max: usize) -> Retention {
    Retention {
        publications_max,
        time_to_live: Duration::from_secs(60),
        position_time_to_live: Duration::from_secs(600),
        is_durable: false,
        newest_alone: false,
    }
}

struct Rule(Retention);

impl Retains for Rule {
    fn retention(&self, channel: &ChannelName) -> Option<Retention> {
        channel.starts_with("kept").then_some(self.0)
    }
}

/// Frames of nine bytes: `p` and the offset of a publication, or `j` and `l` for those who come and go.
struct Numbers;

impl Framing for Numbers {
    fn frame(&self, class: Class, _: &ChannelName, happening: Happening<'_>, out: &mut Vec<u8>) {
        assert_eq!(class, NUMBERS);
        let (kind, number) = match happening {
            Happening::Published { offset, .. } => (b'p', offset),
            Happening::Joined(_) => (b'j', 0),
            Happening::Left(_) => (b'l', 0),
        };
        out.push(kind);
        out.extend(number.to_be_bytes());
    }
}

/// A socket that takes everything.
#[derive(Default)]
struct Wire(Mutex<Vec<u8>>);

impl Wire {
    /// Kind and number of each frame.
    fn frames(&self) -> Vec<(char, u64)> {
        let bytes = self.0.lock().expect("nothing panicked here");
        let (frames, rest) = bytes.as_chunks::<9>();
        assert_eq!(rest, b"", "whole frames");
        let number = |frame: &[u8; 9]| frame[1..].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        frames.iter().map(|frame| (char::from(frame[0]), number(frame))).collect()
    }

    fn offsets(&self) -> Vec<u64> {
        self.frames().into_iter().filter(|(kind, _)| *kind == 'p').map(|(_, offset)| offset).collect()
    }
}

impl Sink for Wire {
    fn write(&self, slices: &[IoSlice<'_>]) -> Written {
        let mut bytes = self.0.lock().expect("nothing panicked here");
        slices.iter().for_each(|slice| bytes.extend_from_slice(slice));
        Written::Bytes(slices.iter().map(|slice| slice.len()).sum())
    }

    fn farewell(&self, _: Farewell) -> Bytes {
        Bytes::new()
    }

    fn finished(&self) {}
}
