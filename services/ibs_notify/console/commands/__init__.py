"""The command line that does what a form will do: shown beside it, to be copied."""
