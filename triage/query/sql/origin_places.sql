-- title: The first and the last place in each log, and how many records lie between
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: origin, records, first, last
SELECT origin, count(*) AS records, min(position) AS first, max(position) AS last
FROM logs
WHERE "timestamp" >= $since AND "timestamp" < $until AND position IS NOT NULL
GROUP BY origin
ORDER BY origin
