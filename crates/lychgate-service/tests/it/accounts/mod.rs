//! Accounts: who they are, how they log in, and what operators do with them.

mod hashing;
mod import;
mod login;
mod manage;
mod ports;
