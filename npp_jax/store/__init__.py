"""Crash-safe store of the results of a sweep."""
