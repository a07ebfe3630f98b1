"""The launcher: the three services side by side on one machine, as processes."""
