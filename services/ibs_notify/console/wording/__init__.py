"""How things are said on pages, and read where people write them."""
