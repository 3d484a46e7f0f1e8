-- title: Failed and slow requests by route
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: over_ms double = 1000
-- returns: route, requests, failed, slow
SELECT method || ' ' || route AS route, count(*) AS requests,
       count(*) FILTER (WHERE status_code >= 500) AS failed,
       count(*) FILTER (WHERE duration_ms > $over_ms) AS slow
FROM answered($since, $until)
GROUP BY ALL
ORDER BY failed DESC, slow DESC, requests DESC, route
