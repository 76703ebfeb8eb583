"""How good: `make evaluate`, `make ablation`."""
