"""Peers of lawfit, one module per library, each imported only when it is used."""
