-- title: Jobs by kind and state, and how long they take, as the application's own table says
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: latest boolean = false
-- returns: timestamp, service_name, job_type, status, jobs, mean_s, longest_s, oldest_s
SELECT "timestamp", service_name, "values"['job_type'] AS job_type, "values"['status'] AS status,
       TRY_CAST("values"['jobs'] AS BIGINT) AS jobs, TRY_CAST("values"['mean_s'] AS DOUBLE) AS mean_s,
       TRY_CAST("values"['longest_s'] AS DOUBLE) AS longest_s, TRY_CAST("values"['oldest_s'] AS DOUBLE) AS oldest_s
FROM snapshots
WHERE probe = 'postgres_jobs' AND "row" IS NOT NULL AND "timestamp" >= $since AND "timestamp" < $until
QUALIFY NOT $latest OR "timestamp" = max("timestamp") OVER (PARTITION BY container_id)
ORDER BY "timestamp", service_name, jobs DESC, job_type, status
