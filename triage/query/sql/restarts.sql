-- title: Restarts, failures and memory kills of each container
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: service_name, container_name, starts, restarts, deployments, failed_ends, oom_kills, last_exit_code, last_end
SELECT service_name, container_name,
       count(*) FILTER (WHERE started_at >= $since AND started_at < $until) AS starts,
       count(*) FILTER (WHERE started_at >= $since AND started_at < $until AND began_as = 'restart') AS restarts,
       count(*) FILTER (WHERE started_at >= $since AND started_at < $until
                          AND began_as IN ('image', 'configuration')) AS deployments,
       count(*) FILTER (WHERE ended_at >= $since AND ended_at < $until AND exit_code <> 0 AND NOT asked) AS failed_ends,
       count(*) FILTER (WHERE ended_at >= $since AND ended_at < $until AND oom_killed) AS oom_kills,
       arg_max(exit_code, ended_at) FILTER (WHERE ended_at >= $since AND ended_at < $until) AS last_exit_code,
       max(ended_at) FILTER (WHERE ended_at >= $since AND ended_at < $until) AS last_end
FROM container_lives
GROUP BY service_name, container_name
HAVING starts > 0 OR last_end IS NOT NULL
ORDER BY failed_ends DESC, restarts DESC, service_name, container_name
