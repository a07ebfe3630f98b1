"""Events as their pages show them: a view of the inbox, what became of each, and why."""
