-- title: Days of the lake and their records
-- returns: date, records
SELECT date, count(*) AS records FROM logs GROUP BY date ORDER BY date
