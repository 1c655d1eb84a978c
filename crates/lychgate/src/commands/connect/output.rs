//! What `connect` shows: lines for people, or one JSON object per event for programs.

use http::StatusCode;
use lychgate_protocol::ws::CloseCode;
use serde_json::{Value, json};

use super::super::terminal::{complain, harmless, is_output_a_terminal, say};
use super::outcome::{End, advice, explain_http};
use super::target::Target;

/// Where events go.
pub(super) struct Output {
    is_json: bool,
    is_terminal: bool,
}

impl Output {
    pub(super) fn new(is_json: bool) -> Self {
        Self { is_json, is_terminal: is_output_a_terminal() }
    }

    pub(super) fn opened(&self, target: &Target, is_talk: bool) -> anyhow::Result<()> {
        if self.is_json {
            return self.event(&json!({ "event": "open", "url": target.to_string() }));
        }
        if is_talk {
            complain(&format!("Connected to {target}. Each line is sent; Ctrl-D or Ctrl-C closes."));
        }
        Ok(())
    }

    pub(super) fn text(&self, text: &str) -> anyhow::Result<()> {
        if self.is_json {
            return self.event(&json!({ "event": "message", "text": text }));
        }
        // A program gets every byte; a screen gets no control characters of strangers.
        if self.is_terminal {
            say(&harmless(text))?
        } else {
            say(text)?
        }
        Ok(())
    }

    pub(super) fn binary(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        if self.is_json {
            return self.event(&json!({ "event": "message", "hex": hex }));
        }
        say(&format!("binary, {} bytes: {hex}", bytes.len()))?;
        Ok(())
    }

    pub(super) fn end(&self, end: &End) -> anyhow::Result<()> {
        if self.is_json {
            return self.event(&describe(end));
        }
        match end {
            End::Done => {}
            End::Unanswered { messages: 1 } => {
                complain("lychgate: no answer came in time; --wait sets how long to wait")
            }
            End::Unanswered { messages } => {
                complain(&format!("lychgate: {messages} messages got no answer in time; --wait sets how long to wait"));
            }
            End::Closed { code, reason } => {
                let (meaning, advice) = (CloseCode(*code).meaning(), advice(*code));
                let reason = if reason.is_empty() { String::new() } else { format!(" \"{}\"", harmless(reason)) };
                complain(&format!(
                    "lychgate: the server closed the connection: {code}{reason}\n  {meaning}\n  {advice}"
                ));
            }
            End::Http(status) => {
                complain(&format!(
                    "lychgate: the server refused the connection: HTTP {status}\n  {}",
                    explain_http(*status)
                ));
            }
            End::Lost(why) => complain(&format!("lychgate: {why}")),
        }
        Ok(())
    }

    fn event(&self, event: &Value) -> anyhow::Result<()> {
        Ok(say(&event.to_string())?)
    }
}

fn describe(end: &End) -> Value {
    let exit = end.exit_code();
    match end {
        End::Done => json!({ "event": "close", "by": "client", "code": 1000, "exit": exit }),
        End::Unanswered { messages } => {
            json!({ "event": "close", "by": "client", "code": 1000, "unanswered": messages, "exit": exit })
        }
        End::Closed { code, reason } => json!({
            "event": "close",
            "by": "server",
            "code": code,
            "name": CloseCode(*code).entry().map(|entry| entry.name),
            "reason": reason,
            "meaning": CloseCode(*code).meaning(),
            "advice": advice(*code),
            "exit": exit,
        }),
        End::Http(status) => refused(*status, exit),
        End::Lost(why) => json!({ "event": "lost", "reason": why, "exit": exit }),
    }
}

fn refused(status: StatusCode, exit: u8) -> Value {
    json!({ "event": "refused", "status": status.as_u16(), "meaning": explain_http(status), "exit": exit })
}
