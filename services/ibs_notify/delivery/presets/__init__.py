"""Presets: where their peers are asked, what they know us by, and what their answers mean."""
