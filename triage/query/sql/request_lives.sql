-- title: The life of each request over the services that name it: those with a problem first, then the slowest
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: most int = 1000
-- returns: request_id, start, end, services, method, route, status_code, duration_ms, user_id, job_id, task_ids, problems, record_ids
WITH told AS NOT MATERIALIZED (
    SELECT *, attribute_method AS method, attribute_path AS path,
           status_code IS NOT NULL AND attribute_method IS NOT NULL AS answer
    FROM stored
    WHERE "timestamp" >= $since AND "timestamp" < $until AND request_id IS NOT NULL
), worst AS (
    -- Lists of all requests would not fit in memory.
    SELECT request_id
    FROM told
    GROUP BY request_id
    ORDER BY count(problem) = 0, coalesce(max(duration_ms) FILTER (answer), (epoch_us(max("timestamp")) - epoch_us(min("timestamp"))) / 1e3) DESC, request_id
    LIMIT $most
), named AS (
    SELECT * FROM told SEMI JOIN worst USING (request_id)
), lives AS (
    SELECT request_id, min("timestamp") AS start, max("timestamp") AS "end",
           list_distinct(list(service_name ORDER BY "timestamp", record_id)) AS services,
           arg_min(method, ("timestamp", record_id)) AS method,
           arg_min(path, ("timestamp", record_id)) AS route,
           arg_min(status_code, ("timestamp", record_id)) FILTER (answer) AS status_code,
           coalesce(arg_min(duration_ms, ("timestamp", record_id)) FILTER (answer),
                    (epoch_us(max("timestamp")) - epoch_us(min("timestamp"))) / 1e3) AS duration_ms,
           arg_min(user_id, ("timestamp", record_id)) AS user_id,
           arg_min(job_id, ("timestamp", record_id)) AS job_id,
           coalesce(list_distinct(list(task_id) FILTER (task_id IS NOT NULL)), []) AS task_ids,
           coalesce(list_distinct(list(problem) FILTER (problem IS NOT NULL)), []) AS problems,
           min({'at': "timestamp", 'record_id': record_id}, 12) AS mentions
    FROM named
    GROUP BY request_id
)
SELECT request_id, start, "end", list_sort(services) AS services, method, route, status_code, duration_ms, user_id, job_id,
       list_sort(task_ids) AS task_ids, list_sort(problems) AS problems,
       list_transform(mentions, lambda each: each.record_id) AS record_ids
FROM lives
ORDER BY len(problems) = 0, duration_ms DESC, request_id
