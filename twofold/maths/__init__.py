"""The mathematics: pure functions, distributions and small frozen parts; no files, no devices."""
