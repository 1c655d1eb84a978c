//! Whether the application lets something go on that would end: a connection, or a subscription.
//!
//! **Invariant:** what was not prolonged in words that can be read is not prolonged.

use lychgate_token::UnixSeconds;
use serde_json::{Map, Value};

use super::access::Member;
use super::bearing::{end, meta};
use super::callback::{Answered, Callback, Way, Wish};
use super::options::{BadOption, text};

/// What the application says of something that would end.
#[derive(Clone, Debug, PartialEq)]
pub enum Renewal {
    /// It goes on.
    Until {
        /// Until then; for ever, if none.
        ends_at: Option<UnixSeconds>,
        /// What others may know of it from now on, as JSON text; as before, if none.
        info: Option<Box<str>>,
        /// What the application is told of the connection from now on, as JSON text; as before, if none.
        meta: Option<Box<str>>,
    },
    /// It ends.
    Over,
    /// The whole connection ends.
    Disconnect {
        /// 4000 to 4999.
        code: u16,
        /// For people.
        reason: String,
    },
    /// There was no answer that can be read. It may be asked again until the end.
    Unanswered,
}

impl Callback {
    /// Asks whether what `wish` is about may go on; see [`ask`](Self::ask).
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have reached the application.
    pub async fn renew(&self, member: &Member, way: Way<'_>, wish: Wish<'_>) -> Renewal {
        match self.ask(member, way, wish).await {
            Answered::Result(result) => read(&result).unwrap_or_else(|fault| {
                tracing::warn!(
                    event = wish.name(),
                    reason = "answer",
                    "an answer of the application cannot be used: {fault}"
                );
                Renewal::Unanswered
            }),
            Answered::Nothing => Renewal::Over,
            Answered::Disconnect { code, reason } => Renewal::Disconnect { code, reason },
            Answered::Error { code, .. } => {
                tracing::warn!(event = wish.name(), reason = "error", code, "the application answers with an error");
                Renewal::Unanswered
            }
            Answered::Failed => Renewal::Unanswered,
        }
    }
}

fn read(result: &Map<String, Value>) -> Result<Renewal, BadOption> {
    match result.get("expired") {
        None | Some(Value::Null | Value::Bool(false)) => {}
        Some(Value::Bool(true)) => return Ok(Renewal::Over),
        Some(_) => return Err(BadOption("expired")),
    }
    Ok(Renewal::Until { ends_at: end(result)?, info: text(result, "info", "b64info")?, meta: meta(result)? })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_said_is_prolonged() {
        let until = |ends_at, info: Option<&str>, meta: Option<&str>| {
            Ok(Renewal::Until { ends_at, info: info.map(Into::into), meta: meta.map(Into::into) })
        };
        for (result, wanted) in [
            (json!({ "expired": true, "expire_at": 9 }), Ok(Renewal::Over)),
            (json!({ "expired": false, "expire_at": 9 }), until(Some(9), None, None)),
            (json!({}), until(None, None, None)),
            (json!({ "expire_at": 0, "info": 1, "meta": {} }), until(None, Some("1"), Some("{}"))),
            (json!({ "expire_at": "9" }), Err(BadOption("expire_at"))),
            (json!({ "expired": "yes" }), Err(BadOption("expired"))),
            (json!({ "b64info": "?" }), Err(BadOption("b64info"))),
        ] {
            assert_eq!(read(result.as_object().unwrap()), wanted, "{result}");
        }
    }
}
