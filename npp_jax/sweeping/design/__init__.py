"""Designs of candidates: axes, points of a design, tables of candidates."""
