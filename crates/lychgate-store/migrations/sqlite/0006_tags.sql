-- Labels of what durable channels keep, and the version that each channel has reached.
-- A migration that has been released is never edited; what changes is the next file.

-- A JSON object of texts; NULL for a publication without any.
ALTER TABLE publications ADD COLUMN tags TEXT;

-- The last version that a publisher named, its 64 bits as a signed number; NULL if none ever did.
ALTER TABLE channel_positions ADD COLUMN version INTEGER;
-- Which run of versions.
ALTER TABLE channel_positions ADD COLUMN version_epoch TEXT NOT NULL DEFAULT '';
