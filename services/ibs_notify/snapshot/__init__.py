"""The configuration as Router and Delivery hold it: watched, immutable, kept on disk."""
