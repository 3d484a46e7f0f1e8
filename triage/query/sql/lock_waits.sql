-- title: Waits for locks that the database logged (log_lock_waits)
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: record_id, timestamp, service_name, pid, state, lock, waited_ms, holders, relation, query
SELECT record_id, "timestamp", service_name,
       CAST(regexp_extract(body, 'process ([0-9]+) (?:still waiting|acquired|avoided|detected)', 1) AS INTEGER) AS pid,
       regexp_extract(body, 'process [0-9]+ (still waiting|acquired|avoided deadlock|detected deadlock)', 1) AS state,
       regexp_extract(body, '(?:for|acquired) ([A-Za-z]+ on .*?) after [0-9.]+ ms', 1) AS lock,
       CAST(regexp_extract(body, 'after ([0-9.]+) ms', 1) AS DOUBLE) AS waited_ms,
       list_transform(regexp_extract_all(
           regexp_extract(body, 'Process(?:es)? holding the lock: ([0-9, ]+)', 1), '[0-9]+'), lambda x: CAST(x AS INTEGER)) AS holders,
       nullif(regexp_extract(body, 'relation "([^"]+)"', 1), '') AS relation,
       coalesce(attributes['postgres.statement'], attributes['postgres.query']) AS query
FROM logs
WHERE "timestamp" >= $since AND "timestamp" < $until AND source = 'postgres'
  -- The template first: there are few of them, and where it says nothing of this the reader passes over the other columns.
  AND (template IS NULL OR contains(template, ' after ')) AND regexp_matches(body,
      'process [0-9]+ (still waiting|acquired|avoided deadlock|detected deadlock).* after [0-9.]+ ms')
ORDER BY "timestamp", record_id
