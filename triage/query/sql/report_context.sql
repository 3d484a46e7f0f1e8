-- title: The records around one record, in the log it came from
-- param: origin varchar
-- param: position bigint
-- param: record_id varchar
-- param: before int = 3
-- param: after int = 2
-- param: reach bigint = 4000000000000000000
-- returns: record_id, timestamp, service_name, severity_text, severity_number, message, body, problem, origin, position, line_count, place
-- Places first, by two top-n scans of two narrow columns; then those few records are read whole. $reach, where it is known
-- that they are so near, spares looking further.
WITH earlier AS (
    SELECT record_id, position
    FROM logs
    WHERE origin = $origin AND position BETWEEN $position - $reach AND $position
      AND (position, record_id) < ($position, $record_id)
    ORDER BY position DESC, record_id DESC
    LIMIT $before
),
later AS (
    SELECT record_id, position
    FROM logs
    WHERE origin = $origin AND position BETWEEN $position AND $position + $reach
      AND (position, record_id) > ($position, $record_id)
    ORDER BY position, record_id
    LIMIT $after
),
places AS (
    SELECT record_id, position, -row_number() OVER (ORDER BY position DESC, record_id DESC) AS place FROM earlier
    UNION ALL
    SELECT record_id, position, row_number() OVER (ORDER BY position, record_id) AS place FROM later
)
SELECT record_id, "timestamp", service_name, severity_text, severity_number, message, body, problem, origin, position,
       line_count, CAST(place AS INTEGER) AS place
FROM logs JOIN places USING (position, record_id)
WHERE origin = $origin AND position BETWEEN $position - $reach AND $position + $reach
ORDER BY place
