"""Who is it: sessions, their cookies, and the way to a page."""
