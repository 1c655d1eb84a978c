-- What channels with a durable history keep, and where they stand.
-- A migration that has been released is never edited; what changes is the next file.

CREATE TABLE channel_positions (
    channel       TEXT    PRIMARY KEY NOT NULL,
    -- Which run of numbers. A channel that begins anew has another one.
    epoch         TEXT    NOT NULL CHECK (length(epoch) = 8),
    -- The number of its last publication, which need not be kept any more.
    reached       INTEGER NOT NULL CHECK (reached > 0),
    expires_at_us INTEGER NOT NULL CHECK (expires_at_us >= 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX channel_positions_expires_at_us ON channel_positions (expires_at_us);

CREATE TABLE publications (
    id              INTEGER PRIMARY KEY,
    channel         TEXT    NOT NULL,
    number          INTEGER NOT NULL CHECK (number > 0),
    -- JSON text, byte for byte as it was published.
    payload         BLOB    NOT NULL,
    -- The client that published it, if one did.
    author_user     TEXT,
    author_client   TEXT,
    connection_info TEXT,
    channel_info    TEXT,
    expires_at_us   INTEGER NOT NULL CHECK (expires_at_us >= 0),
    UNIQUE (channel, number)
) STRICT;

CREATE INDEX publications_expires_at_us ON publications (expires_at_us);
