"""What a reader sees: the incident report as page, JSON and post-mortem, and the daily digest."""
