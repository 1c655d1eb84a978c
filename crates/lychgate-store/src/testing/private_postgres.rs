//! A Postgres server of a test's own, from Debian's package `postgresql`.
//!
//! It lies in a temporary folder, listens on a free port of 127.0.0.1, and is gone when it is dropped.
//! Postgres does not run as root: a test that does runs it as the user `postgres`, whom the package makes.
//!
//! **Absent on purpose:** durability. Its data is gone with the test, so nothing is synced.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use tempfile::TempDir;

/// The name of the superuser, and the name of the first database.
const SUPERUSER: &str = "postgres";
/// The password of the superuser.
const PASSWORD: &str = "test-Password-1";
/// Longer than a start takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Where ports are looked for.
const FIRST_PORT: u16 = 15_000;
/// How many there are to look at.
const PORTS: u16 = 16_000;
/// How many of them are tried.
const PORT_TRIES: u32 = 20;

/// A running server, or one that a test has stopped.
pub struct PrivatePostgres {
    folder: TempDir,
    programs: PathBuf,
    user: Option<(u32, u32)>,
    port: u16,
    server: Option<Child>,
}

impl PrivatePostgres {
    /// Makes a server and starts it. The superuser is `postgres`, and so is the one database.
    ///
    /// # Panics
    ///
    /// Panics when Postgres is not installed or does not start; a server that cannot be had fails the test.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("there is room for a temporary folder");
        let user = (id("-u") == 0).then(|| (id_of(SUPERUSER, "-u"), id_of(SUPERUSER, "-g")));
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid)).expect("root may give a folder away");
        }
        let mut server = Self { folder, programs: programs(), user, port: 0, server: None };
        let password_file = server.folder.path().join("password");
        fs::write(&password_file, PASSWORD).expect("there is room");
        fs::set_permissions(&password_file, Permissions::from_mode(0o644)).expect("it is ours");
        let mut made = server.command("initdb");
        made.args(["--username", SUPERUSER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"]);
        made.arg("--no-sync").arg("--pwfile").arg(&password_file).arg("--pgdata").arg(server.data());
        let made = made.output().expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        // Between a look at a port and the start somebody else may take it.
        for _ in 0..PORT_TRIES {
            server.port = free_port();
            match server.run() {
                Ok(()) => return server,
                Err(log) if log.contains("could not bind") => {}
                Err(log) => panic!("postgres did not start:\n{log}"),
            }
        }
        panic!("postgres found no free port in {PORT_TRIES} tries");
    }

    /// The URL of the superuser.
    pub fn url(&self) -> String {
        self.url_of(SUPERUSER, PASSWORD)
    }

    /// The URL of a user, with a password that needs no escapes.
    pub fn url_of(&self, user: &str, password: &str) -> String {
        format!("postgres://{user}:{password}@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    /// Ends the server at once, as a crash would.
    ///
    /// # Panics
    ///
    /// Panics when it does not end.
    pub fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let mut stopped = self.command("pg_ctl");
        stopped.args(["stop", "--mode", "immediate", "--pgdata"]).arg(self.data());
        let stopped = stopped.output().expect("pg_ctl runs");
        if !stopped.status.success() {
            // It is our child, and it must not outlive the test.
            let _ = server.kill();
        }
        server.wait().expect("it ends");
    }

    /// Starts the server again, on the same port and with the same data.
    ///
    /// # Panics
    ///
    /// Panics when it does not start.
    pub fn restart(&mut self) {
        self.stop();
        if let Err(log) = self.run() {
            panic!("postgres did not start again:\n{log}");
        }
    }

    /// Runs the server until it takes connections, or says what it said instead.
    fn run(&mut self) -> Result<(), String> {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.folder.path());
        command.args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        command.args(["-c", "max_connections=30", "-c", "shared_buffers=16MB", "-c", "jit=off"]);
        let mut server = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("postgres starts");
        let log = server.stderr.take().expect("its log is a pipe");
        let (tell, told) = sync_channel(1_000);
        std::thread::spawn(move || {
            // Read to the end, so that the server never waits for its log; after the start nobody listens.
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                let _ = tell.try_send(line);
            }
        });
        self.server = Some(server);
        ready(&told).inspect_err(|_| self.stop())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder.path()).stdin(Stdio::null()).env("LC_ALL", "C");
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Waits for the line that says that connections are taken; else what was said instead.
fn ready(told: &Receiver<String>) -> Result<(), String> {
    let mut log = String::new();
    loop {
        match told.recv_timeout(PATIENCE) {
            Ok(line) if line.contains("database system is ready to accept connections") => return Ok(()),
            Ok(line) => log = log + &line + "\n",
            Err(RecvTimeoutError::Timeout) => return Err(log + "(it took too long)"),
            Err(RecvTimeoutError::Disconnected) => return Err(log),
        }
    }
}

/// The folder of the newest server that Debian's packages have installed, or of the one on the path.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let newest = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| folder.join("postgres").is_file())
        .max();
    let on_path = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).find(|folder: &PathBuf| Path::new(folder).join("postgres").is_file())
    };
    newest
        .map(|(_, folder)| folder)
        .or_else(on_path)
        .expect("this test needs Postgres: scripts/setup servers installs the package postgresql")
}

/// A port that nobody listens on, below those that systems give to connections on their way out:
/// such a one could be in use for a moment at a restart.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % u32::from(PORTS)).unwrap_or_default();
    (0..PORTS)
        .map(|_| FIRST_PORT + (first + NEXT.fetch_add(1, Ordering::Relaxed) % PORTS) % PORTS)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("there is a free port")
}

fn id(what: &str) -> u32 {
    number(Command::new("id").arg(what))
}

fn id_of(user: &str, what: &str) -> u32 {
    number(Command::new("id").args([what, user]))
}

fn number(command: &mut Command) -> u32 {
    let output = command.output().expect("id runs");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().unwrap_or_else(|_| panic!("the package postgresql makes the user {SUPERUSER}; there is none"))
}
