//! The command line: every count and length has a limit.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use serde::Serialize;

use crate::mark;
use crate::socket::Target;

/// The most sockets of one process.
const CONNECTIONS_MAX: i64 = 18_000;

/// Loads one WebSocket server on this machine, checks every frame, and prints one JSON object.
#[derive(Parser)]
#[command(version)]
pub struct Args {
    /// The server's loopback address and port.
    #[arg(long)]
    pub target: Target,
    /// Request path and query; `{token}` stands for the connection's token.
    #[arg(long, default_value = "/ws?token={token}")]
    pub path: String,
    /// Speak the Centrifuge client protocol in JSON, subscribe every connection to this channel, and publish there.
    #[arg(long)]
    pub subscribe: Option<String>,
    /// File with one token per line; connections use them in turn.
    #[arg(long)]
    pub tokens: Option<PathBuf>,
    /// The server's process, read for CPU time and memory.
    #[arg(long)]
    pub server_pid: u32,
    /// Run on this core alone.
    #[arg(long)]
    pub core: Option<usize>,
    /// Poll every so many microseconds instead of waiting, so that the server is not charged for waking the client.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=100_000))]
    pub lazy_us: u64,
    /// Size of each message's JSON text.
    #[arg(long, default_value_t = 128, value_parser = payload_bytes)]
    pub payload_bytes: usize,
    /// Handshakes under way at the same time.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=18_000))]
    pub concurrency: u64,
    /// End the run as failed after so many seconds.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=900))]
    pub run_s_max: u64,
    /// What to measure.
    #[command(subcommand)]
    pub mode: Mode,
}

/// What to measure.
#[derive(Subcommand, Serialize)]
#[serde(untagged)]
pub enum Mode {
    /// Open one connection, send one message, and say what came back.
    Probe(ProbeArgs),
    /// Open connections, leave them idle, and measure the server's memory.
    Idle(IdleArgs),
    /// Subscribe each connection to many channels, and measure the server's memory. Needs `--subscribe`.
    Channels(ChannelsArgs),
    /// Broadcast as fast as a window of unfinished messages allows.
    Fanout(FanoutArgs),
    /// Broadcast at a fixed rate and measure latency.
    Rate(RateArgs),
    /// Shake hands and close, over and over.
    Connect(ConnectArgs),
    /// Cut every connection at once, reconnect, and broadcast to all.
    Storm(StormArgs),
    /// Send to oneself, one message at a time per connection.
    Echo(EchoArgs),
    /// Broadcast at a fixed rate while some receivers stop reading.
    Stuck(StuckArgs),
}

impl Mode {
    /// Returns the most sockets that the run holds at once.
    pub fn slots(&self) -> usize {
        match self {
            Self::Probe(_) => 1,
            Self::Idle(args) => args.connections,
            Self::Channels(args) => args.connections,
            Self::Fanout(args) => args.receivers,
            Self::Rate(args) => args.receivers,
            Self::Connect(args) => args.parallel,
            Self::Storm(args) => args.connections,
            Self::Echo(args) => args.connections,
            Self::Stuck(args) => args.receivers,
        }
    }
}

/// Options of `probe`.
#[derive(ClapArgs, Serialize)]
pub struct ProbeArgs {
    /// Wait so long for an answer.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=30))]
    pub seconds: u64,
}

/// Options of `idle`.
#[derive(ClapArgs, Serialize)]
pub struct IdleArgs {
    /// Connections to open.
    #[arg(long, default_value_t = 10_000, value_parser = connections)]
    pub connections: usize,
}

/// Options of `channels`.
#[derive(ClapArgs, Serialize)]
pub struct ChannelsArgs {
    /// Connections.
    #[arg(long, default_value_t = 1_000, value_parser = connections)]
    pub connections: usize,
    /// Channels of each, with the one that it is measured with.
    #[arg(long, default_value_t = 128, value_parser = channels)]
    pub channels: usize,
    /// Give each connection channels of its own.
    #[arg(long)]
    pub own: bool,
}

/// Options of `fanout`.
#[derive(ClapArgs, Serialize)]
pub struct FanoutArgs {
    /// Receivers; the first one is also the publisher.
    #[arg(long, default_value_t = 1_000, value_parser = connections)]
    pub receivers: usize,
    /// Messages that not every receiver has had yet.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub window: u64,
    /// Length of the measurement.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub seconds: u64,
}

/// Options of `rate`.
#[derive(ClapArgs, Serialize)]
pub struct RateArgs {
    /// Receivers; the first one is also the publisher.
    #[arg(long, default_value_t = 1_000, value_parser = connections)]
    pub receivers: usize,
    /// Messages per second.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub rate: u64,
    /// Length of the measurement.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub seconds: u64,
}

/// Options of `connect`.
#[derive(ClapArgs, Serialize)]
pub struct ConnectArgs {
    /// Handshakes in all.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=200_000))]
    pub handshakes: u64,
    /// Handshakes at the same time.
    #[arg(long, default_value_t = 32, value_parser = connections)]
    pub parallel: usize,
}

/// Options of `storm`.
#[derive(ClapArgs, Serialize)]
pub struct StormArgs {
    /// Connections that are cut and come back.
    #[arg(long, default_value_t = 10_000, value_parser = connections)]
    pub connections: usize,
    /// Handshakes under way at the same time while they come back.
    #[arg(long, default_value_t = 2_000, value_parser = connections)]
    pub parallel: usize,
}

/// Options of `echo`.
#[derive(ClapArgs, Serialize)]
pub struct EchoArgs {
    /// Connections, each with one message under way.
    #[arg(long, default_value_t = 1, value_parser = connections)]
    pub connections: usize,
    /// Length of the measurement.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub seconds: u64,
}

/// Options of `stuck`.
#[derive(ClapArgs, Serialize)]
pub struct StuckArgs {
    /// Receivers; the first one is also the publisher.
    #[arg(long, default_value_t = 200, value_parser = connections)]
    pub receivers: usize,
    /// Those of them that stop reading.
    #[arg(long, default_value_t = 20, value_parser = connections)]
    pub stuck: usize,
    /// Messages per second.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub rate: u64,
    /// Length of each of the two measurements, calm and with the stuck ones.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub seconds: u64,
}

fn connections(text: &str) -> Result<usize, String> {
    bounded(text, 1, CONNECTIONS_MAX)
}

fn channels(text: &str) -> Result<usize, String> {
    bounded(text, 2, 1_000)
}

fn payload_bytes(text: &str) -> Result<usize, String> {
    bounded(text, mark::PAYLOAD_BYTES_MIN as i64, 1024 * 1024)
}

fn bounded(text: &str, least: i64, most: i64) -> Result<usize, String> {
    match text.parse::<i64>() {
        Ok(value) if (least..=most).contains(&value) => usize::try_from(value).map_err(|error| error.to_string()),
        _ => Err(format!("{text} is not a number from {least} to {most}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_beyond_their_limits_are_refused() {
        let base = ["loadgen", "--target", "127.0.0.1:1", "--server-pid", "1"];
        let parses = |rest: &[&str]| Args::try_parse_from(base.iter().chain(rest)).is_ok();
        assert!(parses(&["idle", "--connections", "18000"]));
        assert!(!parses(&["idle", "--connections", "18001"]));
        assert!(!parses(&["channels", "--channels", "1001"]) && parses(&["channels", "--own"]));
        assert!(!parses(&["fanout", "--seconds", "61"]));
        assert!(!parses(&["--payload-bytes", "10", "fanout"]));
        assert!(!parses(&["--target", "192.0.2.1:1", "fanout"]));
    }
}
