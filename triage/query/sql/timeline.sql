-- title: Problems by step of time and service
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: step_s int = 60
-- returns: step, service_name, problem, records
SELECT time_bucket(to_seconds($step_s), "timestamp") AS step, service_name, problem, count(*) AS records
FROM errors
WHERE "timestamp" >= $since AND "timestamp" < $until AND problem IS NOT NULL
GROUP BY step, service_name, problem
ORDER BY step, service_name, problem
