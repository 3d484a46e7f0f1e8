-- Requests of a stretch of time, each once: a request is often told by the server's access line, by the application's own
-- line, and by a proxy in front. A service that writes nothing but access lines is a proxy, if another has more to say.
-- Some tell the path without its query. Of a service's own two tellings that with durations counts, else the more frequent one.
(since, until) AS TABLE
WITH seen AS NOT MATERIALIZED (
    SELECT *, coalesce(scope_name, '') AS form, split_part(path, '?', 1) AS plain, epoch_us("timestamp") // 1000000 AS second
    FROM requests
    WHERE "timestamp" >= since AND "timestamp" < until
), forms AS (
    SELECT service_name, form, count(*) AS rows, count(duration_ms) AS timed FROM seen GROUP BY service_name, form
), main AS (
    SELECT service_name, arg_max(form, (2 * timed >= rows AND 2 * rows >= most, rows, form)) AS form
    FROM (SELECT *, max(rows) OVER (PARTITION BY service_name) AS most FROM forms)
    GROUP BY service_name
), written AS (
    SELECT service_name, count(*) AS records
    FROM logs
    WHERE "timestamp" >= since AND "timestamp" < until
    GROUP BY service_name
), proxies AS (
    SELECT service_name FROM forms JOIN written USING (service_name)
    GROUP BY service_name
    HAVING sum(rows) >= 0.95 * any_value(records)
), ranked AS NOT MATERIALIZED (
    SELECT seen.*, proxies.service_name IS NOT NULL AS by_proxy,
           proxies.service_name IS NULL AND seen.form = main.form AS counts
    FROM seen JOIN main USING (service_name) LEFT JOIN proxies USING (service_name)
), again AS (
    SELECT DISTINCT other.record_id
    FROM (SELECT record_id, service_name, by_proxy, method, plain, status_code, second + unnest([-1, 0, 1]) AS second
          FROM ranked
          WHERE NOT counts) other
         JOIN (SELECT DISTINCT service_name, method, plain, status_code, second FROM ranked WHERE counts) own
           ON own.method = other.method AND own.plain = other.plain AND own.status_code = other.status_code
          AND own.second = other.second AND (other.by_proxy OR own.service_name = other.service_name)
)
SELECT * EXCLUDE (form, plain, second, by_proxy, counts)
FROM ranked
WHERE counts OR record_id NOT IN (SELECT record_id FROM again)
