-- title: Matched, benign and unclassified records by service
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: service_name, records, matched, benign, unclassified, benign_share
SELECT service_name, count(*) AS records,
       count(*) FILTER (WHERE problem <> 'error.unclassified') AS matched,
       count(*) FILTER (WHERE problem IS NULL) AS benign,
       count(*) FILTER (WHERE problem = 'error.unclassified') AS unclassified,
       round(count(*) FILTER (WHERE problem IS NULL) / count(*), 4) AS benign_share
FROM logs
WHERE "timestamp" >= $since AND "timestamp" < $until
GROUP BY service_name
ORDER BY service_name
