-- title: The window's records for the event table: those with a problem or an error first, then the latest
-- param: since timestamptz
-- param: until timestamptz
-- param: most int = 100000
-- returns: record_id, timestamp, service_name, severity_text, severity_number, problem, message, body
-- First from which second on there are enough of each kind: putting all records in order would not fit in memory.
WITH marked AS NOT MATERIALIZED (
    SELECT *, problem IS NOT NULL OR severity_number >= 17 AS bad, epoch_us("timestamp") // 1000000 AS second
    FROM logs
    WHERE "timestamp" >= $since AND "timestamp" < $until
), seconds AS (
    SELECT bad, second, sum(count(*)) OVER (PARTITION BY bad ORDER BY second DESC) - count(*) AS later
    FROM marked
    GROUP BY bad, second
), enough AS (
    SELECT bad, min(second) AS start FROM seconds WHERE later < $most GROUP BY bad
), chosen AS (
    SELECT record_id, "timestamp", service_name, severity_text, severity_number, problem, message, body
    FROM marked JOIN enough ON marked.bad IS NOT DISTINCT FROM enough.bad AND second >= start
    ORDER BY marked.bad DESC, "timestamp" DESC, record_id
    LIMIT $most
)
SELECT record_id, "timestamp", service_name, severity_text, severity_number, problem,
       left(message, 400) AS message,
       -- Only what the message does not say already, and only where someone will look.
       CASE WHEN problem IS NOT NULL AND length(body) > length(message) THEN left(body, 2000) END AS body
FROM chosen
ORDER BY "timestamp", record_id
