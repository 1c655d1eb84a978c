//! Why Redis could not be opened, and what to do about it.

/// Why Redis could not be opened.
///
/// Its text ends with what to do; a program prints it and stops.
/// It shows an address and never the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL names no Redis server.
    #[error(
        "the Redis URL cannot be used: {what}. Write redis://HOST:PORT/DATABASE, with USER:PASSWORD@ before the host if the server asks for it"
    )]
    Url {
        /// What is wrong with it.
        what: &'static str,
    },
    /// Nobody answers there, or not in time.
    #[error("no Redis answers at {address}. Start it, or name another address")]
    Unavailable {
        /// The host and port, or the path of the socket.
        address: String,
        /// The reason.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server answers and does not let us in.
    #[error("the Redis at {address} does not let us in. Check the user and the password in its URL")]
    Refused {
        /// The host and port, or the path of the socket.
        address: String,
        /// The reason.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
