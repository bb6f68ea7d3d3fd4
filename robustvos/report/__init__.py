"""What a person looks at: tables, overlays, curves, and one HTML page that holds them all."""
