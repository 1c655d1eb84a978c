//! The client's connections and the loop that serves them.
//!
//! One thread, one epoll, edge-triggered.
//! All sockets are read into one large buffer, so a read takes whatever the kernel holds and a frame is parsed where it lies;
//! only the cut frame at the end of a read is kept per connection.
//!
//! **Invariant:** a slot's `carry` never holds a whole frame.
//!
//! **Absent on purpose:** calls back into the fleet from inside a turn.
//! A run notes what it saw and acts after the turn, so a turn's work is bounded by what was ready at its start.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustix::time::Timespec;

use crate::broadcast::Publisher;
use crate::frame::{self, Kind};
use crate::route::{Answer, Route, answer};
use crate::socket;
use crate::speech::Speech;

const READ_BYTES: usize = 256 * 1024;
const EVENTS_PER_TURN: usize = 1024;
const BUFFER_BYTES: usize = READ_BYTES + frame::PAYLOAD_BYTES_MAX + 16;

/// All connections of one run.
pub struct Fleet {
    route: Route,
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    buffer: Vec<u8>,
    slots: Vec<Slot>,
    started: Instant,
    deadline: Instant,
    lazy: Option<Duration>,
    receive_buffer_bytes: Option<usize>,
    speech: Speech,
}

/// What a turn saw on one connection.
pub enum Signal<'a> {
    /// The handshake was accepted, and the session opened where there is one.
    Opened,
    /// A message came.
    Message {
        /// Its payload.
        payload: &'a [u8],
        /// When the read that brought it returned, on the fleet's clock.
        read_at_ns: u64,
    },
    /// The connection is over.
    Ended(Ending),
}

/// How a connection ended when this side did not end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The handshake was answered by something else than 101 (0: nothing readable).
    Refused(u16),
    /// A close frame with this code (0: none).
    Closed(u16),
    /// An end of stream without a close frame.
    EndOfStream,
    /// A reset, or a connect that failed.
    Reset,
    /// Bytes that no correct server sends.
    Fault(frame::Fault),
}

#[derive(Default)]
struct Slot {
    socket: Option<OwnedFd>,
    phase: Phase,
    /// Tells an event of this socket from one of the slot's earlier sockets.
    generation: u32,
    ordinal: usize,
    carry: Vec<u8>,
    unsent: Vec<u8>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Connecting,
    Upgrading,
    Greeting,
    Open,
}

