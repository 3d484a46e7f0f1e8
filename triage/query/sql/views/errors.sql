-- Records of severity ERROR and above, and all that a pattern knows as a problem.
SELECT * FROM logs WHERE severity_number >= 17 OR problem IS NOT NULL
