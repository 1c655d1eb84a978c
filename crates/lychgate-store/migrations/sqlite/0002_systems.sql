-- What the endpoints keep: one-time tickets, whose resource is whose, and the messages of channels.
-- A migration that has been released is never edited; what changes is the next file.

CREATE TABLE tickets (
    -- SHA-256 of the ticket. The ticket itself is with its holder alone.
    hash         BLOB    PRIMARY KEY NOT NULL CHECK (length(hash) = 32),
    -- The verified claims of the token that it stands for, as JSON.
    claims       TEXT    NOT NULL,
    expires_at_s INTEGER NOT NULL CHECK (expires_at_s >= 0)
) STRICT, WITHOUT ROWID;

-- Tickets that nobody took are found by their age when the next one is put in.
CREATE INDEX tickets_expires_at_s ON tickets (expires_at_s);

CREATE TABLE resources (
    name  TEXT PRIMARY KEY NOT NULL,
    -- Whom tokens name; no key of users, since they may be another issuer's.
    owner TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
    resource TEXT NOT NULL REFERENCES resources (name) ON DELETE CASCADE,
    user     TEXT NOT NULL,
    PRIMARY KEY (resource, user)
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
    -- AUTOINCREMENT: clients remember messages by this number, so no number is ever given out twice.
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    channel        TEXT    NOT NULL,
    kind           TEXT    NOT NULL,
    -- Set where the author is a user of this server, and then they must be one.
    author_id      INTEGER REFERENCES users (id),
    author_subject TEXT    NOT NULL,
    author_name    TEXT    NOT NULL,
    payload        TEXT    NOT NULL,
    at_us          INTEGER NOT NULL CHECK (at_us >= 0)
) STRICT;

CREATE INDEX messages_channel ON messages (channel, id);

CREATE TABLE reactions (
    -- The order in which they came.
    id         INTEGER PRIMARY KEY,
    message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    subject    TEXT    NOT NULL,
    emoji      TEXT    NOT NULL,
    UNIQUE (message_id, subject, emoji)
) STRICT;
