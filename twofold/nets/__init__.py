"""Networks, built from a Space: bodies, encoders, decoders, generators, critics, extractors."""
