"""What numbers follow from samples: correlated series, free energies, reweighting. No engine, no molecules."""
