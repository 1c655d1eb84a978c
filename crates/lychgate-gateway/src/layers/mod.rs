//! What a request meets before its route: who is calling, from which page, and which id it has.

pub mod address;
pub mod bearer;
pub mod origin;
pub mod request_id;
