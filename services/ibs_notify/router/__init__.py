"""Service 2: takes events and decides who hears of each. Read ``pipeline`` first."""
