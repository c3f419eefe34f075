"""Commands of `lawfit`: one module for each group, and what they share in `common`."""
