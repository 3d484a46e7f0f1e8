-- title: Records of each problem in each service by step of time
-- param: since timestamptz
-- param: until timestamptz
-- param: step_s int = 60
-- returns: problem, service_name, step, records, first_seen, last_seen, example
SELECT problem,
       service_name,
       CAST(floor(epoch("timestamp" - $since) / $step_s) AS INTEGER) AS step,
       count(*) AS records,
       min("timestamp") AS first_seen,
       max("timestamp") AS last_seen,
       arg_min(message, "timestamp") AS example
FROM errors
WHERE "timestamp" >= $since AND "timestamp" < $until AND problem IS NOT NULL
GROUP BY ALL
ORDER BY problem, service_name, step
