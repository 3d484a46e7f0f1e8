-- title: Every record for each problem that applies to it, with its keys
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: ahead varchar = {}
-- returns: problem, timestamp, service_name, source, printing, severity_number, primary_problem, task_id, request_id, job_id, user_id, task_name, record_id
WITH found AS (
    SELECT * REPLACE (true_time("timestamp", observed_timestamp, service_name, $ahead) AS "timestamp"),
           unnest(list_distinct(list_append(coalesce(problems, []), problem))) AS each_problem
    FROM errors
    WHERE "timestamp" >= $since AND "timestamp" < $until AND problem IS NOT NULL
),
-- `celery inspect` leaves without a word to the broker: while a probe asks, such a line is no failure.
asked AS (
    SELECT DISTINCT "timestamp" AS began, "timestamp" + to_milliseconds(CAST(duration_ms + 2000 AS BIGINT)) AS ended
    FROM snapshots
    WHERE starts_with(probe, 'celery_') AND "timestamp" < $until
),
own AS (
    SELECT record_id FROM errors JOIN asked ON "timestamp" BETWEEN began AND ended
    WHERE "timestamp" >= $since AND "timestamp" < $until AND problem = 'broker.connection_lost' AND source = 'rabbitmq'
      AND contains(body, 'client unexpectedly closed TCP connection')
)
SELECT each_problem AS problem,
       -- A wait, a slow statement, a slow answer is logged when it is over: the problem began that much earlier.
       CASE WHEN (source = 'postgres' OR each_problem = 'api.slow_response') AND duration_ms IS NOT NULL
            THEN "timestamp" - to_microseconds(CAST(duration_ms * 1000 AS BIGINT)) ELSE "timestamp" END AS "timestamp",
       service_name, source, concat(coalesce(pattern, exception_type, ''), '@', scope_name) AS printing, severity_number,
       problem AS primary_problem, task_id, request_id, job_id, user_id, task_name, record_id
FROM found ANTI JOIN own USING (record_id)
ORDER BY problem, "timestamp", record_id
