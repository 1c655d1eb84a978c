-- The keys that programs of the application show to the HTTP API.
-- A migration that has been released is never edited; what changes is the next file.

CREATE TABLE api_keys (
    -- What operators and logs call it. A revoked key keeps its name, so that no other is taken for it.
    name           TEXT    PRIMARY KEY NOT NULL,
    -- SHA-256 of the key. The key itself is with its holder alone.
    hash           BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    -- Names with a blank between them. The program says what each is good for.
    scopes         TEXT    NOT NULL,
    created_at_s   INTEGER NOT NULL CHECK (created_at_s >= 0),
    -- Written at most about once a minute.
    last_used_at_s INTEGER CHECK (last_used_at_s >= 0),
    revoked_at_s   INTEGER CHECK (revoked_at_s >= 0)
) STRICT, WITHOUT ROWID;
