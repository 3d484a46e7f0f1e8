-- title: Lives of containers, from each start to its end, and how it ended
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: service_name, container_name, container_id, began_as, started_at, ended_at, exit_code, oom_killed, asked, container_image_name, end_known_by
SELECT service_name, container_name, container_id, began_as, started_at, ended_at, exit_code, oom_killed, asked,
       container_image_name, end_known_by
FROM container_lives
WHERE coalesce(started_at, ended_at) < $until AND coalesce(ended_at, CAST('9999-12-31' AS TIMESTAMPTZ)) >= $since
ORDER BY coalesce(started_at, ended_at), container_id
