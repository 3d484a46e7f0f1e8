-- Requests of a stretch of time, each once: a request is often told by the server's access line, by the application's own
-- line, and by a proxy in front. A service that writes nothing but access lines is a proxy, if another has more to say.
-- Some tell the path without its query. Of a service's own two tellings that with durations counts, else the more frequent one.
(since, until) AS TABLE
WITH seen AS NOT MATERIALIZED (
    SELECT *, coalesce(scope_name, '') AS form FROM requests WHERE "timestamp" >= since AND "timestamp" < until
), forms AS MATERIALIZED (
    SELECT service_name, form, count(*) AS rows, count(duration_ms) AS timed FROM seen GROUP BY service_name, form
), written AS (
    SELECT service_name, count(*) AS records
    FROM logs
    WHERE "timestamp" >= since AND "timestamp" < until
    GROUP BY service_name
), proxies AS (
    SELECT service_name FROM forms JOIN written USING (service_name)
    GROUP BY service_name
    HAVING sum(rows) >= 0.95 * any_value(records)
), kinds AS MATERIALIZED (
    SELECT service_name, form, service_name IN (FROM proxies) AS by_proxy,
           service_name NOT IN (FROM proxies) AND form = arg_max(form, (2 * timed >= rows AND 2 * rows >= most, rows, form))
               OVER (PARTITION BY service_name) AS counts
    FROM (SELECT *, max(rows) OVER (PARTITION BY service_name) AS most FROM forms)
), own AS NOT MATERIALIZED (
    SELECT seen.* FROM seen SEMI JOIN (FROM kinds WHERE counts) USING (service_name, form)
), other AS NOT MATERIALIZED (
    SELECT seen.*, by_proxy FROM seen JOIN (FROM kinds WHERE NOT counts) USING (service_name, form)
), again AS (
    -- Few lines tell a request again, if any: they are what is looked up, not the many that count.
    SELECT DISTINCT told.record_id
    FROM (SELECT record_id, service_name, by_proxy, method, split_part(path, '?', 1) AS plain, status_code,
                 epoch_us("timestamp") // 1000000 + unnest([-1, 0, 1]) AS second
          FROM other) told
         JOIN (SELECT service_name, method, split_part(path, '?', 1) AS plain, status_code,
                      epoch_us("timestamp") // 1000000 AS second
               FROM own
               WHERE EXISTS (FROM kinds WHERE NOT counts)) known
           ON known.method = told.method AND known.plain = told.plain AND known.status_code = told.status_code
          AND known.second = told.second AND (told.by_proxy OR known.service_name = told.service_name)
)
SELECT * EXCLUDE (form) FROM own
UNION ALL
SELECT * EXCLUDE (form, by_proxy) FROM other WHERE record_id NOT IN (FROM again)
