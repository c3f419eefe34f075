"""An interactive page of a plan: one HTML file that plans again in the browser."""
