"""Laws compared by what they predict."""
