-- title: Where workers start, stop and lose a child process
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: timestamp, service_name, kind, signal, record_id
WITH told AS NOT MATERIALIZED (
    SELECT "timestamp", service_name, message, body, record_id
    FROM logs
    -- The template first: there are few of them, and where it says nothing of this the reader passes over the other columns.
    WHERE "timestamp" >= $since AND "timestamp" < $until AND source = 'celery'
      AND (template IS NULL OR contains(template, 'ready.') OR contains(template, ' shutdown') OR contains(template, 'exited with')
           OR contains(template, 'WorkerLostError'))
    UNION -- a worker that was lost may be told by what stands below a message
    SELECT "timestamp", service_name, message, body, record_id
    FROM errors
    WHERE "timestamp" >= $since AND "timestamp" < $until AND source = 'celery' AND contains(body, 'WorkerLostError')
)
SELECT "timestamp", service_name,
       CASE WHEN regexp_matches(message, 'ready\.\s*$') THEN 'ready'
            WHEN regexp_matches(message, '(Warm|Cold) shutdown') THEN 'shutdown'
            WHEN regexp_matches(body, 'WorkerLostError') THEN 'lost'
            ELSE 'exited' END AS kind,
       nullif(regexp_extract(body, 'signal ([0-9]+)', 1), '') AS signal,
       record_id
FROM told
WHERE regexp_matches(body, '(@\S+ ready\.\s*$)|((Warm|Cold) shutdown)|WorkerLostError|exited with ''(signal|exitcode)')
ORDER BY "timestamp", record_id
