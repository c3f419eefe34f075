"""What to do with a fitted law."""
