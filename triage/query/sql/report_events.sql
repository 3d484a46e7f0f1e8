-- title: The window's records for the event table: those with a problem or an error first, then the latest
-- param: since timestamptz
-- param: until timestamptz
-- param: most int = 100000
-- returns: record_id, timestamp, service_name, severity_text, severity_number, problem, message, body
WITH chosen AS (
    SELECT record_id, "timestamp", service_name, severity_text, severity_number, problem, message, body
    FROM logs
    WHERE "timestamp" >= $since AND "timestamp" < $until
    ORDER BY (problem IS NOT NULL OR severity_number >= 17) DESC, "timestamp" DESC, record_id
    LIMIT $most
)
SELECT record_id, "timestamp", service_name, severity_text, severity_number, problem,
       left(message, 400) AS message,
       -- Only what the message does not say already, and only where someone will look.
       CASE WHEN problem IS NOT NULL AND length(body) > length(message) THEN left(body, 2000) END AS body
FROM chosen
ORDER BY "timestamp", record_id
