"""The diffusion model: what MS lacks of the truth beside what a classical method already injects."""
