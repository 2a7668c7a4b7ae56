-- 0004: note when retention has to look at a topic again, so that a round reads what is due instead
-- of every topic that has a limit: 100,000 idle topics with a default age cost one index look.
--
-- Lock: none that anybody waits for; topics is read once.

CREATE TABLE sluice.retention (
  topic_id int PRIMARY KEY,
  due      timestamptz NOT NULL               -- infinity: not before somebody says so (make_due)
);
CREATE INDEX retention_due ON sluice.retention (due);

-- Everything is looked at once; most of it is put off then until its oldest event is too old.
INSERT INTO sluice.retention SELECT topic_id, now() FROM sluice.topics WHERE NOT ephemeral;
