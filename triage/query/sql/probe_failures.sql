-- title: Probes that failed or did not answer in time
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: service_name, container_name, probe, asked, failed, last_failure, last_error
SELECT service_name, container_name, probe, count(DISTINCT "timestamp") AS asked,
       count(error) AS failed, max("timestamp") FILTER (WHERE error IS NOT NULL) AS last_failure,
       arg_max(error, "timestamp") FILTER (WHERE error IS NOT NULL) AS last_error
FROM snapshots
WHERE "timestamp" >= $since AND "timestamp" < $until
GROUP BY service_name, container_name, probe
HAVING count(error) > 0
ORDER BY last_failure DESC, container_name, probe
