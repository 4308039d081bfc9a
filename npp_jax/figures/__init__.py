"""Figures: functions that take and return axes, one module a use case."""
