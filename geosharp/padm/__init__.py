"""The Progressive Alignment Degradation Module: how this scene's MS came of what its PAN shows."""
