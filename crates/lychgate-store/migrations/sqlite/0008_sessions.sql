-- Logins that go on by refresh tokens, and what is taken back before its time.
-- A migration that has been released is never edited; what changes is the next file.

CREATE TABLE sessions (
    -- The claim `sid` of its access tokens.
    sid            TEXT    PRIMARY KEY NOT NULL,
    user_id        INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- Where the login came from.
    address        TEXT    NOT NULL,
    created_at_s   INTEGER NOT NULL CHECK (created_at_s >= 0),
    last_used_at_us INTEGER NOT NULL CHECK (last_used_at_us >= 0),
    ends_at_s      INTEGER NOT NULL CHECK (ends_at_s >= 0),
    -- The end of its newest refresh token; from then on nothing can come of it any more.
    idle_ends_at_s INTEGER NOT NULL CHECK (idle_ends_at_s >= 0),
    ended_at_s     INTEGER CHECK (ended_at_s >= 0),
    ended_by       TEXT,
    CHECK ((ended_at_s IS NULL) = (ended_by IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_user_id ON sessions (user_id, last_used_at_us);
CREATE INDEX sessions_idle_ends_at_s ON sessions (idle_ends_at_s);

CREATE TABLE refresh_tokens (
    -- SHA-256 of the token. The token itself is with its holder alone.
    hash           BLOB    PRIMARY KEY NOT NULL CHECK (length(hash) = 32),
    sid            TEXT    NOT NULL REFERENCES sessions (sid) ON DELETE CASCADE,
    idle_ends_at_s INTEGER NOT NULL CHECK (idle_ends_at_s >= 0),
    -- NULL while it is good.
    used_at_us     INTEGER CHECK (used_at_us >= 0),
    -- The token that came of it.
    heir           BLOB    CHECK (length(heir) = 32),
    -- Whether its answer was given a second time.
    repeated       INTEGER NOT NULL DEFAULT 0 CHECK (repeated IN (0, 1)),
    -- Whether another token took its place before anybody used it.
    replaced       INTEGER NOT NULL DEFAULT 0 CHECK (replaced IN (0, 1)),
    CHECK ((used_at_us IS NULL) = (heir IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_tokens_sid ON refresh_tokens (sid, idle_ends_at_s);

CREATE TABLE revocations (
    -- AUTOINCREMENT: whoever has read up to a number finds what is new behind it.
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    kind         TEXT    NOT NULL CHECK (kind IN ('token', 'session', 'user', 'everybody', 'block')),
    -- `jti`, `sid` or `sub`, by kind; empty for everybody.
    name         TEXT    NOT NULL,
    -- For a user and for everybody: tokens that were issued up to then. For a block: its end.
    until_s      INTEGER NOT NULL CHECK (until_s >= 0),
    -- From then on it concerns no token that is still good.
    ends_at_s    INTEGER NOT NULL CHECK (ends_at_s >= 0),
    created_at_s INTEGER NOT NULL CHECK (created_at_s >= 0)
) STRICT;

CREATE INDEX revocations_ends_at_s ON revocations (ends_at_s);
CREATE INDEX revocations_blocks ON revocations (name) WHERE kind = 'block';
