"""Service 1: targets, groups and settings; each change has an author, a time and a revision."""
