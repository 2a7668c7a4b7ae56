-- 0006: tokens say what their bearers may do. A new column without a default: the table is locked for a moment, and no row is written.
-- `{"publish":[…],"subscribe":[…],"admin":[…]}`; NULL is everything, as tokens had it before.
ALTER TABLE sluice.tokens ADD COLUMN grants jsonb CHECK (jsonb_typeof(grants) = 'object');
