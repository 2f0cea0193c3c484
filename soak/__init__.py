"""What the project survives, tried with seeds: faults, power cuts, brokers, foreign input, our own mistakes."""
