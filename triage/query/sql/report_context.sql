-- title: The records around one record, in the log it came from
-- param: origin varchar
-- param: position bigint
-- param: record_id varchar
-- param: before int = 3
-- param: after int = 2
-- returns: record_id, timestamp, service_name, severity_text, severity_number, message, body, problem, origin, position, line_count, place
-- Two short top-n scans: numbering the whole origin would sort millions of rows for five.
WITH earlier AS (
    SELECT *, -row_number() OVER (ORDER BY position DESC, record_id DESC) AS place
    FROM logs
    WHERE origin = $origin AND (position, record_id) < ($position, $record_id)
    ORDER BY position DESC, record_id DESC
    LIMIT $before
),
later AS (
    SELECT *, row_number() OVER (ORDER BY position, record_id) AS place
    FROM logs
    WHERE origin = $origin AND (position, record_id) > ($position, $record_id)
    ORDER BY position, record_id
    LIMIT $after
)
SELECT record_id, "timestamp", service_name, severity_text, severity_number, message, body, problem, origin, position,
       line_count, CAST(place AS INTEGER) AS place
FROM (SELECT * FROM earlier UNION ALL SELECT * FROM later)
ORDER BY place
