-- title: The first and the last record of the window; the engine's last event and the last answer of a probe count, too
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: first_seen, last_seen, records
WITH state AS (
    SELECT min(s."timestamp") AS first_state, max(s."timestamp") AS last_state
    FROM (SELECT "timestamp" FROM container_events UNION ALL SELECT "timestamp" FROM snapshots) AS s
    WHERE s."timestamp" >= $since AND s."timestamp" < $until
)
SELECT coalesce(min("timestamp"), any_value(first_state)) AS first_seen,
       greatest(max("timestamp"), any_value(last_state)) AS last_seen, count("timestamp") AS records
FROM state LEFT JOIN logs ON "timestamp" >= $since AND "timestamp" < $until
ORDER BY ALL
