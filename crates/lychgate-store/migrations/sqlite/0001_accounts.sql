-- Who may log in, and the key that signs this installation's tokens.
-- A migration that has been released is never edited; what changes is the next file.

-- "LYCH": says whose database this is (https://www.sqlite.org/pragma.html#pragma_application_id).
PRAGMA application_id = 1280918344;

CREATE TABLE users (
    -- AUTOINCREMENT: a token names its user by this number, so no number is ever given out twice.
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT    NOT NULL UNIQUE,
    -- Letter case taken away as the program does it; SQLite's own lower() knows ASCII alone.
    name_folded   TEXT    NOT NULL,
    email         TEXT,
    email_folded  TEXT    UNIQUE,
    password_hash TEXT    NOT NULL,
    -- The function and the parameters of the hash, read off it when it is stored.
    password_kind TEXT    NOT NULL,
    active        INTEGER NOT NULL CHECK (active IN (0, 1)),
    created_at_s  INTEGER NOT NULL CHECK (created_at_s >= 0),
    CHECK ((email IS NULL) = (email_folded IS NULL))
) STRICT;

CREATE INDEX users_name_folded ON users (name_folded);
CREATE INDEX users_password_kind ON users (password_kind);

CREATE TABLE signing_keys (
    kid          TEXT    PRIMARY KEY NOT NULL,
    algorithm    TEXT    NOT NULL,
    pkcs8        BLOB    NOT NULL,
    is_current   INTEGER NOT NULL CHECK (is_current IN (0, 1)),
    created_at_s INTEGER NOT NULL CHECK (created_at_s >= 0)
) STRICT;

-- There is one key to sign with, and the database is where servers that start at once agree on it.
CREATE UNIQUE INDEX signing_keys_current ON signing_keys (is_current) WHERE is_current = 1;
