-- What the application has still to be told, and what it takes for open.
-- A migration that has been released is never edited; what changes is the next file.

CREATE TABLE event_sources (
    source TEXT    PRIMARY KEY NOT NULL,
    -- The number of its last event, which need not wait any more.
    last   INTEGER NOT NULL CHECK (last >= 0),
    -- Events that were lost, and of which it was not told yet.
    lost   INTEGER NOT NULL CHECK (lost >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    source TEXT    NOT NULL,
    number INTEGER NOT NULL CHECK (number > 0),
    -- A JSON object, without its number.
    body   TEXT    NOT NULL,
    at_us  INTEGER NOT NULL CHECK (at_us >= 0),
    PRIMARY KEY (source, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_open (
    source TEXT NOT NULL,
    key    TEXT NOT NULL,
    -- The body of the event that opened it.
    body   TEXT NOT NULL,
    PRIMARY KEY (source, key)
) STRICT, WITHOUT ROWID;
