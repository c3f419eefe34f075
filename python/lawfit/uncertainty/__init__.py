"""How uncertain a fit is."""
