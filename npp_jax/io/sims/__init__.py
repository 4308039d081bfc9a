"""SIMS depth profiles: files of instruments → fractions of the bulk against depth, with their counting statistics."""
