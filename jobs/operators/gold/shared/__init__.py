"""Rules that several gold kernels share: counting, correcting, origins, evidence of bulk and of bypass."""
