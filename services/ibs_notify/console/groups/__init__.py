"""A group as its form has it, and what an edit changes."""
