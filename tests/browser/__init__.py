"""The console in a real browser: Debian's Chromium against real services.

``pages.py`` lists the pages; ``night.py`` is the installation that most tests look at.
"""
