-- title: Errors by step of time
-- param: since timestamptz
-- param: until timestamptz
-- param: step_s int = 60
-- returns: step, errors
SELECT CAST(floor(epoch("timestamp" - $since) / $step_s) AS INTEGER) AS step, count(*) AS errors
FROM errors
WHERE "timestamp" >= $since AND "timestamp" < $until AND severity_number >= 17
GROUP BY step
ORDER BY step
