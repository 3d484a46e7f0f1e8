-- title: Deadlock reports of the database
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: record_id, timestamp, service_name, process_id, detail, context, statement, body
SELECT record_id, "timestamp", service_name, process_id,
       coalesce(attributes['postgres.detail'], body) AS detail,
       coalesce(attributes['postgres.context'],
                nullif(regexp_extract(body, '(?m)CONTEXT:\s+(.*)$', 1), '')) AS context,
       coalesce(attributes['postgres.statement'], attributes['postgres.query']) AS statement,
       body
FROM errors
-- The server's own report: it alone lists who waits for whom. "detected deadlock while waiting" is the same event again.
WHERE "timestamp" >= $since AND "timestamp" < $until AND source = 'postgres'
  AND (sqlstate = '40P01' OR problem = 'db.deadlock')
  AND regexp_matches(coalesce(attributes['postgres.detail'], body), 'Process [0-9]+ waits for ')
ORDER BY "timestamp", record_id
