-- title: Records without a problem by service and step of time: how busy a service is
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: step_s int = 10
-- returns: service_name, step, records
SELECT service_name, time_bucket(to_seconds($step_s), "timestamp") AS step, count(*) AS records
FROM logs
WHERE "timestamp" >= $since AND "timestamp" < $until AND problem IS NULL
GROUP BY service_name, step
ORDER BY service_name, step
