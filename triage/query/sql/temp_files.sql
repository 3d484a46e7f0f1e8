-- title: Temporary files of the database
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: record_id, timestamp, service_name, bytes, query
SELECT record_id, "timestamp", service_name,
       CAST(regexp_extract(body, 'temporary file: path .*, size ([0-9]+)', 1) AS BIGINT) AS bytes,
       coalesce(attributes['postgres.statement'], attributes['postgres.query']) AS query
FROM logs
WHERE "timestamp" >= $since AND "timestamp" < $until AND source = 'postgres'
  AND (template IS NULL OR contains(template, 'temporary file: path ')) AND regexp_matches(body, 'temporary file: path .*, size [0-9]+')
ORDER BY bytes DESC, "timestamp", record_id
