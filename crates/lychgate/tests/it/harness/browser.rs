//! A page in Chromium, which posts back what it saw.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::process::Process;

/// A browser that has never run before takes its time.
const PATIENCE: Duration = Duration::from_secs(90);

const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
];

/// What `steps`, the body of an asynchronous function, returns when a page runs it.
pub(crate) async fn in_browser(steps: &str) -> Value {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let web = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let mut command = Command::new("chromium");
    command.args(ARGUMENTS).arg(format!("--user-data-dir={}", folder.path().join("profile").display()));
    command.arg(format!("http://{}/", web.local_addr().expect("it listens"))).stdin(Stdio::null());
    command.env("HOME", folder.path());
    let browser = Process::start(command);
    let Ok(result) = timeout(PATIENCE, serve(&web, &page(steps))).await else {
        panic!("the page gave no result in {PATIENCE:?}; Chromium wrote:\n{}", browser.log.text());
    };
    drop(browser);
    let _ = fs::remove_dir_all(folder.path());
    assert!(result["fault"].is_null(), "the page says: {}", result["fault"]);
    result
}

fn page(steps: &str) -> String {
    format!(
        "<!doctype html><meta charset=\"utf-8\"><title>test</title><script>
         const within = (ms, what, promise) => Promise.race([
           promise,
           new Promise((_, reject) => setTimeout(() => reject(new Error(\"nothing within \" + ms + \" ms: \" + what)), ms)),
         ]);
         const steps = async () => {{ {steps} }};
         steps()
           .catch((fault) => ({{ fault: String(fault) }}))
           .then((result) => fetch(\"/result\", {{ method: \"POST\", body: JSON.stringify(result) }}));
         </script>"
    )
}

/// Gives the page to whoever asks, until the result is posted.
async fn serve(web: &TcpListener, page: &str) -> Value {
    let mut requests = JoinSet::new();
    loop {
        tokio::select! {
            accepted = web.accept() => {
                let (stream, _) = accepted.expect("a connection");
                requests.spawn(answer(stream, page.to_owned()));
            }
            Some(answered) = requests.join_next() => {
                if let Some(result) = answered.expect("a request is answered") {
                    return result;
                }
            }
        }
    }
}

/// Answers one request; the result, if it was that. A browser opens connections that it may never have use for.
async fn answer(mut stream: TcpStream, page: String) -> Option<Value> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return None;
        }
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8_lossy(&bytes).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
    while body.len() < length && stream.read_buf(&mut body).await.unwrap_or(0) > 0 {}
    let content = if head.starts_with("get / ") { page } else { String::new() };
    let length = content.len();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\nconnection: close\r\ncontent-length:";
    let _ = stream.write_all(format!("{head} {length}\r\n\r\n{content}").as_bytes()).await;
    bytes.starts_with(b"POST ").then(|| serde_json::from_slice(&body).expect("a result is JSON"))
}
