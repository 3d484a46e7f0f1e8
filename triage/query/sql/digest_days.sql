-- title: Records and errors of a day and of the days before it
-- param: since timestamptz
-- param: until timestamptz
-- returns: date, records, errors
SELECT date, count(*) AS records, count(*) FILTER (WHERE severity_number >= 17) AS errors
FROM logs
WHERE "timestamp" >= $since AND "timestamp" < $until
GROUP BY date
ORDER BY date
