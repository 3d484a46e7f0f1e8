-- title: Where workers start, stop and lose a child process
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: timestamp, service_name, kind, signal, record_id
SELECT "timestamp", service_name,
       CASE WHEN regexp_matches(message, 'ready\.\s*$') THEN 'ready'
            WHEN regexp_matches(message, '(Warm|Cold) shutdown') THEN 'shutdown'
            WHEN regexp_matches(body, 'WorkerLostError') THEN 'lost'
            ELSE 'exited' END AS kind,
       nullif(regexp_extract(body, 'signal ([0-9]+)', 1), '') AS signal,
       record_id
FROM logs
WHERE "timestamp" >= $since AND "timestamp" < $until AND source = 'celery'
  AND (contains(body, 'ready.') OR contains(body, ' shutdown') OR contains(body, 'WorkerLostError') OR contains(body, 'exited with'))
  AND regexp_matches(body, '(@\S+ ready\.\s*$)|((Warm|Cold) shutdown)|WorkerLostError|exited with ''(signal|exitcode)')
ORDER BY "timestamp", record_id
