-- title: The minute with the most records
-- param: since timestamptz
-- param: until timestamptz
-- returns: minute, records, errors
SELECT make_timestamptz(epoch_us("timestamp") // 60000000 * 60000000) AS minute,
       count(*) AS records,
       count(*) FILTER (WHERE severity_number >= 17) AS errors
FROM logs
WHERE "timestamp" >= $since AND "timestamp" < $until
GROUP BY minute
ORDER BY records DESC, minute
LIMIT 1
