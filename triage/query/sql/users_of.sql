-- title: Users and jobs that any record of some requests or tasks names
-- param: request_ids varchar[]
-- param: task_ids varchar[]
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: user_id, job_id
SELECT DISTINCT user_id, job_id
FROM logs
WHERE "timestamp" >= $since AND "timestamp" < $until AND (user_id IS NOT NULL OR job_id IS NOT NULL)
  AND (request_id IN (SELECT unnest(CAST($request_ids AS VARCHAR[]))) OR task_id IN (SELECT unnest(CAST($task_ids AS VARCHAR[]))))
ORDER BY user_id, job_id
