//! Shows what a token says, for people who look for a fault.
//!
//! **Absent on purpose:** any word on whether the token is genuine. The type has no field for it, so that nobody can
//! read one.

use serde_json::{Map, Value};

use crate::compact;
use crate::refusal::Refusal;

/// The readable parts of a token of which **nothing is verified**.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// The header, whatever it holds.
    pub header: Map<String, Value>,
    /// The claims, whatever they hold.
    pub claims: Map<String, Value>,
}

/// Takes a token apart without verifying anything.
///
/// The limits and the strictness of the form are the verifier's; its rules for headers and claims are not applied.
///
/// # Errors
///
/// [`Refusal::Missing`] for an empty text and [`Refusal::Malformed`] for one that is not of the compact form.
pub fn inspect(token: &str) -> Result<Inspection, Refusal> {
    let compact = compact::parse(token)?;
    Ok(Inspection { header: compact.header, claims: compact.claims })
}
