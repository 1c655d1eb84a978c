//! What a name means, found out at start, so that rendering compares no text.

/// What a name in a template means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    UserId,
    UserName,
    UserEmail,
    UserSubject,
    UserAuthenticated,
    NowIso,
    NowUnix,
    NowMs,
    Uuid,
    ConnectionId,
    StoredId,
    StoredAtIso,
    StoredAtUnix,
    StoredReactions,
    Status,
    Chunk,
    ErrorMessage,
    ErrorCode,
    /// Keys within the client's frame.
    Inbound(Box<[Box<str>]>),
    /// Keys within what was said of the resource.
    Resource(Box<[Box<str>]>),
    /// A parameter of the request, or what the caller gives under this name.
    Given(Box<str>),
}

impl Meaning {
    pub(super) fn of(name: &str) -> Self {
        let below = |root: &str| -> Option<Box<[Box<str>]>> {
            let rest = name.strip_prefix(root)?;
            let is_whole = rest.is_empty() || rest.starts_with('.');
            is_whole.then(|| rest.split('.').skip(1).map(Box::from).collect())
        };
        match name {
            "user.id" => Self::UserId,
            "user.name" => Self::UserName,
            "user.email" => Self::UserEmail,
            "user.subject" => Self::UserSubject,
            "user.authenticated" => Self::UserAuthenticated,
            "now.iso" => Self::NowIso,
            "now.unix" => Self::NowUnix,
            "now.ms" => Self::NowMs,
            "uuid" => Self::Uuid,
            "conn.id" => Self::ConnectionId,
            "stored.id" => Self::StoredId,
            "stored.at.iso" => Self::StoredAtIso,
            "stored.at.unix" => Self::StoredAtUnix,
            "stored.reactions" => Self::StoredReactions,
            "status" => Self::Status,
            "chunk" => Self::Chunk,
            "error.message" => Self::ErrorMessage,
            "error.code" => Self::ErrorCode,
            _ => match (below("in"), below("resource")) {
                (Some(keys), _) => Self::Inbound(keys),
                (_, Some(keys)) => Self::Resource(keys),
                _ => Self::Given(name.into()),
            },
        }
    }
}
