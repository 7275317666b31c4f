"""The reference submissions: the paper's multi-scale GAN and the classical fields."""
