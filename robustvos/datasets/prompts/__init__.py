"""Which objects are prompted, and how: from masks, from files, as the release does."""
