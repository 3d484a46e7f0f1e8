-- title: Where records came from, and the longest stretch without any
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: origin, service_name, records, lines, first_seen, last_seen, longest_silence_s
-- Only numbers are put in order: the window over ten million records with all their columns would not fit in memory.
WITH gaps AS (
    SELECT id, "timestamp" - lag("timestamp") OVER (PARTITION BY id ORDER BY "timestamp") AS gap
    FROM (SELECT hash(origin) AS id, epoch_us("timestamp") AS "timestamp"
          FROM logs WHERE "timestamp" >= $since AND "timestamp" < $until)
), silences AS (
    SELECT id, max(gap) / 1e6 AS longest_silence_s FROM gaps GROUP BY id
), origins AS (
    SELECT origin, min(service_name) AS service_name, count(*) AS records,
           CAST(coalesce(sum(line_count), 0) AS BIGINT) AS lines,
           min("timestamp") AS first_seen, max("timestamp") AS last_seen
    FROM logs
    WHERE "timestamp" >= $since AND "timestamp" < $until
    GROUP BY origin
)
SELECT origin, service_name, records, lines, first_seen, last_seen, longest_silence_s
FROM origins JOIN silences ON silences.id = hash(origins.origin)
ORDER BY service_name, origin
