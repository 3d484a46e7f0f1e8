-- title: Answered requests by service, with how many took no longer than each bound
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: service_name, le, requests, sum_s, total
SELECT service_name, le, count(*) FILTER (WHERE duration_ms <= 1000 * le) AS requests,
       sum(duration_ms) / 1000 AS sum_s, count(*) AS total
FROM requests, (SELECT unnest([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]::DOUBLE[]) AS le)
WHERE "timestamp" >= $since AND "timestamp" < $until AND duration_ms IS NOT NULL
GROUP BY service_name, le
ORDER BY service_name, le
