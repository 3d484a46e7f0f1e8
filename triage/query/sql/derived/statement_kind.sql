-- Whether the database logged a statement with its duration, or the plan of one (a record of its own).
CASE WHEN source = 'postgres' AND duration_ms IS NOT NULL
          AND contains(body, 'duration: ') AND regexp_matches(body, 'duration: [0-9.]+ ms')
     THEN CASE WHEN contains(body, 'plan:') AND regexp_matches(body, '\bplan:\s') THEN 'plan' ELSE 'statement' END END
