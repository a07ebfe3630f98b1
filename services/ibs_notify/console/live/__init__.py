"""What arrives while pages are open: one watch of the Router, shared by all who look."""
