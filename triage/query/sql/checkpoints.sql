-- title: Checkpoints of the database
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: record_id, timestamp, service_name, buffers, total_s, distance_kb
SELECT record_id, "timestamp", service_name,
       try_cast(regexp_extract(body, 'wrote ([0-9]+) buffers', 1) AS INTEGER) AS buffers,
       try_cast(regexp_extract(body, 'total=([0-9.]+) s', 1) AS DOUBLE) AS total_s,
       try_cast(regexp_extract(body, 'distance=([0-9]+) kB', 1) AS INTEGER) AS distance_kb
FROM logs
WHERE "timestamp" >= $since AND "timestamp" < $until AND source = 'postgres'
  -- The template first: there are few of them.
  AND (template IS NULL OR contains(template, 'point complete:')) AND regexp_matches(message, '(check|restart)point complete:')
ORDER BY "timestamp", record_id
