-- title: The window's records for the event table: those with a problem or an error first, then the latest
-- param: since timestamptz
-- param: until timestamptz
-- param: most int = 100000
-- param: latest timestamptz = 1970-01-01
-- returns: record_id, timestamp, service_name, severity_text, severity_number, problem, message, body
-- $latest, where it is known, spares reading what is older: from it on there are $most records.
WITH bad AS (
    SELECT record_id, "timestamp", service_name, severity_text, severity_number, problem, left(message, 400) AS message,
           -- Only what the message does not say already, and only where someone will look.
           CASE WHEN problem IS NOT NULL AND length(body) > length(message) THEN left(body, 2000) END AS body
    FROM errors
    WHERE "timestamp" >= $since AND "timestamp" < $until
    ORDER BY "timestamp" DESC, record_id
    LIMIT $most
), good AS NOT MATERIALIZED (
    SELECT record_id, "timestamp", service_name, severity_text, severity_number, problem, message
    FROM logs
    WHERE "timestamp" >= greatest($since, $latest) AND "timestamp" < $until
      AND problem IS NULL AND coalesce(severity_number, 0) < 17
), seconds AS (
    SELECT second, sum(count(*)) OVER (ORDER BY second DESC) - count(*) AS later
    FROM (SELECT epoch_us("timestamp") // 1000000 AS second FROM good)
    GROUP BY second
), enough AS (
    -- First from which second on there are enough: putting all records in order would not fit in memory.
    SELECT make_timestamptz(min(second) * 1000000) AS start
    FROM seconds
    WHERE later < $most - (SELECT count(*) FROM bad)
), benign AS (
    SELECT record_id, "timestamp", service_name, severity_text, severity_number, problem, left(message, 400), NULL AS body
    FROM good JOIN enough ON "timestamp" >= start
    ORDER BY "timestamp" DESC, record_id
    LIMIT greatest(0, $most - (SELECT count(*) FROM bad))
)
FROM bad UNION ALL FROM benign
ORDER BY "timestamp", record_id
