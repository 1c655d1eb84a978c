//! What a verified credential has proved, in the few words that the gate goes by.
//!
//! A token proves it, and so does a ticket that stands in for one, and so does the application's own answer to the question
//! who connects, over a call that it knows by its signature.

use lychgate_token::{Claims, PayloadFault, UnixSeconds, is_subject};
use serde_json::{Map, Value, json};

use crate::channels::{BEARING_CLAIMS, BadOption, Bearing, Vouch};
use crate::grants::{self, Grants};
use crate::revocations::Marks;

/// The claims by which tokens call their user, the first one that is there.
const NAME_CLAIMS: [&str; 3] = ["username", "preferred_username", "name"];

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
    /// Whether it speaks of one channel, and so not of who connects.
    pub is_for_a_channel: bool,
    /// Whether it is the application's own word.
    pub is_of_application: bool,
    /// By what it can be revoked.
    pub marks: Marks,
    /// What it says of grants and of the connection, as it was written.
    written: Map<String, Value>,
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
            is_for_a_channel: Vouch::is_vouch(claims),
            is_of_application: false,
            marks: Marks::of(claims),
            written: written(&claims.extra),
        }
    }

    /// What the application says of who connects, in the fields of its answer; as of `now_s`; whom it names may be nobody: `""`.
    ///
    /// # Errors
    ///
    /// [`PayloadFault`] names the field that cannot be read.
    pub fn of_application(fields: &Map<String, Value>, now_s: UnixSeconds) -> Result<Self, PayloadFault> {
        let subject = match fields.get("user") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(user)) if user.is_empty() || is_subject(user) => user.clone(),
            Some(_) => return Err(PayloadFault::ClaimShape("user")),
        };
        let mut written = written(fields);
        let data =
            ["data", "b64data"].into_iter().filter_map(|name| Some((name.to_owned(), fields.get(name)?.clone())));
        written.extend(data);
        let exp = match written.remove("expire_at") {
            None => None,
            Some(at) => Some(at.as_u64().ok_or(PayloadFault::ClaimShape("expire_at"))?).filter(|at| *at > 0),
        };
        let grants = Grants::of_claims(&written);
        let marks = Marks { issued_at_s: Some(now_s), ..Marks::default() };
        Ok(Self { subject, name: None, exp, grants, is_for_a_channel: false, is_of_application: true, marks, written })
    }

    /// What it says of the connection.
    ///
    /// # Errors
    ///
    /// [`BadOption`] names what cannot be read.
    pub fn bearing(&self) -> Result<Bearing, BadOption> {
        Bearing::read(&self.written)
    }

    /// What is left of a proof once its token is gone: whom it was about.
    #[must_use]
    pub(crate) fn of_subject(subject: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            name: None,
            exp: None,
            grants: Grants::default(),
            is_for_a_channel: false,
            is_of_application: false,
            marks: Marks::default(),
            written: Map::new(),
        }
    }

    /// As JSON text that [`from_json`](Self::from_json) reads.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut fields = self.written.clone();
        let own = [
            ("sub", json!(self.subject)),
            ("name", json!(self.name)),
            ("exp", json!(self.exp)),
            ("jti", json!(self.marks.token)),
            ("sid", json!(self.marks.session)),
            ("iat", json!(self.marks.issued_at_s)),
        ];
        fields.extend(own.map(|(key, value)| (key.to_owned(), value)));
        Value::Object(fields).to_string()
    }

    /// From what [`to_json`](Self::to_json) wrote; `None` for anything else.
    #[must_use]
    pub fn from_json(text: &str) -> Option<Self> {
        let fields: Map<String, Value> = serde_json::from_str(text).ok()?;
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
            is_of_application: false,
            marks,
            written: written(&fields),
        })
    }
}

/// What is kept as it was written.
fn written(fields: &Map<String, Value>) -> Map<String, Value> {
    let names = BEARING_CLAIMS.into_iter().chain([grants::CLAIM]);
    let found = names.filter_map(|name| Some((name.to_owned(), fields.get(name)?.clone())));
    found.filter(|(_, value)| !value.is_null()).collect()
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
                is_for_a_channel: false,
                is_of_application: false,
                marks: Marks { token: exp.map(|_| "t".into()), session: exp.map(|_| "s".into()), issued_at_s: exp },
                written: written(
                    json!({ "caps": caps, "info": { "colour": "red" }, "channels": ["a"] }).as_object().unwrap(),
                ),
            };
            assert_eq!(Proof::from_json(&proof.to_json()), Some(proof));
        }
        for text in ["", "7", "{}", r#"{"sub":7}"#, r#"{"sub":"a","exp":"soon"}"#] {
            assert_eq!(Proof::from_json(text), None, "{text}");
        }
    }
}
