//! What a verified credential has proved, in the few words that the gate goes by.
//!
//! A token proves it, and so does a ticket that stands in for one.

use lychgate_token::Claims;
use serde_json::{Map, Value, json};

use crate::channels::Vouch;
use crate::grants::{self, Grants};
use crate::revocations::Marks;

/// The claims by which tokens call their user, the first one that is there.
const NAME_CLAIMS: [&str; 3] = ["username", "preferred_username", "name"];

/// The claim that says what others may know of a connection.
const INFO_CLAIM: &str = "info";

/// The proven word of an issuer.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof {
    /// Whom it is about.
    pub subject: String,
    /// What they are called.
    pub name: Option<String>,
    /// When it ends, in Unix seconds; never, if none.
    pub exp: Option<u64>,
    /// What it grants.
    pub grants: Grants,
    /// What others may know of the connection.
    pub info: Option<Value>,
    /// Whether it speaks of one channel, and so not of who connects.
    pub is_for_a_channel: bool,
    /// By what it can be revoked.
    pub marks: Marks,
    /// The grants as they were written, for a ticket.
    caps: Option<Value>,
}

impl Proof {
    /// What a verified token says.
    #[must_use]
    pub fn of_claims(claims: &Claims) -> Self {
        let text = |claim: &&str| claims.extra.get(*claim).and_then(Value::as_str).filter(|name| is_name(name));
        Self {
            subject: claims.sub.clone(),
            name: NAME_CLAIMS.iter().find_map(text).map(str::to_owned),
            exp: claims.exp,
            grants: Grants::of_claims(&claims.extra),
            info: claims.extra.get(INFO_CLAIM).cloned(),
            is_for_a_channel: Vouch::is_vouch(claims),
            marks: Marks::of(claims),
            caps: claims.extra.get(grants::CLAIM).cloned(),
        }
    }

    /// What is left of a proof once its token is gone: whom it was about.
    #[must_use]
    pub(crate) fn of_subject(subject: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            name: None,
            exp: None,
            grants: Grants::default(),
            info: None,
            is_for_a_channel: false,
            marks: Marks::default(),
            caps: None,
        }
    }

    /// As JSON text that [`from_json`](Self::from_json) reads.
    #[must_use]
    pub fn to_json(&self) -> String {
        json!({
            "sub": self.subject,
            "name": self.name,
            "exp": self.exp,
            "jti": self.marks.token,
            "sid": self.marks.session,
            "iat": self.marks.issued_at_s,
            INFO_CLAIM: self.info,
            grants::CLAIM: self.caps,
        })
        .to_string()
    }

    /// From what [`to_json`](Self::to_json) wrote; `None` for anything else.
    #[must_use]
    pub fn from_json(text: &str) -> Option<Self> {
        let mut fields: Map<String, Value> = serde_json::from_str(text).ok()?;
        let grants = Grants::of_claims(&fields);
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(Into::into);
        let marks =
            Marks { token: text("jti"), session: text("sid"), issued_at_s: fields.get("iat").and_then(Value::as_u64) };
        Some(Self {
            subject: fields.get("sub")?.as_str()?.to_owned(),
            name: fields.get("name").and_then(Value::as_str).map(str::to_owned),
            exp: match fields.get("exp") {
                None | Some(Value::Null) => None,
                Some(exp) => Some(exp.as_u64()?),
            },
            grants,
            is_for_a_channel: false,
            marks,
            info: fields.remove(INFO_CLAIM).filter(|info| !info.is_null()),
            caps: fields.remove(grants::CLAIM).filter(|caps| !caps.is_null()),
        })
    }
}

/// What can be shown as a name: 1 to 255 bytes without control characters.
fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_outlives_its_journey_through_text() {
        let caps = json!([{ "channels": ["a"], "allow": ["sub"] }]);
        let claims = json!({ "caps": caps });
        for (name, exp, caps) in [(Some("Ann"), Some(7), Some(caps)), (None, None, None)] {
            let proof = Proof {
                subject: "ann".to_owned(),
                name: name.map(str::to_owned),
                exp,
                grants: caps.as_ref().map_or_else(Grants::default, |_| Grants::of_claims(claims.as_object().unwrap())),
                info: exp.map(|_| json!({ "colour": "red" })),
                is_for_a_channel: false,
                marks: Marks { token: exp.map(|_| "t".into()), session: exp.map(|_| "s".into()), issued_at_s: exp },
                caps,
            };
            assert_eq!(Proof::from_json(&proof.to_json()), Some(proof));
        }
        for text in ["", "7", "{}", r#"{"sub":7}"#, r#"{"sub":"a","exp":"soon"}"#] {
            assert_eq!(Proof::from_json(text), None, "{text}");
        }
    }
}