impl Fleet {
    /// Makes a fleet of `slots` unconnected slots that ends itself at `run_time_max`.
    pub fn new(
        route: Route,
        slots: usize,
        run_time_max: Duration,
        lazy: Option<Duration>,
        speech: Speech,
    ) -> Result<Self> {
        let started = Instant::now();
        Ok(Self {
            route,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC).context("epoll_create")?,
            events: Vec::with_capacity(EVENTS_PER_TURN),
            buffer: vec![0; BUFFER_BYTES],
            slots: std::iter::repeat_with(Slot::default).take(slots).collect(),
            started,
            deadline: started + run_time_max,
            lazy,
            receive_buffer_bytes: None,
            speech,
        })
    }

    /// Returns the number of slots.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Returns the fleet's clock.
    pub fn now_ns(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    /// Makes the publisher `id` of messages that connections of this fleet can send.
    pub fn publisher(&self, id: u32, payload_bytes: usize) -> Publisher {
        Publisher::new(id, payload_bytes, self.speech.clone())
    }

    /// Gives sockets that are started from now on a receive buffer of this size, or the kernel's own choice again.
    pub fn set_receive_buffer(&mut self, bytes: Option<usize>) {
        self.receive_buffer_bytes = bytes;
    }

    /// Starts connecting `slot` as the connection `ordinal`, which picks its source address and its token.
    pub fn start(&mut self, slot: usize, ordinal: usize) -> Result<()> {
        let socket = self.route.target().connect(ordinal, self.receive_buffer_bytes)?;
        let entry = &mut self.slots[slot];
        entry.generation = entry.generation.wrapping_add(1);
        entry.ordinal = ordinal;
        entry.phase = Phase::Connecting;
        entry.carry.clear();
        entry.unsent.clear();
        let data = EventData::new_u64(u64::from(entry.generation) << 32 | slot as u64);
        epoll::add(&self.epoll, &socket, data, interest()).context("epoll_ctl")?;
        entry.socket = Some(socket);
        Ok(())
    }

    /// Ends `slot`'s connection in order, without a close frame.
    pub fn close(&mut self, slot: usize) {
        self.slots[slot].socket = None;
    }

    /// Ends `slot`'s connection by a reset.
    pub fn cut(&mut self, slot: usize) -> Result<()> {
        if let Some(socket) = self.slots[slot].socket.take() {
            socket::reset_on_close(&socket)?;
        }
        Ok(())
    }

    /// Stops reading `slot` until [`unmute`](Self::unmute).
    pub fn mute(&mut self, slot: usize) -> Result<()> {
        let Some(socket) = &self.slots[slot].socket else { return Ok(()) };
        epoll::delete(&self.epoll, socket).context("epoll_ctl")
    }

    /// Reads `slot` again.
    pub fn unmute(&mut self, slot: usize) -> Result<()> {
        let entry = &self.slots[slot];
        let Some(socket) = &entry.socket else { return Ok(()) };
        let data = EventData::new_u64(u64::from(entry.generation) << 32 | slot as u64);
        epoll::add(&self.epoll, socket, data, interest()).context("epoll_ctl")
    }

    /// Sends frames on `slot`; what the kernel does not take at once follows when it can.
    pub fn send(&mut self, slot: usize, frames: &[u8]) -> Result<()> {
        let entry = &mut self.slots[slot];
        if !entry.unsent.is_empty() {
            entry.unsent.extend_from_slice(frames);
            return Ok(());
        }
        let sent = entry.write(frames)?;
        entry.unsent.extend_from_slice(&frames[sent..]);
        Ok(())
    }

    /// Waits up to `wait` for something to happen and shows everything that did to `on`.
    ///
    /// # Errors
    ///
    /// Fails when the run has taken longer than it may.
    pub fn turn(&mut self, wait: Duration, on: &mut impl FnMut(usize, Signal<'_>)) -> Result<()> {
        if Instant::now() > self.deadline {
            bail!("the run took longer than it may and was ended");
        }
        let mut wait = wait.min(Duration::from_millis(100));
        if let Some(lazy) = self.lazy {
            // Polling instead of waiting: the server is not charged for waking this process.
            let _ = rustix::thread::nanosleep(&timespec(lazy));
            wait = Duration::ZERO;
        }
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timespec(wait))) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("epoll_wait"),
        }
        for event in &events {
            let data = event.data.u64();
            let slot = (data & u64::from(u32::MAX)) as usize;
            if self.slots[slot].generation == (data >> 32) as u32 {
                self.serve(slot, event.flags, on);
            }
        }
        self.events = events;
        Ok(())
    }

    fn serve(&mut self, slot: usize, flags: EventFlags, on: &mut impl FnMut(usize, Signal<'_>)) {
        let entry = &mut self.slots[slot];
        if flags.contains(EventFlags::OUT) && entry.socket.is_some() {
            if entry.phase == Phase::Connecting && !flags.intersects(EventFlags::ERR | EventFlags::HUP) {
                entry.phase = Phase::Upgrading;
                entry.unsent = self.route.request(entry.ordinal);
            }
            let unsent = std::mem::take(&mut entry.unsent);
            // A failed write shows as a reset in the read below.
            let sent = entry.write(&unsent).unwrap_or(unsent.len());
            if sent < unsent.len() {
                entry.unsent = unsent[sent..].to_vec();
            }
        }
        let readable = EventFlags::IN | EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
        if flags.intersects(readable)
            && let Err(ending) = self.read(slot, flags, on)
        {
            self.slots[slot].socket = None;
            on(slot, Signal::Ended(ending));
        }
    }

    fn read(&mut self, slot: usize, flags: EventFlags, on: &mut impl FnMut(usize, Signal<'_>)) -> Result<(), Ending> {
        loop {
            let entry = &mut self.slots[slot];
            let Some(socket) = &entry.socket else { return Ok(()) };
            let carried = entry.carry.len();
            self.buffer[..carried].copy_from_slice(&entry.carry);
            let window = &mut self.buffer[carried..carried + READ_BYTES];
            let count = match recv(socket, window, RecvFlags::empty()) {
                Ok((0, _)) => return Err(Ending::EndOfStream),
                Ok((count, _)) => count,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => continue,
                Err(_) => return Err(Ending::Reset),
            };
            let read_at_ns = self.started.elapsed().as_nanos() as u64;
            let filled = &self.buffer[..carried + count];
            let consumed = entry.consume(slot, filled, read_at_ns, &self.speech, on)?;
            entry.carry.clear();
            entry.carry.extend_from_slice(&filled[consumed..]);
            // A short read emptied the socket: the edge for what comes later is still ahead.
            if count < READ_BYTES && !flags.contains(EventFlags::RDHUP) {
                return Ok(());
            }
        }
    }
}

impl Slot {
    fn write(&self, bytes: &[u8]) -> Result<usize> {
        let Some(socket) = &self.socket else { return Ok(bytes.len()) };
        let mut sent = 0;
        while sent < bytes.len() {
            match send(socket, &bytes[sent..], SendFlags::NOSIGNAL) {
                Ok(count) => sent += count,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error).context("the server ended a connection that was being written to"),
            }
        }
        Ok(sent)
    }

    /// Sends a frame of this side's own; what the kernel does not take follows when it can.
    fn say(&mut self, frame: &[u8]) {
        let sent = if self.unsent.is_empty() { self.write(frame).unwrap_or(frame.len()) } else { 0 };
        self.unsent.extend_from_slice(&frame[sent..]);
    }

    fn opened(&mut self, slot: usize, on: &mut impl FnMut(usize, Signal<'_>)) {
        self.phase = Phase::Open;
        on(slot, Signal::Opened);
    }

    /// Takes every whole frame from `filled` and returns the bytes taken.
    fn consume(
        &mut self,
        slot: usize,
        filled: &[u8],
        read_at_ns: u64,
        speech: &Speech,
        on: &mut impl FnMut(usize, Signal<'_>),
    ) -> Result<usize, Ending> {
        let mut consumed = 0;
        if matches!(self.phase, Phase::Connecting | Phase::Upgrading) {
            match answer(filled) {
                Answer::Partial => return Ok(0),
                Answer::Refused { status } => return Err(Ending::Refused(status)),
                Answer::Accepted { bytes } => consumed = bytes,
            }
            self.phase = Phase::Greeting;
            match speech.greeting() {
                Some(greeting) => self.say(&greeting),
                None => self.opened(slot, on),
            }
        }
        while let Some(frame) = frame::parse(&filled[consumed..]).map_err(Ending::Fault)? {
            consumed += frame.bytes;
            match frame.kind {
                Kind::Message if self.phase == Phase::Greeting => {
                    if speech.is_greeted(frame.payload) {
                        self.opened(slot, on);
                    }
                }
                Kind::Message => match speech.answer(frame.payload) {
                    Some(answer) => self.say(&answer),
                    None => on(slot, Signal::Message { payload: frame.payload, read_at_ns }),
                },
                Kind::Close => {
                    let code = frame.payload.first_chunk().map_or(0, |code| u16::from_be_bytes(*code));
                    return Err(Ending::Closed(code));
                }
                Kind::Ping => {
                    let mut pong = Vec::new();
                    frame::append_pong(frame.payload, &mut pong);
                    self.say(&pong);
                }
                Kind::Pong => {}
            }
        }
        Ok(consumed)
    }
}

fn interest() -> EventFlags {
    EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs() as i64, tv_nsec: i64::from(duration.subsec_nanos()) }
}
