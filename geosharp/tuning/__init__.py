"""Fine-tuning: a network learns from a few scenes of the user's own, and is judged on places kept aside."""
