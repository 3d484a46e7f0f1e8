-- title: Where records came from, and the longest stretch without any
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: origin, service_name, records, lines, first_seen, last_seen, longest_silence_s
WITH gaps AS (
    SELECT origin, service_name, line_count, "timestamp",
           epoch("timestamp" - lag("timestamp") OVER (PARTITION BY origin ORDER BY "timestamp", record_id)) AS gap_s
    FROM logs
    WHERE "timestamp" >= $since AND "timestamp" < $until
)
SELECT origin, min(service_name) AS service_name, count(*) AS records,
       CAST(coalesce(sum(line_count), 0) AS BIGINT) AS lines,
       min("timestamp") AS first_seen, max("timestamp") AS last_seen, max(gap_s) AS longest_silence_s
FROM gaps
GROUP BY origin
ORDER BY service_name, origin
