-- title: Databases and roles that Postgres' own problems name, the busiest first
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: database, role, records
SELECT attributes['postgres.database'] AS database, attributes['postgres.user'] AS role, count(*) AS records
FROM errors
WHERE source = 'postgres' AND problem IS NOT NULL AND "timestamp" >= $since AND "timestamp" < $until
  AND attributes['postgres.database'] IS NOT NULL
GROUP BY ALL
ORDER BY records DESC, database, role
