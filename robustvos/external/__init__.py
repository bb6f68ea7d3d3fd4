"""Systems that run in their own environment: what they are given, how they are run, how their masks come back."""
