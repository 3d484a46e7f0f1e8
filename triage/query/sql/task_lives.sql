-- title: The life of each task over application, Beat and worker, and what became of it
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: ahead varchar = {}
-- param: texts_of_all boolean = true
-- returns: task_id, task_name, state, sent_at, sent_by, received_at, started_at, ended_at, worker, receipts, retries, ends, wait_ms, run_ms, late, inferred, job_id, request_id, user_id, reason, record_ids
-- $ahead says by how many seconds the clocks of services are ahead: {"worker": 90}. With $texts_of_all = false the ids and
-- records of what went well are left out: of millions of tasks, they are what takes the time and the memory.
WITH told AS NOT MATERIALIZED (
    SELECT * REPLACE (true_time("timestamp", observed_timestamp, service_name, $ahead) AS "timestamp"),
           source = 'celery' AS by_worker,
           CASE WHEN source = 'celery' THEN list_position(['succeeded', 'failed', 'timeout', 'revoked', 'rejected', 'lost'], state) END AS ending
    FROM tasks
    WHERE "timestamp" >= $since AND "timestamp" < $until
), counted AS NOT MATERIALIZED (
    -- In whole numbers, an end in four bits beside its time: of millions of tasks, the last of a text costs three times that.
    SELECT task_id,
           arg_min(task_name, us) AS task_name,
           -- The first mention of a task outside of a worker's log counts as its sending.
           min(us) FILTER (NOT by_worker) AS named_at,
           arg_min(service_name, us) FILTER (NOT by_worker) AS sent_by,
           min(us) FILTER (by_worker) AS worked_at,
           arg_min(service_name, us) FILTER (by_worker) AS worker,
           min(us) FILTER (by_worker AND state = 'received') AS received_at,
           max(us) FILTER (by_worker AND state = 'received') AS received_last,
           min(us) FILTER (by_worker AND state = 'started') AS started_at,
           max(us * 16 + ending) AS ended,
           max(us * 16 + CAST(problem = 'task.timeout' AS BIGINT)) FILTER (ending IS NOT NULL) AS timeout,
           arg_max(run_ms, us) FILTER (ending IS NOT NULL) AS told_ms,
           count(*) FILTER (by_worker AND state = 'received') AS receipts,
           count(*) FILTER (by_worker AND state = 'retry') AS retries,
           count(*) FILTER (ending = 1) AS successes
    FROM (SELECT *, epoch_us("timestamp") AS us FROM told)
    GROUP BY task_id
), facts AS MATERIALIZED (
    SELECT * EXCLUDE (ended, timeout) REPLACE (
               make_timestamptz(named_at) AS named_at, make_timestamptz(worked_at) AS worked_at, make_timestamptz(received_at) AS received_at,
               make_timestamptz(received_last) AS received_last, make_timestamptz(started_at) AS started_at),
           make_timestamptz(ended >> 4) AS ended_at,
           ['succeeded', 'failed', 'timeout', 'revoked', 'rejected', 'lost'][ended & 15] AS end_state,
           timeout & 15 = 1 AS timed_out
    FROM counted
), lives AS (
    SELECT *,
           -- An id that is first named long after the worker had it (a poll of its state) was sent, but not then; a
           -- little after is the sender's own line, written late: clocks of one host differ by less than 30 s.
           CASE WHEN worked_at IS NULL OR named_at - worked_at <= INTERVAL 30 SECOND THEN named_at END AS sent_at,
           CASE WHEN timed_out THEN 'timeout' WHEN end_state IS NOT NULL THEN end_state
                WHEN retries > 0 THEN 'retrying' WHEN worked_at IS NOT NULL THEN 'running' ELSE 'sent' END AS logged
    FROM facts
), waits AS (
    SELECT *, epoch_us(received_at - sent_at) / 1e3 AS wait_ms FROM lives
), habits AS (
    -- A task waits as long as its queue is: only a wait far beyond what the others had is trouble.
    SELECT greatest(30, 20 * coalesce(median(greatest(wait_ms, 0)), 0) / 1e3) AS late_s,
           (SELECT max("timestamp") FROM logs WHERE "timestamp" >= $since AND "timestamp" < $until) AS now,
           -- Without any worker's log in the lake nothing can be said about receipts.
           (SELECT count(*) > 0 FROM (SELECT 1 FROM logs WHERE source = 'celery' LIMIT 1)) AS sighted
    FROM waits
), senders AS (
    -- Queues are first in, first out: with three later ones of the same sender received, a task will not come any more.
    SELECT sent_by, max(sent_at, 3)[3] - INTERVAL 1 SECOND AS overtaken FROM waits WHERE received_at IS NOT NULL GROUP BY sent_by
), runs AS (
    -- How long a task of a name takes at most from its receipt to its end, waiting for its hour included.
    SELECT worker, task_name, epoch(max(ended_at - received_at)) AS longest_s
    FROM waits
    WHERE ended_at IS NOT NULL AND received_at IS NOT NULL
    GROUP BY worker, task_name
), elsewhere AS (
    SELECT DISTINCT task_id
    FROM tasks SEMI JOIN (SELECT task_id FROM lives WHERE logged IN ('sent', 'running')) USING (task_id)
    WHERE source = 'celery' AND NOT ("timestamp" >= $since AND "timestamp" < $until)
), ends_of_workers AS (
    -- Each kind apart: what is no trouble by its template, of which there are few.
    SELECT service_name, record_id, true_time("timestamp", observed_timestamp, service_name, $ahead) AS "timestamp",
           'its worker lost a child process' AS reason
    FROM errors
    WHERE "timestamp" >= $since AND "timestamp" < $until AND source = 'celery' AND contains(body, 'WorkerLostError')
    UNION ALL
    SELECT service_name, record_id, true_time("timestamp", observed_timestamp, service_name, $ahead), 'its worker started anew'
    FROM logs
    WHERE "timestamp" >= $since AND "timestamp" < $until AND source = 'celery' AND (template IS NULL OR contains(template, 'ready.'))
      AND regexp_matches(message, '@\S+ ready\.\s*$') AND NOT contains(body, 'WorkerLostError')
), broken_off AS (
    SELECT w.task_id, e.reason, e.record_id
    FROM (SELECT task_id, worker, coalesce(received_at, sent_at, worked_at) AS since
          FROM waits
          WHERE logged IN ('running', 'retrying')) w
    ASOF JOIN ends_of_workers e ON e.service_name = w.worker AND w.since <= e."timestamp"
), judged AS (
    SELECT waits.*,
           logged = 'sent' AND sighted AND elsewhere.task_id IS NULL
               AND (epoch(now - sent_at) > late_s OR coalesce(sent_at < overtaken, false)) AS stuck,
           e.record_id AS end_record,
           CASE WHEN logged IN ('running', 'retrying') THEN coalesce(e.reason,
               -- What runs on for three times the longest of its name, while others ended, has no end any more.
               CASE WHEN logged = 'running' AND elsewhere.task_id IS NULL AND received_last IS NOT NULL
                     AND epoch(now - received_last) > greatest(60, 3 * runs.longest_s)
                    THEN 'received, and nothing more for three times as long as any other of its name' END) END AS lost,
           coalesce(wait_ms > 1e3 * late_s, false) AS late
    FROM waits CROSS JOIN habits
    LEFT JOIN senders USING (sent_by)
    LEFT JOIN elsewhere USING (task_id)
    LEFT JOIN runs ON runs.worker = waits.worker AND runs.task_name = waits.task_name
    LEFT JOIN broken_off e ON e.task_id = waits.task_id
), wrong AS (
    SELECT task_id FROM judged WHERE logged <> 'succeeded' OR retries > 0 OR receipts > 1 OR successes > 1 OR late
), texts AS (
    SELECT task_id,
           arg_max(exception_type, "timestamp") FILTER (ending IS NOT NULL AND exception_type <> '') AS thrown,
           arg_min(job_id, "timestamp") AS job_id,
           arg_min(request_id, "timestamp") AS request_id,
           arg_min(user_id, "timestamp") AS user_id,
           arg_min(record_id, "timestamp") AS first_record
    FROM told SEMI JOIN (SELECT task_id FROM lives WHERE $texts_of_all UNION ALL FROM wrong) USING (task_id)
    GROUP BY task_id
), mentions AS (
    -- Of what went well, the first record is enough.
    SELECT task_id, min({'at': "timestamp", 'record_id': record_id}, 12) AS records
    FROM told SEMI JOIN (SELECT task_id FROM judged WHERE logged <> 'succeeded' OR retries > 0 OR late) USING (task_id)
    GROUP BY task_id
)
SELECT task_id, task_name,
       CASE WHEN stuck THEN 'stuck' WHEN lost IS NOT NULL THEN 'lost' ELSE logged END AS state,
       sent_at, sent_by, received_at, started_at, ended_at, worker,
       receipts, retries,
       -- More than one: it ran twice.
       CASE WHEN successes > 0 THEN successes ELSE CAST(end_state IS NOT NULL AS BIGINT) END AS ends,
       wait_ms,
       -- The worker states a run time for successes only; for others the time since the last receipt is an upper bound.
       coalesce(told_ms, epoch_us(ended_at - received_last) / 1e3) AS run_ms,
       late, stuck OR lost IS NOT NULL AS inferred, job_id, request_id, user_id,
       CASE WHEN stuck THEN 'sent, and no worker received it' ELSE coalesce(lost, thrown) END AS reason,
       list_concat(coalesce(list_transform(mentions.records, lambda each: each.record_id),
                            CASE WHEN first_record IS NULL THEN [] ELSE [first_record] END),
                   CASE WHEN lost IS NOT NULL AND end_record IS NOT NULL THEN [end_record] ELSE [] END) AS record_ids
FROM judged LEFT JOIN texts USING (task_id) LEFT JOIN mentions USING (task_id)
ORDER BY least(sent_at, received_at, started_at, ended_at) NULLS LAST, task_id
