-- Records of severity ERROR and above, and all that a pattern knows as a problem. In two parts: a condition on one column
-- passes over the files' parts without any, which one on either of two does not.
SELECT * FROM logs WHERE problem IS NOT NULL
UNION ALL
SELECT * FROM logs WHERE severity_number >= 17 AND problem IS NULL
