"""Templates as their editor has them."""
