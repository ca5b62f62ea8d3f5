"""One file a kind of data; each defines one final `Kind`, found by walking this package."""
