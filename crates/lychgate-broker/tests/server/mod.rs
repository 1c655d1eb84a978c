//! A Redis of a test's own, and what is in it.

use std::io::{BufRead, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use redis::aio::MultiplexedConnection;
use secrecy::SecretString;
use tempfile::TempDir;

/// How many free ports are tried, since another program may take one in between.
const PORTS_MAX: usize = 10;

/// A `redis-server` on a free port of this machine, which keeps nothing. Ends with the test.
pub(crate) struct Server {
    child: Option<Child>,
    port: u16,
    password: Option<&'static str>,
    folder: TempDir,
}

impl Server {
    pub(crate) fn start(password: Option<&'static str>) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a temporary folder");
        let mut server = Self { child: None, port: 0, password, folder };
        for _ in 0..PORTS_MAX {
            server.port = free_port();
            if server.try_start() {
                return server;
            }
        }
        panic!("redis-server does not start");
    }

    /// Starts it again where it was.
    pub(crate) fn restart(&mut self) {
        assert!(self.try_start(), "redis-server starts again");
    }

    /// Ends it without a warning.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it runs");
            child.wait().expect("it has ended");
        }
    }

    pub(crate) fn url(&self) -> SecretString {
        self.url_with(self.password)
    }

    pub(crate) fn url_with(&self, password: Option<&str>) -> SecretString {
        let login = password.map(|password| format!(":{password}@")).unwrap_or_default();
        format!("redis://{login}127.0.0.1:{}/0", self.port).into()
    }

    /// A connection that has nothing to do with the code under test.
    pub(crate) async fn look(&self) -> MultiplexedConnection {
        use secrecy::ExposeSecret as _;
        let client = redis::Client::open(self.url().expose_secret()).expect("it is a URL");
        client.get_multiplexed_async_connection().await.expect("the server is there")
    }

    /// Starts the program and waits until it says that it is ready; `false` if it ends instead.
    fn try_start(&mut self) -> bool {
        let mut command = Command::new("redis-server");
        let port = self.port.to_string();
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]);
        command.arg(self.folder.path()).args(self.password.iter().flat_map(|password| ["--requirepass", password]));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("redis-server is installed (Debian's package redis-server)");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        while output.read_line(&mut line).expect("it speaks") > 0 {
            if line.contains("Ready to accept connections") {
                // Whatever else it says must not fill the pipe.
                std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
                self.child = Some(child);
                return true;
            }
            line.clear();
        }
        child.wait().expect("it has ended");
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
    listener.local_addr().expect("it has an address").port()
}
