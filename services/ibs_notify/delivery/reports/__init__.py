"""What digests and weekly summaries say, and how that is stored and shown to templates."""
