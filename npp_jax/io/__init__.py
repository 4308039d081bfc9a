"""Readers and writers of results."""
