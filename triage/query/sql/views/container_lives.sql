-- One row per life of a container: from a start to its end. An engine tells a memory kill before or after the start,
-- so what happened up to an end belongs to it.
WITH numbered AS (
    SELECT *, count(*) FILTER (WHERE action = 'die') OVER (
               PARTITION BY container_id ORDER BY time_ns ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS life
    FROM container_events
),
lives AS (
    SELECT arg_max(service_name, time_ns) AS service_name, arg_max(container_name, time_ns) AS container_name,
           container_id, arg_max(container_image_name, time_ns) AS container_image_name,
           max("timestamp") FILTER (WHERE action = 'start') AS started_at,
           max("timestamp") FILTER (WHERE action = 'die') AS ended_at,
           max(exit_code) FILTER (WHERE action = 'die') AS exit_code,
           coalesce(bool_or(action = 'oom' OR oom_killed), false) AS oom_killed,
           -- Somebody asked for it: docker stop, kill, restart, rm -f.
           coalesce(bool_or(action = 'kill'), false) AS asked,
           max(method) FILTER (WHERE action = 'die') AS end_known_by,
           max(config) FILTER (WHERE action = 'start') AS config,
           max(attributes['image_id']) FILTER (WHERE action = 'start') AS image_id,
           max(event_id) FILTER (WHERE action = 'start') AS start_event_id,
           max(event_id) FILTER (WHERE action = 'die') AS end_event_id
    FROM numbered
    GROUP BY container_id, life
    HAVING bool_or(action IN ('start', 'die'))
),
before AS (
    SELECT *,
           lag(container_id) OVER byname AS previous_id,
           lag(config IGNORE NULLS) OVER byname AS previous_config,
           lag(image_id IGNORE NULLS) OVER byname AS previous_image_id,
           lead(started_at) OVER (PARTITION BY container_id ORDER BY coalesce(started_at, ended_at)) AS next_started_at
    FROM lives
    WINDOW byname AS (PARTITION BY service_name, container_name ORDER BY coalesce(started_at, ended_at), container_id)
)
SELECT service_name, container_name, container_id, container_image_name, started_at, ended_at, exit_code, oom_killed,
       asked, end_known_by,
       CASE WHEN previous_id IS NULL THEN 'first'
            WHEN image_id <> previous_image_id THEN 'image'
            WHEN config <> previous_config THEN 'configuration'
            WHEN container_id <> previous_id THEN 'recreated'
            ELSE 'restart' END AS began_as,
       next_started_at, start_event_id, end_event_id
FROM before
