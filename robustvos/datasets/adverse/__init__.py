"""Real bad weather and light: ACDC-Video, MVSeg."""
