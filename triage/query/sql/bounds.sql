-- title: The first and the last record of the window; the engine's last event counts, too
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: first_seen, last_seen, records
SELECT min("timestamp") AS first_seen,
       greatest(max("timestamp"), (SELECT max(e."timestamp") FROM container_events e
                                   WHERE e."timestamp" >= $since AND e."timestamp" < $until)) AS last_seen,
       count(*) AS records
FROM logs
WHERE "timestamp" >= $since AND "timestamp" < $until
ORDER BY ALL
