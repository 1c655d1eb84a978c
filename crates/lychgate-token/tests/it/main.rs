//! The crate as its callers see it: golden tokens, hostile tokens, keys, minting and redaction.

mod claims;
mod form;
mod golden;
mod golden_cases;
mod headers;
mod keys;
mod mint;
mod mutation;
mod profiles;
mod redaction;
mod support;
