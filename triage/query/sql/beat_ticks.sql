-- title: What Beat sent, how regularly, and the longest silence of each entry
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: entry, task_name, service_name, ticks, period_s, longest_s, first_seen, last_seen, record_id
WITH ticks AS (
    SELECT coalesce(attribute_entry, regexp_extract(message, 'Sending due task (\S+)', 1)) AS entry,
           coalesce(task_name, regexp_extract(message, 'Sending due task \S+ \(([^)]+)\)', 1)) AS task_name,
           service_name, "timestamp", record_id,
           epoch("timestamp" - lag("timestamp") OVER (PARTITION BY service_name,
               coalesce(attribute_entry, regexp_extract(message, 'Sending due task (\S+)', 1))
               ORDER BY "timestamp", record_id)) AS gap_s
    FROM stored
    WHERE "timestamp" >= $since AND "timestamp" < $until AND source = 'beat'
      AND contains(message, 'Sending due task')
)
SELECT entry, max(task_name) AS task_name, service_name, count(*) AS ticks,
       median(gap_s) AS period_s, max(gap_s) AS longest_s,
       min("timestamp") AS first_seen, max("timestamp") AS last_seen,
       max_by(record_id, ("timestamp", record_id)) AS record_id
FROM ticks
GROUP BY entry, service_name
ORDER BY service_name, entry
