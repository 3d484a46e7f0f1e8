-- Requests of a stretch of time, each once: a request is often told by the server's access line, by the application's own
-- line, and by a proxy in front. A service that writes nothing but access lines is a proxy, if another has more to say.
-- Of a service's own two tellings that with durations counts, else the more frequent one.
(since, until) AS TABLE
WITH seen AS MATERIALIZED (
    SELECT *, coalesce(scope_name, '') AS form FROM requests WHERE "timestamp" >= since AND "timestamp" < until
), forms AS (
    SELECT service_name, form, count(*) AS rows, count(duration_ms) AS timed FROM seen GROUP BY service_name, form
), main AS (
    SELECT service_name, arg_max(form, (2 * timed >= rows AND 2 * rows >= most, rows, form)) AS form
    FROM (SELECT *, max(rows) OVER (PARTITION BY service_name) AS most FROM forms)
    GROUP BY service_name
), written AS (
    SELECT service_name, count(*) AS records
    FROM logs
    WHERE "timestamp" >= since AND "timestamp" < until AND service_name IN (SELECT service_name FROM forms)
    GROUP BY service_name
), proxies AS (
    SELECT service_name FROM forms JOIN written USING (service_name)
    GROUP BY service_name
    HAVING sum(rows) >= 0.95 * any_value(records)
), ranked AS (
    SELECT seen.*, CASE WHEN seen.service_name IN (SELECT service_name FROM proxies) THEN 2
                        WHEN seen.form = main.form THEN 0 ELSE 1 END AS told
    FROM seen JOIN main USING (service_name)
), near AS (
    SELECT *,
           min(told) OVER (PARTITION BY service_name, method, path, status_code ORDER BY "timestamp"
                           RANGE BETWEEN INTERVAL 2 SECOND PRECEDING AND INTERVAL 2 SECOND FOLLOWING) AS own,
           min(told) OVER (PARTITION BY method, path, status_code ORDER BY "timestamp"
                           RANGE BETWEEN INTERVAL 2 SECOND PRECEDING AND INTERVAL 2 SECOND FOLLOWING) AS anywhere
    FROM ranked
)
SELECT * EXCLUDE (form, told, own, anywhere)
FROM near
WHERE told = CASE WHEN told = 2 THEN anywhere ELSE own END
