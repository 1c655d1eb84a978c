//! Loopback sockets: each from an address of its own, none to anywhere else.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};

/// The server's address, known to be on this machine.
#[derive(Clone, Copy, Debug)]
pub struct Target(SocketAddrV4);

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address: SocketAddrV4 = text.parse().map_err(|_| format!("{text} is not an IPv4 address and port"))?;
        if !address.ip().is_loopback() {
            return Err(format!("{text} is not a loopback address: this program loads its own machine alone"));
        }
        Ok(Self(address))
    }
}

impl Target {
    /// Returns the address for a `Host` header.
    pub fn authority(self) -> String {
        self.0.to_string()
    }

    /// Starts a connection without waiting for it.
    ///
    /// `ordinal` picks the source address in 127.0.0.0/8, so that a limit per address sees as many addresses as users,
    /// and the local ports of one address never run out.
    ///
    /// # Errors
    ///
    /// Returns the failed call, for example when there are no descriptors left.
    pub fn connect(self, ordinal: usize, receive_buffer_bytes: Option<usize>) -> Result<OwnedFd> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).context("socket")?;
        sockopt::set_tcp_nodelay(&socket, true).context("TCP_NODELAY")?;
        if let Some(bytes) = receive_buffer_bytes {
            sockopt::set_socket_recv_buffer_size(&socket, bytes).context("SO_RCVBUF")?;
        }
        bind(&socket, &SocketAddrV4::new(source(ordinal), 0)).context("bind")?;
        match connect(&socket, &self.0) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
            Err(error) => Err(error).context("connect"),
        }
    }
}

/// Makes closing `socket` reset the connection instead of ending it in order, as a lost network does.
pub fn reset_on_close(socket: &OwnedFd) -> Result<()> {
    sockopt::set_socket_linger(socket, Some(Duration::ZERO)).context("SO_LINGER")
}

/// Raises the descriptor limit to the most this user may have.
///
/// # Errors
///
/// Fails when `wanted` descriptors are more than that.
pub fn raise_descriptor_limit(wanted: u64) -> Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if let Some(maximum) = limit.maximum
        && wanted > maximum
    {
        bail!("{wanted} descriptors are needed and RLIMIT_NOFILE allows {maximum}");
    }
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("RLIMIT_NOFILE")
}

/// Keeps this process on one core.
pub fn pin(core: usize) -> Result<()> {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).with_context(|| format!("cannot run on core {core}"))
}

/// One address per ordinal, from 127.16.0.1 up, and round again after about three million.
fn source(ordinal: usize) -> Ipv4Addr {
    let part = |value: usize, values: usize| (value % values) as u8;
    let (low, middle, high) = (ordinal, ordinal / 250, ordinal / 62_500);
    Ipv4Addr::new(127, 16 + part(high, 50), part(middle, 250), 1 + part(low, 250))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_a_target() {
        for address in ["127.0.0.1:80", "127.9.8.7:65535"] {
            assert!(address.parse::<Target>().is_ok(), "{address}");
        }
        for address in ["10.0.0.1:80", "0.0.0.0:80", "128.0.0.1:80", "[::1]:80", "localhost:80", "93.184.216.34:443"] {
            assert!(address.parse::<Target>().is_err(), "{address}");
        }
    }

    #[test]
    fn sources_are_loopback_and_differ() {
        let mut seen = std::collections::HashSet::new();
        for ordinal in 0..100_000 {
            let address = source(ordinal);
            assert!(address.is_loopback());
            assert!(seen.insert(address), "{address} twice");
        }
    }
}
