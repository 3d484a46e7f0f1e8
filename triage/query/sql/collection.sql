-- title: Where records came from, and the longest stretch without any
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: origin, service_name, records, lines, first_seen, last_seen, longest_silence_s
-- Of many records, it is enough to look between the parts of a fine division of time: what is silent for longer than a part
-- is silent over one. Only where nothing is, is each record looked at.
WITH origins AS (
    SELECT origin, min(service_name) AS service_name, count(*) AS records,
           CAST(coalesce(sum(line_count), 0) AS BIGINT) AS lines,
           min("timestamp") AS first_seen, max("timestamp") AS last_seen
    FROM logs
    WHERE "timestamp" >= $since AND "timestamp" < $until
    GROUP BY origin
), parts AS (
    SELECT origin, greatest(1, (epoch_us(last_seen) - epoch_us(first_seen)) // 20000) AS part_us FROM origins
), times AS NOT MATERIALIZED (
    SELECT origin, epoch_us("timestamp") AS "timestamp"
    FROM logs
    WHERE "timestamp" >= $since AND "timestamp" < $until
), between_parts AS MATERIALIZED (
    SELECT origin, part_us, max(silence) AS silence
    FROM (SELECT origin, part_us, min("timestamp") - lag(max("timestamp")) OVER (PARTITION BY origin ORDER BY "timestamp" // part_us) AS silence
          FROM times JOIN parts USING (origin)
          GROUP BY origin, part_us, "timestamp" // part_us)
    GROUP BY origin, part_us
), between_records AS (
    SELECT origin, max(silence) AS silence
    FROM (SELECT origin, "timestamp" - lag("timestamp") OVER (PARTITION BY origin ORDER BY "timestamp") AS silence
          FROM times SEMI JOIN (SELECT origin FROM between_parts WHERE coalesce(silence, 0) < part_us) USING (origin))
    GROUP BY origin
)
SELECT origin, service_name, records, lines, first_seen, last_seen,
       coalesce(between_records.silence, between_parts.silence) / 1e6 AS longest_silence_s
FROM origins LEFT JOIN between_parts USING (origin) LEFT JOIN between_records USING (origin)
ORDER BY service_name, origin
