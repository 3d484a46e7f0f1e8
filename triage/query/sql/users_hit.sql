-- title: Distinct users and jobs that records with a problem name
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: users, jobs
SELECT count(DISTINCT user_id) AS users, count(DISTINCT job_id) AS jobs
FROM errors
WHERE "timestamp" >= $since AND "timestamp" < $until AND problem IS NOT NULL
ORDER BY ALL
