-- What an application wants said of a user beside name and address, as one JSON object of small values.
-- The program checks it when it is written and when it is read; SQLite only has to keep it.

ALTER TABLE users ADD COLUMN attributes TEXT NOT NULL DEFAULT '{}';
