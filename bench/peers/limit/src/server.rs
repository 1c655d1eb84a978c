//! The loop: accept, read, and send what the reads brought.

use std::net::SocketAddrV4;

use anyhow::{Context, Result};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, accept_with, bind, listen, recv, socket_with, sockopt,
};

use crate::faults::Faults;
use crate::frames::{self, Inbound};
use crate::handshake::{Gate, Verdict};
use crate::room::{Connection, Stage};

const LISTENER: u64 = u64::MAX;
const BACKLOG: i32 = 4096;
const READ_BYTES: usize = 64 * 1024;
const EVENTS_PER_ROUND: usize = 1024;

/// The server and all it holds.
pub struct Server {
    listener: OwnedFd,
    epoll: OwnedFd,
    gate: Gate,
    batched: bool,
    faults: Faults,
    /// By slot; a free slot is `None` and listed in `free`.
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    buffer: Vec<u8>,
    /// Frames for the room that this round's reads brought, and where each ends.
    batch: Vec<u8>,
    ends: Vec<usize>,
    over: Vec<usize>,
}

impl Server {
    /// Listens.
    pub fn bind(address: SocketAddrV4, gate: Gate, batched: bool, faults: Faults) -> Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let listener = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_reuseaddr(&listener, true)?;
        // Accepted sockets inherit it.
        sockopt::set_tcp_nodelay(&listener, true)?;
        bind(&listener, &address).with_context(|| format!("cannot bind {address}"))?;
        listen(&listener, BACKLOG)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        Ok(Self {
            listener,
            epoll,
            gate,
            batched,
            faults,
            connections: Vec::new(),
            free: Vec::new(),
            buffer: vec![0; READ_BYTES],
            batch: Vec::new(),
            ends: Vec::new(),
            over: Vec::new(),
        })
    }

    /// Serves until the process is ended.
    pub fn run(mut self) -> Result<()> {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS_PER_ROUND);
        loop {
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error).context("epoll_wait"),
            }
            // Accept first: a full accept queue costs the client a second.
            if events.iter().any(|event| event.data.u64() == LISTENER) {
                self.accept()?;
            }
            for event in &events {
                let slot = event.data.u64();
                if slot != LISTENER {
                    self.serve(slot as usize, event.flags);
                }
            }
            self.broadcast();
            for slot in self.over.drain(..) {
                if self.connections[slot].take().is_some() {
                    self.free.push(slot);
                }
            }
        }
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let socket = match accept_with(&self.listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(socket) => socket,
                Err(Errno::AGAIN | Errno::MFILE) => return Ok(()),
                Err(Errno::INTR | Errno::CONNABORTED) => continue,
                Err(error) => return Err(error).context("accept"),
            };
            let slot = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let interest = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
            epoll::add(&self.epoll, &socket, EventData::new_u64(slot as u64), interest)?;
            self.connections[slot] = Some(Connection::new(socket));
        }
    }

    fn serve(&mut self, slot: usize, flags: EventFlags) {
        let Some(connection) = &mut self.connections[slot] else { return };
        if flags.contains(EventFlags::OUT) {
            connection.flush();
        }
        while flags.intersects(EventFlags::IN | EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR)
            && connection.stage != Stage::Over
        {
            let carried = connection.carry.len();
            self.buffer.resize(carried + READ_BYTES, 0);
            self.buffer[..carried].copy_from_slice(&connection.carry);
            match recv(&connection.socket, &mut self.buffer[carried..], RecvFlags::empty()) {
                Ok((0, _)) => connection.stage = Stage::Over,
                Ok((count, _)) => {
                    let input = &self.buffer[..carried + count];
                    let used = consume(connection, input, &self.gate, &mut self.batch, &mut self.ends);
                    connection.carry.clear();
                    connection.carry.extend_from_slice(&input[used..]);
                    if connection.carry.is_empty() {
                        // Idle connections keep no buffer.
                        connection.carry = Vec::new();
                    }
                    if count < READ_BYTES && !flags.contains(EventFlags::RDHUP) {
                        break;
                    }
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(_) => connection.stage = Stage::Over,
            }
        }
        if connection.stage == Stage::Over {
            self.over.push(slot);
        }
    }

    fn broadcast(&mut self) {
        if self.ends.is_empty() {
            return;
        }
        let whole = [self.batch.len()];
        let cuts: &[usize] = if self.batched { &whole } else { &self.ends };
        if self.faults.any() {
            for (slot, connection) in members(&mut self.connections) {
                let mut count = connection.frames;
                let frames = self.faults.apply(&self.batch, &self.ends, slot, &mut count);
                connection.frames = count;
                connection.write(&frames);
            }
        } else {
            let mut start = 0;
            for end in cuts {
                for (_, connection) in members(&mut self.connections) {
                    connection.write(&self.batch[start..*end]);
                }
                start = *end;
            }
        }
        let dropped = self.connections.iter().enumerate().filter_map(|(slot, connection)| {
            connection.as_ref().is_some_and(|connection| connection.stage == Stage::Over).then_some(slot)
        });
        self.over.extend(dropped);
        self.batch.clear();
        self.ends.clear();
    }
}

fn members(connections: &mut [Option<Connection>]) -> impl Iterator<Item = (usize, &mut Connection)> {
    let present = connections.iter_mut().enumerate();
    present
        .filter_map(|(slot, connection)| connection.as_mut().map(|connection| (slot, connection)))
        .filter(|(_, connection)| connection.stage == Stage::Room)
}

/// Takes what is whole from `input` and returns the bytes used.
fn consume(
    connection: &mut Connection,
    input: &[u8],
    gate: &Gate,
    batch: &mut Vec<u8>,
    ends: &mut Vec<usize>,
) -> usize {
    if connection.stage == Stage::Handshake {
        match gate.judge(input) {
            Verdict::Partial => return 0,
            Verdict::Refuse(answer) => {
                connection.write(answer);
                connection.stage = Stage::Over;
            }
            Verdict::Accept { answer, echo } => {
                connection.stage = if echo { Stage::Echo } else { Stage::Room };
                connection.write(&answer);
            }
        }
        return input.len();
    }
    let mut replies = Vec::new();
    let mut used = 0;
    loop {
        let out = if connection.stage == Stage::Echo { &mut replies } else { &mut *batch };
        match frames::relay(&input[used..], out) {
            Inbound::Partial => break,
            Inbound::Message(bytes) => {
                used += bytes;
                if connection.stage == Stage::Room {
                    ends.push(batch.len());
                }
            }
            Inbound::Other(bytes) => used += bytes,
            Inbound::End => {
                connection.stage = Stage::Over;
                break;
            }
        }
    }
    if !replies.is_empty() {
        connection.write(&replies);
    }
    used
}
