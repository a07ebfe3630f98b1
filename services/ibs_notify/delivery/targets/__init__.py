"""What is kept of each target: its circuit breaker, its rate, how its attempts fare."""
