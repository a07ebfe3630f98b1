"""What every room shares: the event, its words, errors and the clock. Standard library only."""
