//! Runs the server from start to stop.
//!
//! The first signal (SIGTERM or Ctrl-C) asks for an orderly end, the second one cuts it short.

use std::io::IsTerminal as _;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use lychgate_gateway::Gateway;
use lychgate_service::accounts::LoginField;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing_subscriber::filter::LevelFilter;

use crate::config::{self, Config, EndpointKind, LogFormat, LogLevel, LoginBody};
use crate::wiring::{self, Server};

/// Serves until told to stop.
///
/// # Errors
///
/// Everything that keeps the server from starting, a line each.
pub fn serve(config: Config) -> anyhow::Result<()> {
    start_logging(&config);
    raise_descriptor_limit();
    let runtime = runtime(wiring::workers(&config)).context("cannot start the worker threads")?;
    runtime.block_on(run(Arc::new(config)))
}

/// One worker needs nobody to share its work with, and so no scheduler that could: about a tenth less per message.
fn runtime(workers: usize) -> std::io::Result<Runtime> {
    let mut builder = if workers == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    if workers > 1 {
        builder.worker_threads(workers);
    }
    builder.thread_name("lychgate").enable_all().build()
}

async fn run(config: Arc<Config>) -> anyhow::Result<()> {
    let Server { gateway, listeners, operations, writers, store } = match wiring::build(&config).await {
        Ok(server) => server,
        Err(faults) => bail!("the server cannot start:\n\n{}", faults.join("\n\n")),
    };
    announce(&config, &listeners, operations.as_ref());
    let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
    let tasks = TaskTracker::new();
    tasks.spawn(watch_signals(soft.clone(), hard.clone()));
    serve_until_stopped(gateway, listeners, operations, &soft, &hard).await;
    let closed = async {
        writers.stop().await;
        store.close().await;
    };
    if timeout(wiring::CLOSE_WAIT, closed).await.is_err() {
        tracing::warn!("the database is still busy; what was acknowledged is on disk");
    }
    Ok(())
}

async fn serve_until_stopped(
    gateway: Gateway,
    listeners: Vec<TcpListener>,
    operations: Option<TcpListener>,
    soft: &CancellationToken,
    hard: &CancellationToken,
) {
    gateway.serve(listeners, operations, soft.clone(), hard.clone()).await;
}

/// One signal after the other: the first asks, the second cuts.
async fn watch_signals(soft: CancellationToken, hard: CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("cannot listen for signals: only SIGKILL will stop this server");
        return;
    };
    for stop in [soft, hard] {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    }
}

/// The lines that tell programs and people where the server is.
fn announce(config: &Config, listeners: &[TcpListener], operations: Option<&TcpListener>) {
    for listener in listeners {
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "listening");
        }
    }
    if let Some(Ok(address)) = operations.map(TcpListener::local_addr) {
        tracing::info!(%address, "listening for operations");
    }
    if config.dev
        && let Some(Ok(address)) = listeners.first().map(TcpListener::local_addr)
    {
        show_dev_welcome(config, &address.to_string());
    }
}

#[expect(clippy::print_stderr, reason = "a development server speaks to the person who started it")]
fn show_dev_welcome(config: &Config, address: &str) {
    let (user, password) = wiring::DEV_USER;
    // The simplest that can be entered.
    let open = config.endpoints.values().filter(|endpoint| endpoint.settings.kind != EndpointKind::Gone);
    let simplest = open.min_by_key(|endpoint| endpoint.settings.path.slots().len());
    let endpoint = simplest.map_or("/ws", |endpoint| endpoint.settings.path.route());
    let by_name = config.login.identify_by.iter().any(|by| by.0 == LoginField::Name);
    let (who, field) = (if by_name { user } else { wiring::DEV_EMAIL }, &config.login.field);
    let is_json = config.login.body == LoginBody::Json;
    let body = if is_json {
        format!("-H 'Content-Type: application/json' -d '{{\"{field}\": \"{who}\", \"password\": \"{password}\"}}'")
    } else {
        format!("-d '{field}={who}&password={password}'")
    };
    let mut credential = format!("--user {who}");
    for (flag, value, usual) in [("path", config.login.path.as_str(), "/token"), ("field", field, "username")] {
        if value != usual {
            credential.push_str(&format!(" --login-{flag} {value}"));
        }
    }
    if is_json {
        credential.push_str(" --login-json");
    }
    // As it was started, so that the line can be copied.
    let program = std::env::args().next().unwrap_or_else(|| "lychgate".to_owned());
    eprintln!(
        "
  Lychgate {version} in development mode: this machine alone, nothing is kept.

  User \"{user}\", password \"{password}\". Try it from two other terminals:

      {program} connect ws://{address}{endpoint} {credential}

  or by hand:

      curl {body} http://{address}{login}
      curl http://{address}{test_token}

  Ctrl-C stops it.
",
        version = env!("CARGO_PKG_VERSION"),
        login = config.login.path,
        test_token = config::TEST_TOKEN_PATH,
    );
}

fn start_logging(config: &Config) {
    let level = match config.log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let builder = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    // A subscriber that is there already belongs to a test, and is as good.
    let _ = match config.log.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
}

/// As many descriptors as the system lets the process have; `limits.connections_max` was checked against that.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(cause = %error, "cannot raise the descriptor limit");
    }
}
