"""Raw lines from container engines and files, with cursors: nothing is parsed here."""
