"""Protocols on the engine, the store that keeps every run, and the pool that spreads runs over processors."""
