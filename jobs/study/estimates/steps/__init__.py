"""Steps that several of the study's tables share: files, the frame of operators, samples, spending, and the
stage that computes them."""
