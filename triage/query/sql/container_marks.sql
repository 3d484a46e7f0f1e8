-- title: What happened to containers: starts, deployments, ends, memory kills, failing health checks
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: most int = 500
-- returns: timestamp, service_name, container_name, kind, exit_code, image, event_id
WITH marks AS (
    SELECT started_at AS "timestamp", service_name, container_name,
           CASE began_as WHEN 'first' THEN 'start' ELSE began_as END AS kind, NULL AS exit_code,
           container_image_name AS image, start_event_id AS event_id
    FROM container_lives
    UNION ALL
    SELECT ended_at, service_name, container_name,
           CASE WHEN oom_killed THEN 'oom' WHEN asked OR exit_code = 0 THEN 'stop'
                WHEN exit_code IS NULL THEN 'end' ELSE 'died' END,
           exit_code, container_image_name, end_event_id
    FROM container_lives
    UNION ALL
    SELECT "timestamp", service_name, container_name, health, NULL, container_image_name, event_id
    FROM container_events
    WHERE action = 'health_status' AND health IN ('healthy', 'unhealthy')
)
SELECT "timestamp", service_name, container_name, kind, exit_code, image, event_id
FROM marks
WHERE "timestamp" >= $since AND "timestamp" < $until
-- Where there are more, the gravest are shown.
QUALIFY row_number() OVER (ORDER BY list_position(['oom', 'image', 'configuration', 'unhealthy', 'died', 'recreated',
    'restart', 'end', 'stop', 'start', 'healthy'], kind), "timestamp", service_name) <= $most
ORDER BY "timestamp", service_name, kind, container_name
