//! A server for one test, on ports, a database and a secret of its own.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use super::log::{Log, says};
use super::metrics::Metrics;
use super::process::{Process, program};
use super::token::SECRET;
use super::{http, token};

/// The example that the project ships.
pub(crate) const SHIP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/ship.toml");

/// What a test needs in place of the example's fixed ports and stored key.
const OWN: &str = r#"
[server]
listen = "127.0.0.1:0"
operations_listen = "127.0.0.1:0"
drain_not_ready = "0s"
drain_spread = "0s"

[log]
format = "json"
level = "debug"
"#;

/// How a server is to be started.
pub(crate) struct Setup {
    folder: Arc<TempDir>,
    files: Vec<PathBuf>,
    environment: Vec<(String, String)>,
    dev: bool,
}

/// A server that listens.
pub(crate) struct Server {
    /// Where clients come in.
    pub(crate) address: SocketAddr,
    /// Where metrics and health are.
    pub(crate) operations: SocketAddr,
    pub(crate) process: Process,
    _folder: Arc<TempDir>,
}

impl Setup {
    /// The shipped example.
    pub(crate) fn ship() -> Self {
        Self::of(&fs::read_to_string(SHIP).expect("the example is in the repository"))
    }

    /// `text` in the place of the shipped example.
    pub(crate) fn of(text: &str) -> Self {
        Self::outside(text).over(&format!("[tokens]\nsigning = \"hs256\"\nsecret = \"{SECRET}\"\n"))
    }

    /// `text`, which names its secrets itself; see [`variable`](Self::variable).
    pub(crate) fn outside(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let database = folder.path().join("lychgate.db");
        let place = format!("\n[database]\nurl = \"sqlite:{}\"\n", database.display());
        Self { folder: Arc::new(folder), files: Vec::new(), environment: Vec::new(), dev: false }
            .over(text)
            .over(&format!("{OWN}{place}"))
    }

    /// The built-in development server.
    pub(crate) fn dev() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        Self { folder: Arc::new(folder), files: Vec::new(), environment: Vec::new(), dev: true }
    }

    /// Lays a few keys over what is there already.
    pub(crate) fn over(mut self, text: &str) -> Self {
        let file = self.folder.path().join(format!("{}.toml", self.files.len()));
        fs::write(&file, text).expect("the folder is ours");
        self.files.push(file);
        self
    }

    /// Sets a variable of the environment, for the server and for commands.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes an account, as an operator does.
    pub(crate) fn user(self, name: &str, password: &str) -> Self {
        self.account(name, password, &[])
    }

    /// Makes an account that may not log in.
    pub(crate) fn disabled_user(self, name: &str, password: &str) -> Self {
        self.account(name, password, &["--disabled"])
    }

    /// Makes an account with more arguments of `user add`.
    pub(crate) fn account(self, name: &str, password: &str, more: &[&str]) -> Self {
        self.with_password(&[&["user", "add", name, "--password-stdin"], more].concat(), password);
        self
    }

    /// Gives an account another password.
    pub(crate) fn passwd(&self, name: &str, password: &str) {
        self.with_password(&["user", "passwd", name, "--password-stdin"], password);
    }

    fn with_password(&self, arguments: &[&str], password: &str) {
        let mut command = program();
        command.args(arguments);
        self.name_files(&mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program was built with the tests");
        let mut stdin = child.stdin.take().expect("standard input is a pipe");
        writeln!(stdin, "{password}").expect("the command reads the password");
        drop(stdin);
        let output = child.wait_with_output().expect("the command ends");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {text}");
    }

    /// Sets attributes of an account, each as `NAME=VALUE`.
    pub(crate) fn set(self, name: &str, changes: &[&str]) -> Self {
        let mut command = program();
        command.args(["user", "set", name]).args(changes);
        self.name_files(&mut command);
        let output = command.output().expect("the command ends");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "user set {name}: {text}");
        self
    }

    /// Runs another command, as an operator does; gives what it prints.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let mut command = program();
        command.args(arguments);
        self.name_files(&mut command);
        let output = command.output().expect("the command ends");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {text}");
        String::from_utf8(output.stdout).expect("it prints text")
    }

    /// Starts the process and waits for nothing.
    pub(crate) fn launch(&self) -> Process {
        let mut command = program();
        command.arg("serve");
        if self.dev {
            command.arg("--dev");
            for (key, value) in [("SERVER__LISTEN", "127.0.0.1:0"), ("SERVER__OPERATIONS_LISTEN", "127.0.0.1:0")] {
                command.env(format!("LYCHGATE__{key}"), value);
            }
            command.env("LYCHGATE__LOG__FORMAT", "json");
        }
        self.name_files(&mut command);
        Process::start(command)
    }

    /// Starts the server and waits until it listens.
    pub(crate) async fn start(self) -> Server {
        let (server, _) = self.start_and_keep().await;
        server
    }

    /// The same, for a test that starts another one with the same files.
    pub(crate) async fn start_and_keep(self) -> (Server, Self) {
        let process = self.launch();
        // The last line of all; by then the public address has been told.
        let operations = listening(&process.log, "listening for operations").await;
        let address = listening(&process.log, "listening").await;
        (Server { address, operations, process, _folder: Arc::clone(&self.folder) }, self)
    }

    pub(crate) fn name_files(&self, command: &mut Command) {
        for file in &self.files {
            command.arg("--config").arg(file);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
    }
}

impl Server {
    pub(crate) fn log(&self) -> &Log {
        &self.process.log
    }

    /// The counters as they stand.
    pub(crate) async fn metrics(&self) -> Metrics {
        Metrics::parse(http::get(self.operations, "/metrics").await.text())
    }

    /// Where the endpoint `path` takes the token of `sub`.
    pub(crate) fn at(path: &str, sub: &str) -> String {
        format!("{path}?token={}", token::own(sub))
    }

    /// How many descriptors the process has open.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process.id())).expect("the process runs").count()
    }

    /// How many of them are sockets.
    pub(crate) fn sockets(&self) -> usize {
        let all = fs::read_dir(format!("/proc/{}/fd", self.process.id())).expect("the process runs");
        // One that is closed meanwhile is none any more.
        let places = all.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        places.filter(|place| place.to_string_lossy().starts_with("socket:")).count()
    }

    /// The memory of the process in KiB, by its name in `/proc`: `VmRSS` or `VmSize`.
    pub(crate) fn memory_kib(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("the process runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB")).expect("a line with a number");
        number.trim().parse().expect("a number")
    }
}

async fn listening(log: &Log, message: &str) -> SocketAddr {
    let line = log.wait_for(message, |line| says(line, message)).await;
    let Value::String(address) = &line["address"] else { panic!("{line} names no address") };
    address.parse().expect("an address with a port")
}
