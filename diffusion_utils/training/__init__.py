"""One training loop for Part B and Emoji-64, one for the judges, a run on disk, and what runs on which machine."""
