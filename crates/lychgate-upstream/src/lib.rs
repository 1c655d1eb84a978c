//! The only outbound HTTP: texts from language models, calls to the application.
//!
//! An adapter here speaks to one configured address. Nothing that a visitor sends chooses where a request goes:
//! there are no redirects, no proxies from the environment, and no cookies.
//!
//! **Invariant:** a request costs bounded memory and bounded time, whatever the other side sends or keeps back.
//!
//! **Absent on purpose:** decisions. What a refusal looks like and who watches a text is said in the layers below.

pub mod callback;
mod client;
pub mod models;
pub mod remembered;
pub mod rights;

pub use client::SettingsFault;
