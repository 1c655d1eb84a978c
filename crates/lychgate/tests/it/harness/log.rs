//! What the process wrote to its standard error, line by line as it comes.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;
use tokio::sync::Notify;

use super::wait::{PATIENCE, within};

/// The log so far; clones see the same lines.
#[derive(Clone)]
pub(crate) struct Log(Arc<Shared>);

struct Shared {
    lines: Mutex<Lines>,
    grown: Notify,
}

#[derive(Default)]
struct Lines {
    all: Vec<String>,
    ended: bool,
}

impl Log {
    /// Collects the lines of `source` until it ends.
    pub(crate) fn of(source: impl Read + Send + 'static) -> Self {
        let log = Self(Arc::new(Shared { lines: Mutex::default(), grown: Notify::new() }));
        let writer = log.clone();
        thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while source.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                writer.change(|lines| lines.all.push(text));
                line.clear();
            }
            writer.change(|lines| lines.ended = true);
        });
        log
    }

    /// Everything so far.
    pub(crate) fn text(&self) -> String {
        self.look(|lines| lines.all.join("\n"))
    }

    /// The JSON lines so far for which `wanted` holds.
    pub(crate) fn lines(&self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let parse = |line: &String| serde_json::from_str(line).ok();
        self.look(|lines| lines.all.iter().filter_map(parse).filter(|line| wanted(line)).collect())
    }

    /// Waits for a line that holds `text`, JSON or not.
    pub(crate) async fn wait_for_text(&self, text: &str) {
        within(text, async {
            loop {
                let grown = self.0.grown.notified();
                if self.text().contains(text) {
                    return;
                }
                grown.await;
            }
        })
        .await;
    }

    /// The first line for which `wanted` holds, as soon as it is there.
    pub(crate) async fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let search = async {
            loop {
                // Made before looking, so that a line written in between is not missed.
                let grown = self.0.grown.notified();
                if let Some(line) = self.lines(&wanted).into_iter().next() {
                    return Ok(line);
                }
                if self.look(|lines| lines.ended) {
                    return Err("the process ended");
                }
                grown.await;
            }
        };
        match tokio::time::timeout(PATIENCE, search).await.unwrap_or(Err("nothing came")) {
            Ok(line) => line,
            Err(why) => panic!("no log line: {what} ({why}). The log:\n{}", self.text()),
        }
    }

    /// The lines for which `wanted` holds, as soon as there are `count` of them.
    pub(crate) async fn wait_for_lines(&self, what: &str, count: usize, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        within(what, async {
            loop {
                let grown = self.0.grown.notified();
                let lines = self.lines(&wanted);
                if lines.len() >= count {
                    return lines;
                }
                grown.await;
            }
        })
        .await
    }

    /// Waits until the process has closed its standard error, after which nothing more will come.
    pub(crate) async fn ended(&self) {
        within("the end of the log", async {
            loop {
                let grown = self.0.grown.notified();
                if self.look(|lines| lines.ended) {
                    return;
                }
                grown.await;
            }
        })
        .await;
    }

    /// Ends the test if the log holds `secret`, or one of the parts that a token has.
    pub(crate) fn never_holds(&self, secret: &str) {
        for part in secret.split('.').filter(|part| part.len() >= 16).chain([secret]) {
            let found = self.look(|lines| lines.all.iter().find(|line| line.contains(part)).cloned());
            assert_eq!(found, None, "the log holds {part:?}");
        }
    }

    fn look<T>(&self, look: impl FnOnce(&Lines) -> T) -> T {
        look(&self.0.lines.lock().expect("no reader panics with the lock held"))
    }

    fn change(&self, change: impl FnOnce(&mut Lines)) {
        change(&mut self.0.lines.lock().expect("no reader panics with the lock held"));
        self.0.grown.notify_waiters();
    }
}

/// Whether `line` says `message`.
pub(crate) fn says(line: &Value, message: &str) -> bool {
    line["message"] == message
}
