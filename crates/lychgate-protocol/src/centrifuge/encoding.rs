//! Which of the two encodings a connection speaks.

/// How commands and replies are written on one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// JSON objects with newlines between them, in text frames.
    #[default]
    Json,
    /// Protobuf messages with their lengths in front, in binary frames.
    Protobuf,
}

impl Encoding {
    /// Both, in the order in which a server prefers them.
    pub const ALL: [Self; 2] = [Self::Json, Self::Protobuf];

    /// The name in `Sec-WebSocket-Protocol`.
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "centrifuge-json",
            Self::Protobuf => "centrifuge-protobuf",
        }
    }

    /// The encoding that a client asks for by one name of its `Sec-WebSocket-Protocol`; names are case-sensitive.
    pub fn from_subprotocol(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.subprotocol() == name)
    }

    /// The encoding that a client asks for by one parameter of its query; every other parameter says nothing.
    ///
    /// ```
    /// use lychgate_protocol::centrifuge::Encoding;
    ///
    /// assert_eq!(Encoding::from_query("format", "protobuf"), Some(Encoding::Protobuf));
    /// assert_eq!(Encoding::from_query("cf_protocol_version", "v2"), None);
    /// ```
    pub fn from_query(name: &str, value: &str) -> Option<Self> {
        match (name, value) {
            ("cf_protocol" | "format", "protobuf") => Some(Self::Protobuf),
            ("cf_protocol" | "format", "json") => Some(Self::Json),
            _ => None,
        }
    }

    /// The word for logs and for callbacks to an application.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Protobuf => "protobuf",
        }
    }

    /// Whether a server sends it in binary frames; a client's commands are taken from either kind of frame.
    pub const fn is_binary(self) -> bool {
        matches!(self, Self::Protobuf)
    }
}
